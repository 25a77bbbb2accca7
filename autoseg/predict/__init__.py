"""Stage: a model and images to predictions in the images' own geometry."""

from autoseg._stage import make_callable

make_callable(__name__)
