"""Stage: from cross-validations to the one model that is used."""

from autoseg._stage import make_callable

make_callable(__name__)
