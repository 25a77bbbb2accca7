"""Stage: predictions against annotations, per case and in sum."""

from autoseg._stage import make_callable

make_callable(__name__)
