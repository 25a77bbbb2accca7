"""Images as users hold them: files, arrays, SimpleITK and nibabel images."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import ModelError, UsageError
from autoseg.formats.base import read_image
from autoseg.formats.header import as_filed
from autoseg.model.model import Model
from autoseg.predict.drift import unlike_place
from autoseg.predict.readouts.lookup import save
from autoseg.predict.units import edges_of, in_model_unit, with_spacing
from autoseg.preprocess.case import Prepared
from autoseg.spec.dataset import Case
from autoseg.spec.image import Geometry, Image

Array = NDArray[Any]
logger = logging.getLogger(__name__)

THICK = (
    1.5  # slices are so much thicker than pixels, at least, where axes are told apart
)


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """A prediction with its place in the world.

    Parameters
    ----------
    labels : ndarray of int, shape (*S), or Points
        Values as in files, slowest axis first.
    geometry : Geometry
        That of the image.
    """

    labels: Any
    geometry: Geometry

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it; the ending says how.

        Parameters
        ----------
        path : path
            Of a label map, such as ``liver.nii.gz``; of landmarks ``.json`` (with
            everything that is known), ``.csv``, ``.mrk.json`` (3D Slicer) or
            ``.coco.json``. Complete or not there.

        Raises
        ------
        FormatError
            If this kind of file cannot hold it.
        """
        save(Path(path), self.labels, self.geometry)


@dataclass(frozen=True, kw_only=True)
class Source:
    """An image, and how to give back labels in the form it came in.

    Parameters
    ----------
    image : Image
        float32, channels first.
    give_back : callable
        From labels of shape S to what the caller expects.
    """

    image: Image
    give_back: Callable[[Array], Any]


def read(image: Any, model: Model, spacing: Sequence[float] | None = None) -> Source:
    """Understand whatever image is given.

    Parameters
    ----------
    image : path, sequence of paths, ndarray, SimpleITK image, nibabel image or Image
        See `Predictor.predict`.
    model : Model
        Gives channels, format and unit.
    spacing : sequence of float, optional
        Of an array, or of files that carry none.

    Returns
    -------
    Source
        The image, and the way back.

    Raises
    ------
    UsageError
        If it is none of these.
    """
    source = _understood(image, model, spacing)
    for doubt in unlike_place(source.image, model):
        logger.warning("%s: %s", source.image.path or "the image", doubt)
    return source


def _understood(image: Any, model: Model, spacing: Sequence[float] | None) -> Source:
    if isinstance(image, Image):
        back = _as_prediction(image.geometry)
        return Source(image=in_model_unit(image, model), give_back=back)
    if isinstance(image, np.ndarray):
        read_array = _from_array(image, model, spacing)
        return Source(image=read_array, give_back=lambda labels: labels)
    if isinstance(image, (str, os.PathLike)):
        image = [image]
    if isinstance(image, Sequence) and not len(image):
        raise UsageError("an empty list is no image; give a path for each channel.")
    if isinstance(image, Sequence) and all(
        isinstance(path, (str, os.PathLike)) for path in image
    ):
        found = read_files([Path(path) for path in image], model, spacing)
        return Source(image=found, give_back=_as_prediction(found.geometry))
    kind = type(image).__module__.partition(".")[0]
    if kind == "torch":
        return _from_tensor(image, model, spacing)
    if kind == "SimpleITK":
        return _in_model_unit(_from_sitk(image), model)
    if kind == "nibabel":
        return _in_model_unit(_from_nibabel(image), model)
    raise UsageError(
        f"A {type(image).__name__} is no image. Give a path, a list of paths (one for "
        "each channel), a NumPy array or torch tensor with spacing=, a SimpleITK or a "
        "nibabel image."
    )


def _from_tensor(tensor: Any, model: Model, spacing: Sequence[float] | None) -> Source:
    """Take a tensor of torch as an array; labels come back where it was."""
    import torch

    if tensor.is_complex():
        raise UsageError("the tensor holds complex numbers; give the magnitude.")
    array = tensor.detach().float().cpu().numpy()

    def give_back(labels: Array) -> Any:
        if not isinstance(labels, np.ndarray):
            return labels  # points
        return torch.from_numpy(labels.astype(np.int64)).to(tensor.device)

    return Source(image=_from_array(array, model, spacing), give_back=give_back)


def read_files(
    paths: Sequence[Path],
    model: Model,
    spacing: Sequence[float] | None = None,
    *,
    lazily: bool = False,
) -> Image:
    """Read an image from one file for each channel, or one for all.

    Parameters
    ----------
    paths : sequence of Path
        In the order of the channels.
    model : Model
        Gives channels, format and unit.
    spacing : sequence of float, optional
        For formats that carry none; default: what the training data had.
    lazily : bool
        See `autoseg.formats.base.Format.read_image`.

    Returns
    -------
    Image
        The image.
    """
    dataset = model.describe()
    if spacing is not None:
        dataset = with_spacing(dataset, spacing, model)
    case = Case(id=paths[0].name, images=tuple(paths))
    return in_model_unit(read_image(case, dataset, lazily=lazily), model)


def _as_prediction(geometry: Geometry) -> Callable[[Array], Any]:
    filed = as_filed(geometry)
    return lambda labels: Prediction(labels=labels, geometry=filed)


def _in_model_unit(source: Source, model: Model) -> Source:
    return replace(source, image=in_model_unit(source.image, model))


def _from_array(array: Array, model: Model, spacing: Sequence[float] | None) -> Image:
    dim, channels = model.plan.dim, len(model.plan.channels)
    if array.ndim == dim and channels == 1:
        array = array[None]
    if array.ndim != dim + 1 or len(array) != channels:
        raise UsageError(
            f"The array has shape {array.shape}; this model needs {channels} channels "
            f"({', '.join(model.channels)}) first, then {dim} axes, slowest first."
            f"{_order_hint(array.shape, channels, dim)}"
        )
    if spacing is None and model.plan.unit == "px":
        spacing = (1.0,) * dim
    if spacing is None:
        raise UsageError(
            f"An array needs spacing=, {dim} numbers in {model.plan.unit} in the order "
            "of its axes: networks see images at the spacing they were trained on."
        )
    geometry = Geometry(
        shape=array.shape[1:],
        spacing=edges_of(spacing),
        unit=model.plan.unit,
        oriented=False,
    )
    if seems_reversed(geometry, model.fingerprint):
        logger.warning(
            "the array: its axes seem to be x, y, z (voxels %s, spacing %s), as "
            "nibabel gives them; they have to be z, y, x. Give array.T with "
            "spacing[::-1], or the nibabel image itself.",
            " x ".join(map(str, geometry.shape)),
            " x ".join(f"{edge:.4g}" for edge in geometry.spacing),
        )
    return Image(array=_numbers(array, "array"), geometry=geometry)


def _order_hint(shape: Sequence[int], channels: int, dim: int) -> str:
    """Return what may be meant by an array whose axes do not fit."""
    if len(shape) == dim + 1 and shape[-1] == channels:
        return " The channels are last: give np.moveaxis(array, -1, 0)."
    return ""


def seems_reversed(geometry: Geometry, fingerprint: Mapping[str, Any] | None) -> bool:
    """Return whether a volume fits those of training only with its axes reversed.

    Parameters
    ----------
    geometry : Geometry
        Of the volume.
    fingerprint : mapping or None
        What ``fingerprint.json`` holds. Where slices of training are not much thicker
        than pixels, nothing can be said.
    """
    spacings = (fingerprint or {}).get("spacings")
    if geometry.dim != 3 or not spacings:
        return False
    usual = np.median(np.asarray(spacings, dtype=float), axis=0)
    if usual[0] < THICK * max(usual[1:]):
        return False
    first, *_, last = geometry.spacing
    return last >= THICK * first


def _from_sitk(image: Any) -> Source:
    from autoseg.formats.sitk import from_sitk, to_sitk

    if image.GetPixelIDTypeAsString().startswith("label"):
        raise UsageError(
            "a label map of SimpleITK is no image; give LabelMapToLabelImage of it."
        )
    array, geometry = from_sitk(image, Path("the SimpleITK image"), None)
    return Source(
        image=Image(array=_numbers(array, "SimpleITK image"), geometry=geometry),
        give_back=lambda labels: to_sitk(labels, geometry),
    )


def _from_nibabel(image: Any) -> Source:
    """Read a nibabel image: axes x, y, z, and an affine to RAS."""
    from autoseg.formats.nibabel import from_nibabel

    array, geometry = from_nibabel(image, Path("the nibabel image"))

    def give_back(labels: Array) -> Any:
        header = image.header.copy()
        header.set_data_dtype(labels.dtype)
        return type(image)(labels.transpose(), image.affine, header)

    numbers = _numbers(array, "nibabel image")
    return Source(image=Image(array=numbers, geometry=geometry), give_back=give_back)


def _numbers(array: Array, what: str) -> Array:
    """Return an array as float32; raise UsageError if it holds no real numbers."""
    if array.dtype.kind == "c":
        raise UsageError(f"the {what} holds complex numbers; give the magnitude.")
    if array.dtype.kind not in "biuf":
        raise UsageError(f"the {what} holds {array.dtype}, and no numbers.")
    with np.errstate(over="ignore"):  # what is too large is refused as infinite
        return np.ascontiguousarray(array, dtype=np.float32)


def with_labels(prepared: Prepared, channels: int) -> Prepared:
    """Append one 0/1 channel for each label of the stage before but the background."""
    labels = prepared.annotation
    if labels is None:
        raise ModelError("The stage before gave no labels.")
    masks = np.stack([labels == k for k in range(1, channels + 1)])
    array = np.concatenate([prepared.array, masks.astype(np.float32)])
    return Prepared(array=array, annotation=None, placement=prepared.placement)
