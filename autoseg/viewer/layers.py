"""Images, annotations and predictions as layers of napari, without napari.

A layer is what napari's readers return: data, keywords and kind. Where it comes from
stands in its metadata, under ``autoseg``: `Origin`. Letters: C channels, S space.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.datasets.kinds.instances import overlaps_beside
from autoseg.datasets.points import read_points
from autoseg.datasets.read import load_dataset
from autoseg.errors import UsageError
from autoseg.formats.base import find_format, known_endings, match_ending
from autoseg.formats.geometry import read_geometry
from autoseg.formats.names import ENDING as SEGMENTS
from autoseg.formats.names import image_case, read_segments
from autoseg.instancefiles.overlaps import with_overlaps
from autoseg.outputs import is_ours
from autoseg.pointfiles.base import case_id
from autoseg.spec.image import Geometry, Image
from autoseg.spec.instances import Instances
from autoseg.spec.points import Points
from autoseg.viewer.objects import NAME, layers_of, point_layer, points_in, united
from autoseg.viewer.origin import KEY, Layer, LayerData, Origin
from autoseg.viewer.shown import (
    data_set_above,
    image_layers,
    label_layer,
    names_near,
)

LABELS = ("labelsTr", "labelsTs", "validation", "drafts")  # folders of annotations
TOGETHER = "objects"  # in metadata: the same in layers of objects that overlap


def opened(path: Path) -> list[LayerData]:
    """Return a file as layers: an image, or an annotation with names and colors.

    Parameters
    ----------
    path : Path
        What a format of autoseg reads. Label maps are files that autoseg predicted,
        those in folders such as labelsTr, and ``.seg.nrrd``; points are what
        `autoseg.pointfiles` reads.

    Returns
    -------
    list of LayerData
        One layer, for an image one for each channel; for objects that overlap, several
        of labels.
    """
    if not match_ending(path.name, known_endings()):
        return [_opened_points(path)]
    format = find_format(path)
    if is_label_map(path):
        labels, geometry = format.read_labels(path)
        names, raw = names_near(path)
        if path.name.lower().endswith(SEGMENTS):
            segments = read_segments(path)
            names = {one.value: one.name for one in segments} or names
            colors = {one.name: one.look.hex for one in segments}
            raw = {**raw, "colors": colors} if segments else raw
        about = (geometry, (), image_case(path.name))
        if overlaps_beside(path).is_file():
            drawn = Instances(labels.astype(np.int32))
            return object_layers(with_overlaps(overlaps_beside(path), drawn), *about)
        return [label_layer(labels, *about, names, raw)]
    image = format.read_image([path])
    return image_layers(image, (path,), image_case(path.name))


def _opened_points(path: Path) -> LayerData:
    """Return a file of points as a layer, on the image that it is about."""
    folder = data_set_above(path)
    case, dataset = case_id(path), None
    image: Geometry | None = None
    paths: tuple[Path, ...] = ()
    if folder is not None:
        dataset = load_dataset(folder)
        known = next((one for one in dataset.training if one.id == case), None)
        if known is not None:
            image, paths = read_geometry(known, dataset), known.images
    points, geometry = read_points(path, dataset, image, case)
    return point_layer(points, geometry, paths, case, dataset.raw if dataset else {})


def object_layers(
    found: Instances, geometry: Geometry, paths: tuple[Path, ...], case: str
) -> list[LayerData]:
    """Return objects as layers of labels, each object in one of them."""
    shown = []
    together = uuid.uuid4().hex
    for number, labels in enumerate(layers_of(found)):
        layer = label_layer(labels, geometry, paths, case, {}, {})
        layer[1]["metadata"][TOGETHER] = together
        if number:
            layer[1]["name"] += f" {number + 1}"
        shown.append(layer)
    return shown


def is_label_map(path: Path) -> bool:
    """Return whether a file holds labels, by its name and place."""
    named = path.name.lower().endswith(SEGMENTS) or path.parent.name in LABELS
    return named or (is_ours(path) and path.parent.name != "uncertainty")


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
        Labels, in the image's own grid; then the disagreement. Of landmarks points,
        of objects that overlap several layers of labels.

    Raises
    ------
    UsageError
        If the layers do not fit the model.
    """
    from autoseg.predict.readouts.uncertainty import Doubt

    model = predictor.model
    image, origin = image_of(layers, len(model.plan.channels), model.plan.unit)
    doubt = Doubt() if uncertainty else None
    found = predictor.predict_image(image, doubt=doubt)
    shown = _shown(found, replace(origin, geometry=image.geometry), predictor)
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


@singledispatch
def _shown(found: Any, origin: Origin, predictor: Any) -> list[LayerData]:
    """Return what was found in an image as layers; here, a label map."""
    about = origin.geometry, origin.images, origin.case
    names, raw = predictor.task.value_names, predictor.model.dataset
    return [label_layer(np.asarray(found), *about, names, raw)]


@_shown.register
def _(found: Instances, origin: Origin, predictor: Any) -> list[LayerData]:
    if not found.masks:
        return _shown(found.labels, origin, predictor)
    return object_layers(found, origin.geometry, origin.images, origin.case)


@_shown.register
def _(found: Points, origin: Origin, predictor: Any) -> list[LayerData]:
    about = origin.geometry, origin.images, origin.case
    return [point_layer(found, *about, predictor.model.dataset)]


def kept(
    layer: Layer,
    dataset: str,
    case: str,
    *,
    replacing: bool = False,
    besides: Sequence[Layer] = (),
) -> Path:
    """Save a layer into a data set; see `autoseg.teaching.keep.keep`.

    Parameters
    ----------
    layer : Layer
        Of labels, or of points with their names.
    dataset : str
        Its folder, or a name or number.
    case : str
        Of the data set, or a new one.
    replacing : bool
        The user has agreed to replace what is there.
    besides : sequence of Layer
        Further layers of labels, with objects that overlap with others.

    Returns
    -------
    Path
        What was written.
    """
    from autoseg.teaching.keep import keep

    origin = layer.metadata.get(KEY)
    images = origin.images if isinstance(origin, Origin) else ()
    if hasattr(layer, "features") and NAME in layer.features:
        return keep(dataset, case, points_in(layer), images, replacing=replacing)
    labels = np.asarray(layer.data)
    drawn = united([np.asarray(one.data) for one in (layer, *besides)])
    annotation: Any = drawn if besides else labels
    return keep(dataset, case, annotation, images, replacing=replacing)


def belonging(layer: Layer, others: Iterable[Layer]) -> list[Layer]:
    """Return the layers that hold the objects that overlap with those of a layer.

    Parameters
    ----------
    layer : Layer
        Of labels.
    others : iterable of Layer
        That are there, in their order.
    """
    together = layer.metadata.get(TOGETHER)
    return [
        one
        for one in others
        if together is not None
        and one is not layer
        and one.metadata.get(TOGETHER) == together
    ]


def case_of(layer: Layer) -> str:
    """Return the name under which a layer is saved, unless the user says another."""
    origin = layer.metadata.get(KEY)
    if isinstance(origin, Origin):
        return origin.case
    ending = match_ending(layer.name, known_endings())
    return layer.name[: -len(ending)] if ending else layer.name
