"""Stage: cases as the network sees them, stored so that patches read fast."""

from autoseg._stage import make_callable

make_callable(__name__)
