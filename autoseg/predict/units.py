"""An image's lengths in the unit of the model: the same size is the same number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from autoseg.errors import UsageError
from autoseg.formats.header import in_unit
from autoseg.model.model import Model
from autoseg.spec.dataset import Dataset
from autoseg.spec.image import Image


def unit_of_training(model: Model) -> str:
    """Return the unit of the images that a model was trained on.

    Plans that were imported are in millimeters whatever the images were; pictures have
    no size, and their fingerprint says so.
    """
    unit = (model.fingerprint or {}).get("unit")
    return str(unit) if unit == "px" else model.plan.unit


def in_model_unit(image: Image, model: Model) -> Image:
    """Return an image with its lengths in the unit that a model was trained in.

    Parameters
    ----------
    image : Image
        As it was read.
    model : Model
        Its plan is in millimeters, micrometers or, if it knows no sizes, pixels.

    Returns
    -------
    Image
        With the same array. Predictions are still written in the unit of the file. An
        image that has no size stays as it is, in pixels, which count as the model's
        unit; `autoseg.predict.drift` warns of it.
    """
    geometry = in_unit(image.geometry, unit_of_training(model))
    if geometry is None or geometry is image.geometry:
        return image
    return replace(image, geometry=geometry)


def edges_of(spacing: Any) -> tuple[float, ...]:
    """Return a spacing that a user gives, or raise UsageError if it cannot be one."""
    try:
        edges = tuple(float(edge) for edge in spacing)
    except (TypeError, ValueError):
        edges = ()
    if not edges or not all(0 < edge < float("inf") for edge in edges):
        raise UsageError(
            f"spacing={spacing!r} cannot be: give the edge of a voxel along each axis, "
            "positive numbers, slowest axis first."
        )
    return edges


def with_spacing(dataset: Dataset, spacing: Any, model: Model) -> Dataset:
    """Return how files are read whose spacing a user gives, in the model's unit."""
    given = edges_of(spacing)
    unit = unit_of_training(model)
    if dataset.unit is None and unit == "um":
        # Numbers without a unit are read as millimeters, and converted after that.
        given = tuple(edge * 1e-3 for edge in given)
    elif dataset.unit is None and unit == "px":
        return replace(dataset, spacing=given, unit="px")
    return replace(dataset, spacing=given)
