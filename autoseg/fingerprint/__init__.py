"""Stage: a data set in numbers, and everything that is wrong with it."""

from autoseg._stage import make_callable

make_callable(__name__)
