"""Images and label maps as layers of napari: names, colors, places."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import AutosegError
from autoseg.spec.dataset import Dataset
from autoseg.spec.foreign.looks import looks_of
from autoseg.spec.image import Geometry, Image
from autoseg.tasks import choose_task, make_task
from autoseg.viewer.origin import KEY, LayerData, Origin

UP = 5  # folders above a file in which a dataset.json is looked for
OPACITY = 0.5


def names_near(path: Path) -> tuple[dict[int, str], Mapping[str, Any]]:
    """Return names of label values by the dataset.json above a file, and that file."""
    folder = data_set_above(path)
    if folder is None:
        return {}, {}
    try:
        raw = json.loads((folder / "dataset.json").read_text(encoding="utf-8-sig"))
        return names_in(raw, folder), raw
    except (AutosegError, ValueError):
        return {}, {}


def data_set_above(path: Path) -> Path | None:
    """Return the nearest folder above a file that has a dataset.json."""
    above = list(path.absolute().parents)[:UP]
    return next((one for one in above if (one / "dataset.json").is_file()), None)


def names_in(raw: Mapping[str, Any], folder: Path) -> dict[int, str]:
    """Return the names of label values that a dataset.json gives."""
    task = str(raw.get("task", "semantic"))
    described = Dataset(
        name=folder.name,
        folder=folder,
        task=task,
        channel_names=(),
        image_ending="",
        annotation_ending="",
        raw=raw,
    )
    return dict(make_task(choose_task(described)).value_names)


def image_layers(image: Image, paths: tuple[Path, ...], case: str) -> list[LayerData]:
    """Return an image as layers, one for each channel."""
    origin = Origin(paths, image.geometry, case)
    array = np.asarray(image.array)
    several = len(array) > 1
    return [
        (
            channel,
            {
                "name": f"{case} {number}" if several else case,
                "scale": image.geometry.spacing,
                "metadata": {KEY: origin},
                "blending": "additive" if number else "translucent_no_depth",
            },
            "image",
        )
        for number, channel in enumerate(array)
    ]


def label_layer(
    labels: NDArray[Any],
    geometry: Geometry,
    paths: tuple[Path, ...],
    case: str,
    names: Mapping[int, str],
    raw: Mapping[str, Any],
) -> LayerData:
    """Return a label map as a layer.

    Parameters
    ----------
    labels : ndarray of int, shape (*S)
        Values as in files.
    geometry : Geometry
        Of its grid.
    paths : tuple of Path
        Files of its image.
    case : str
        What its image is called.
    names : mapping of int to str
        Of values; empty: each value has a color of napari's.
    raw : mapping
        dataset.json, for colors.

    Returns
    -------
    LayerData
        Names are in its features, which napari shows below the picture.
    """
    options: dict[str, Any] = {
        "name": f"{case} labels",
        "scale": geometry.spacing,
        "metadata": {KEY: Origin(paths, geometry, case)},
        "opacity": OPACITY,
    }
    if names:
        looks = looks_of(names.values(), raw)
        colors: dict[int | None, Any] = {None: (0, 0, 0, 0), 0: (0, 0, 0, 0)}
        for value, name in names.items():
            colors[value] = (*(part / 255 for part in looks[name].color), 1.0)
        options["colormap"] = colors
        values = range(max(names) + 1)
        options["features"] = {
            "index": list(values),
            "name": [names.get(value, "background") for value in values],
        }
    return labels.astype(np.int32), options, "labels"
