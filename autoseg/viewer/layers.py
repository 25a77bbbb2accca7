"""Images, annotations and predictions as layers of napari, without napari.

A layer is what napari's readers return: data, keywords and kind. Where it comes from
stands in its metadata, under ``autoseg``: `Origin`. Letters: C channels, S space.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from autoseg.datasets.kinds import DATASET_KINDS
from autoseg.errors import AutosegError, UsageError
from autoseg.formats.base import find_format, known_endings, match_ending
from autoseg.formats.names import ENDING as SEGMENTS
from autoseg.formats.names import image_case, read_segments
from autoseg.outputs import is_ours
from autoseg.spec.dataset import Dataset
from autoseg.spec.foreign.looks import looks_of
from autoseg.spec.image import Geometry, Image
from autoseg.tasks import choose_task, make_task

LayerData = tuple[Any, dict[str, Any], str]
KEY = "autoseg"  # of a layer's metadata
LABELS = ("labelsTr", "labelsTs", "validation", "drafts")  # folders of annotations
UP = 5  # folders above a file in which a dataset.json is looked for
OPACITY = 0.5


class Layer(Protocol):
    """What is asked of a layer of napari."""

    name: str
    data: Any
    scale: Any
    metadata: dict[str, Any]


@dataclass(frozen=True)
class Origin:
    """Where a layer is from.

    Parameters
    ----------
    images : tuple of Path
        Files of the image; empty: it was never a file.
    geometry : Geometry
        Of its voxels.
    case : str
        What the image is called.
    """

    images: tuple[Path, ...]
    geometry: Geometry
    case: str


def opened(path: Path) -> list[LayerData]:
    """Return a file as layers: an image, or an annotation with names and colors.

    Parameters
    ----------
    path : Path
        What a format of autoseg reads. Label maps are files that autoseg predicted,
        those in folders such as labelsTr, and ``.seg.nrrd``.

    Returns
    -------
    list of LayerData
        One layer, for an image one for each channel.
    """
    format = find_format(path)
    if is_label_map(path):
        labels, geometry = format.read_labels(path)
        names, raw = names_near(path)
        if path.name.lower().endswith(SEGMENTS):
            segments = read_segments(path)
            names = {one.value: one.name for one in segments} or names
            colors = {one.name: one.look.hex for one in segments}
            raw = {**raw, "colors": colors} if segments else raw
        return [label_layer(labels, geometry, (), image_case(path.name), names, raw)]
    image = format.read_image([path])
    return image_layers(image, (path,), image_case(path.name))


def is_label_map(path: Path) -> bool:
    """Return whether a file holds labels, by its name and place."""
    named = path.name.lower().endswith(SEGMENTS) or path.parent.name in LABELS
    return named or (is_ours(path) and path.parent.name != "uncertainty")


def names_near(path: Path) -> tuple[dict[int, str], Mapping[str, Any]]:
    """Return names of label values by the dataset.json above a file, and that file."""
    for folder in list(path.absolute().parents)[:UP]:
        file = folder / "dataset.json"
        if file.is_file():
            try:
                raw = json.loads(file.read_text(encoding="utf-8"))
                return names_in(raw, folder), raw
            except (AutosegError, ValueError):
                return {}, {}
    return {}, {}


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


def image_of(layers: Sequence[Layer], channels: int, unit: str) -> tuple[Image, Origin]:
    """Return the image that layers show together.

    Parameters
    ----------
    layers : sequence of Layer
        One for each channel, or one in colors.
    channels : int
        That the model sees.
    unit : str
        Of the layers' scale, where they come from no file.

    Returns
    -------
    image : Image
        float32, (C, *S).
    origin : Origin
        Its files, all of them, in order.

    Raises
    ------
    UsageError
        If the number of layers does not fit.
    """
    first = layers[0] if layers else None
    if first is None:
        raise UsageError("Choose an image.")
    if getattr(first, "rgb", False):
        arrays = list(np.moveaxis(np.asarray(first.data), -1, 0))[:channels]
    else:
        arrays = [np.asarray(layer.data) for layer in layers]
    if len(arrays) != channels:
        raise UsageError(
            f"The model sees {channels} channels, and {len(arrays)} are selected: "
            "select the layers of all channels, in their order."
        )
    shape = arrays[0].shape
    known = [layer.metadata.get(KEY) for layer in layers]
    origins = [one for one in known if isinstance(one, Origin)]
    paths = tuple(dict.fromkeys(p for one in origins for p in one.images))
    if origins and origins[0].geometry.shape == shape:
        geometry, case = origins[0].geometry, origins[0].case
    else:
        scale = tuple(float(n) for n in np.asarray(first.scale)[-len(shape) :])
        geometry, case = Geometry(shape=shape, spacing=scale, unit=unit), first.name
    array = np.stack(arrays).astype(np.float32)
    return Image(array=array, geometry=geometry), Origin(paths, geometry, case)


def predicted(
    predictor: Any, layers: Sequence[Layer], uncertainty: bool = False
) -> list[LayerData]:
    """Return what a model says of layers: labels, and where it doubts.

    Parameters
    ----------
    predictor : autoseg.Predictor
        With `Options.uncertainty`, if that is wanted.
    layers : sequence of Layer
        The image.
    uncertainty : bool
        Also a layer of disagreement, 0 to 1.

    Returns
    -------
    list of LayerData
        Labels, in the image's own grid; then the disagreement.

    Raises
    ------
    UsageError
        If the model finds landmarks, or the layers do not fit it.
    """
    from autoseg.predict.readouts.uncertainty import Doubt

    model, task = predictor.model, predictor.task
    if not DATASET_KINDS[task.kind].maps_first:
        raise UsageError("This model finds landmarks; the window shows label maps.")
    image, origin = image_of(layers, len(model.plan.channels), model.plan.unit)
    doubt = Doubt() if uncertainty else None
    found = predictor.predict_image(image, doubt=doubt)
    labels = np.asarray(getattr(found, "labels", found))
    names, raw = task.value_names, model.dataset
    about = (image.geometry, origin.images, origin.case)
    shown = [label_layer(labels, *about, names, raw)]
    if doubt is not None and doubt.map.size:
        options = {
            "name": f"{origin.case} doubt {1 - doubt.quality:.2f}",
            "scale": image.geometry.spacing,
            "colormap": "inferno",
            "blending": "additive",
            "contrast_limits": (0.0, 1.0),
            "visible": False,
            "metadata": {KEY: origin},
        }
        shown.append((doubt.map, options, "image"))
    return shown


def kept(layer: Layer, dataset: str, case: str, *, replacing: bool = False) -> Path:
    """Save a label layer into a data set; see `autoseg.teaching.keep.keep`.

    Parameters
    ----------
    layer : Layer
        Of labels.
    dataset : str
        Its folder, or a name or number.
    case : str
        Of the data set, or a new one.
    replacing : bool
        The user has agreed to replace what is there.

    Returns
    -------
    Path
        What was written.
    """
    from autoseg.teaching.keep import keep

    origin = layer.metadata.get(KEY)
    images = origin.images if isinstance(origin, Origin) else ()
    labels = np.asarray(layer.data)
    return keep(dataset, case, labels, images, replacing=replacing)


def case_of(layer: Layer) -> str:
    """Return the name under which a layer is saved, unless the user says another."""
    origin = layer.metadata.get(KEY)
    if isinstance(origin, Origin):
        return origin.case
    ending = match_ending(layer.name, known_endings())
    return layer.name[: -len(ending)] if ending else layer.name
