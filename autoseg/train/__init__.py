"""Stage: one trainer for every task, network and recipe."""

from autoseg._stage import make_callable

make_callable(__name__)
