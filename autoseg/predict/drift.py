"""Notice images that are very unlike those that a model was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoseg.fingerprint.extremes import find_extreme
from autoseg.formats.header import SHIFTED, as_filed, in_unit, remarks_of
from autoseg.geometry.orientation import is_silent
from autoseg.model.model import Model
from autoseg.predict.units import unit_of_training
from autoseg.spec.image import Image

FACTOR = 2.0  # spacing and extent beyond this times the training cases' range


def unlike_training(image: Image, model: Model) -> list[str]:
    """Return in which ways an image is unlike the training images.

    Parameters
    ----------
    image : Image
        As it was read.
    model : Model
        Knows the training data's fingerprint, or nothing.

    Returns
    -------
    list of str
        Sentences for a warning; mostly none.
    """
    found = unlike_place(image, model)
    if model.fingerprint is None or image.geometry.dim != model.plan.dim:
        return found
    return found + unlike_fingerprint(image, model.fingerprint, model.channels)


def unlike_place(image: Image, model: Model) -> list[str]:
    """Return what makes size or orientation of an image doubtful, as sentences.

    Parameters
    ----------
    image : Image
        In the model's unit.
    model : Model
        The model.
    """
    return [*_sizes(image, model), *_header(image, model)]


def _sizes(image: Image, model: Model) -> list[str]:
    """Say where sizes of image and model cannot be compared."""
    known, unit = unit_of_training(model), image.geometry.unit
    before = as_filed(image.geometry).unit
    if known != "px" and unit == "px":
        return [
            f"its file does not say how large a pixel is, and the model was trained in "
            f"{known}; 1 pixel is taken for 1 {known}. Write the true size into the "
            "file, a side-car or `spacing`."
        ]
    if known == "px" and before != "px":
        return [
            f"it has a size in {before}, and the model was trained on images without "
            "one: its pixels are compared by number, not by size."
        ]
    return []


def _header(image: Image, model: Model) -> list[str]:
    """Say what is odd about the file's header."""
    found = [f"odd header: {remark}." for remark in remarks_of(image.geometry)]
    for name, shift in image.geometry.header.get(SHIFTED, {}).items():
        found.append(
            f"{name} begins {shift:.4g} voxels away from the first of its channels; "
            "they are laid on each other voxel by voxel. Resample them to one grid."
        )
    codes = dict((model.fingerprint or {}).get("orientations") or {})
    if codes and is_silent(image.geometry):
        found.append(
            "its file does not say how its axes lie; it is not turned, and training "
            f"images were {', '.join(sorted(codes))}. Are its axes the same?"
        )
    return found


def unlike_fingerprint(
    image: Image, fingerprint: Mapping[str, Any], channels: Sequence[str]
) -> list[str]:
    """Return in which ways an image is unlike those of a fingerprint.

    Parameters
    ----------
    image : Image
        As it was read.
    fingerprint : mapping
        What ``fingerprint.json`` holds.
    channels : sequence of str
        Names of the image's channels.

    Returns
    -------
    list of str
        Sentences for a warning; mostly none.
    """
    found = []
    spacings, shapes = fingerprint.get("spacings"), fingerprint.get("shapes")
    if spacings and shapes and len(spacings) == len(shapes):
        known = np.asarray(spacings, dtype=float)
        extents = known * np.asarray(shapes, dtype=float)
        unit = str(fingerprint.get("unit", image.geometry.unit))
        geometry = in_unit(image.geometry, unit) or image.geometry
        extent = np.multiply(geometry.spacing, geometry.shape)
        unit = geometry.unit
        found += _outside("spacing", geometry.spacing, known, unit)
        # Cropping makes training cases smaller, never larger: only too small is odd.
        if np.any(np.sort(extent) * FACTOR < np.sort(extents, axis=1).min(axis=0)):
            found.append(
                f"it covers {_numbers(extent)} {unit}, less than half of the smallest "
                "training image; is a part missing, or the spacing wrong?"
            )
    intensities = fingerprint.get("intensities") or ()
    for index, known_range in enumerate(intensities[: len(image.array)]):
        values = image.array[index]
        found += _intensity(values, known_range, channels[index])
        extreme = find_extreme(values)
        if extreme is not None:
            found.append(
                f"channel {channels[index]}: {extreme}. Does it stand for nothing?"
            )
    return found


def unlike_inside(
    values: Any, known: Mapping[str, Any], name: str, where: str
) -> list[str]:
    """Return in which way intensities of a part of an image are unlike training's.

    Parameters
    ----------
    values : ndarray of float, shape (N,)
        Of one channel, inside of what was predicted.
    known : mapping
        Foreground intensities of training, as in ``fingerprint.json``.
    name : str
        Of the channel.
    where : str
        Which part, for the sentence.

    Returns
    -------
    list of str
        A sentence if the median is not between the 0.5th and the 99.5th percentile of
        training.
    """
    low, high = known.get("percentile_00_5"), known.get("percentile_99_5")
    if low is None or high is None or not len(values):
        return []
    middle = float(np.median(values))
    if low <= middle <= high:
        return []
    return [
        f"{where}, channel {name} has the median {middle:.4g}; 99 % of the training "
        f"images' values there were from {low:.4g} to {high:.4g}."
    ]


def _outside(what: str, values: Any, known: Any, unit: str) -> list[str]:
    """Compare sorted values, for axes may have another order."""
    low = np.sort(known, axis=1).min(axis=0)
    high = np.sort(known, axis=1).max(axis=0)
    here = np.sort(np.asarray(values, dtype=float))
    if np.all(here * FACTOR >= low) and np.all(here <= high * FACTOR):
        return []
    return [
        f"its {what} is {_numbers(values)} {unit}; training images had "
        f"{_numbers(low)} to {_numbers(high)}. The prediction may be poor."
    ]


def _intensity(values: Any, known: Mapping[str, Any], name: str) -> list[str]:
    """Compare ranges: no overlap at all, as when a CT is not in Hounsfield units."""
    low, high = known.get("percentile_00_5"), known.get("percentile_99_5")
    if low is None or high is None:
        return []
    least, most = float(values.min()), float(values.max())
    if least > high or most < low:
        return [
            f"channel {name} goes from {least:.4g} to {most:.4g}, training images had "
            f"foreground from {low:.4g} to {high:.4g}. Is it the right one?"
        ]
    return []


def _numbers(values: Any) -> str:
    return " x ".join(f"{float(value):.4g}" for value in values)
