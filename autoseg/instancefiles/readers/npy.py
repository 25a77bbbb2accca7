"""NumPy arrays of ids."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import FormatError
from autoseg.instancefiles.readers import INSTANCEFILES
from autoseg.instancefiles.readers._kind import (
    Content,
    Drawn,
    InstanceFile,
    Picture,
    Places,
)

CELLPOSE = "_seg.npy"
DIMENSIONS = (2, 3)


@INSTANCEFILES.register
class NumpyIds(InstanceFile):
    """An array (Y, X) or (Z, Y, X) of whole numbers, 0 being background.

    Arrays that need pickle are refused, and so Cellpose's ``_seg.npy``.
    """

    endings: ClassVar[tuple[str, ...]] = (".npy",)

    def parse(self, path: Path) -> Content:
        try:
            array = np.load(path, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise FormatError(_refusal(path, error)) from None
        if array.ndim not in DIMENSIONS or array.dtype.kind not in "biu":
            raise FormatError(
                f"it holds {array.dtype} of shape {array.shape}; it must be whole "
                "numbers of shape (Y, X) or (Z, Y, X)."
            )
        planes = array[None] if array.ndim == 2 else array
        objects = [
            drawn
            for z, plane in enumerate(planes)
            for drawn in _drawn(plane, z if array.ndim == 3 else None)
        ]
        shape = (array.shape[-2], array.shape[-1])
        return Content(pictures=[Picture(case=None, objects=objects, shape=shape)])


def _refusal(path: Path, error: Exception) -> str:
    if path.name.lower().endswith(CELLPOSE):
        return (
            "Cellpose keeps its results in pickle, which can execute code and is not "
            "opened. In Cellpose choose File > Save masks as PNG/tif, or call "
            "cellpose.io.save_masks, and put the files CASE_cp_masks.png (or .tif) "
            "there instead."
        )
    return f"it cannot be read ({error}). Save it again, without objects."


def _drawn(plane: NDArray[Any], z: int | None) -> list[Drawn]:
    ids = np.unique(plane)
    if len(ids) and ids[0] < 0:
        raise FormatError(f"it has the id {ids[0]}; ids are positive.")
    flat = plane.ravel()
    order = np.argsort(flat, kind="stable")
    bounds = np.searchsorted(flat[order], ids, side="left").tolist() + [flat.size]
    return [
        Drawn(
            name=f"id {value}",
            draw=functools.partial(_places, order[bounds[i] : bounds[i + 1]], plane),
            plane=z,
            part_of=f"id {value}",
        )
        for i, value in enumerate(ids.tolist())
        if value
    ]


def _places(
    flat: NDArray[np.intp], plane: NDArray[Any], shape: tuple[int, int]
) -> Places:
    found: Places = np.unravel_index(flat, plane.shape)
    return found
