"""One preprocessed case on disk, whose arrays are read where they are needed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.datasets.filenames import ANNOTATION
from autoseg.errors import DatasetError
from autoseg.spec.arrays.overlaps import Shares
from autoseg.spec.points import Points

REDO = "Run `autoseg preprocess` again to have the case redone."
FILES = {
    "image": "{}.b2nd",
    "annotation": "{}" + ANNOTATION + ".b2nd",
    "foreground": "{}_foreground.npy",
}


@dataclass(frozen=True)
class StoredCase:
    """One preprocessed case; get it from `CaseStore.open`.

    Safe to share between threads.

    Parameters
    ----------
    folder : Path
        Where its files are.
    case_id : str
        The case.
    raw : mapping
        What CASE.json holds.
    """

    folder: Path
    case_id: str
    raw: Mapping[str, Any]

    def path(self, part: str) -> Path:
        """Return a file: ``"image"``, ``"annotation"`` or ``"foreground"``."""
        return self.folder / FILES[part].format(self.case_id)

    @property
    def shape(self) -> tuple[int, ...]:
        """Spatial shape S."""
        return tuple(self.raw["shape"][1:])

    @property
    def channels(self) -> int:
        """Number of channels, C."""
        return int(self.raw["shape"][0])

    @property
    def properties(self) -> Mapping[str, Any]:
        """What was given to `CaseStore.write`."""
        return dict(self.raw["properties"])

    @property
    def classes(self) -> tuple[str, ...]:
        """Names for which `foreground` has indices, perhaps none at all."""
        return tuple(self.raw["foreground"])

    @cached_property
    def image(self) -> Any:
        """The image, a blosc2 array of shape (C, *S): slice it."""
        return self._array("image", tuple(self.raw["shape"]))

    @cached_property
    def annotation(self) -> Any:
        """The annotation, a blosc2 array of shape S: slice it."""
        return self._array("annotation", self.shape)

    @cached_property
    def points(self) -> Points | None:
        """The annotation if it is points; then there is no `annotation`."""
        raw = self.raw.get("points")
        if raw is None:
            return None
        return Points.from_stored(raw, self.shape)

    @cached_property
    def shares(self) -> Shares | None:
        """What the values of voxels mean that several objects share, if there are."""
        raw = self.raw.get("shares")
        return None if raw is None else Shares.from_json(raw)

    def foreground(self, name: str) -> NDArray[np.unsignedinteger]:
        """Return the sorted linear indices of a class, from a memory map.

        Raises
        ------
        DatasetError
            If the case knows no such class.
        """
        if name not in self.raw["foreground"]:
            raise DatasetError(
                f"preprocessed case {self.case_id} has no indices of {name!r}, only of "
                f"{', '.join(self.classes)}. {REDO}"
            )
        start, end = self.raw["foreground"][name]
        return self._places[start:end]

    def foreground_count(self, name: str) -> int:
        """Return how many indices `foreground` has, without opening a file."""
        start, end = self.raw["foreground"].get(name, (0, 0))
        return int(end - start)

    @cached_property
    def _places(self) -> NDArray[np.unsignedinteger]:
        count = max((end for _, end in self.raw["foreground"].values()), default=0)
        if not count:
            return np.zeros(0, np.uint32)  # an empty file cannot be mapped
        try:
            places = np.load(self.path("foreground"), mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise self._damaged("foreground", repr(error)) from None
        if places.shape != (count,):
            raise self._damaged("foreground", f"it holds {places.shape} indices")
        return np.asarray(places)

    def _array(self, part: str, shape: tuple[int, ...]) -> Any:
        import blosc2

        try:
            array = blosc2.open(
                str(self.path(part)),
                mode="r",
                mmap_mode=None if os.name == "nt" else "r",
                dparams=blosc2.DParams(nthreads=1),
            )
            found = tuple(array.shape), np.dtype(array.dtype).name
        except (OSError, RuntimeError, ValueError, AttributeError) as error:
            raise self._damaged(part, repr(error)) from None
        if found != (shape, self.raw[f"{part}_dtype"]):
            raise self._damaged(part, f"it holds shape {found[0]}, {found[1]}")
        return array

    def _damaged(self, part: str, why: str) -> DatasetError:
        return DatasetError(
            f"preprocessed case {self.case_id}: {self.path(part)} is damaged ({why}). "
            f"Delete {self.folder / self.case_id}.json and run `autoseg preprocess` "
            "again."
        )
