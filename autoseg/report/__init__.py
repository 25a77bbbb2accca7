"""Pages and plots for people."""

from autoseg._stage import make_callable

make_callable(__name__)
