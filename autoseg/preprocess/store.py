"""Preprocessed cases on disk, stored so that a patch is read in a few milliseconds.

A case is a few files::

    CASE.b2nd              image, float16 or float32, shape (C, *S)
    CASE_annotation.b2nd   annotation in the task's inner form, shape S; points are in
                           CASE.json instead
    CASE_foreground.npy    where classes are, linear indices into S, class after class
    CASE.json              everything else; written last, so that it marks completeness

Arrays are contiguous blosc2 frames that are read through a memory map: a patch costs
the decompression of the blocks that it touches and nothing more.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import DatasetError, UsageError
from autoseg.preprocess.packing import PRECISIONS, layout, reduced, smallest
from autoseg.spec.annotation import Annotation, as_annotation
from autoseg.spec.json import write_text
from autoseg.spec.points import Points

SCHEMA = 1
INTERRUPTED_SECONDS = 3600.0

ANNOTATION = "_annotation"  # behind a case's id, in the name of a file

_REDO = "Run `autoseg preprocess` again to have the case redone."


@dataclass(frozen=True)
class CaseStore:
    """A folder of preprocessed cases.

    Parameters
    ----------
    folder : Path
        The folder; made when the first case is written.
    patch_size : tuple of int, length D, optional
        The patches that will mostly be read; chunks are made to suit them.
    precision : str
        ``"float16"``, ``"float32"``, or ``"auto"``: float16 unless a value is larger
        than 2048.
    """

    folder: Path
    patch_size: tuple[int, ...] | None = None
    precision: str = "auto"

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise UsageError(
                f"precision {self.precision!r} is none of {', '.join(PRECISIONS)}."
            )

    def ids(self) -> tuple[str, ...]:
        """Return the ids of all complete cases, sorted."""
        return tuple(sorted(path.stem for path in self.folder.glob("[!.]*.json")))

    def __contains__(self, case_id: object) -> bool:
        return (self.folder / f"{case_id}.json").is_file()

    def write(
        self,
        case_id: str,
        image: NDArray[np.float32],
        annotation: NDArray[np.integer] | Annotation,
        foreground: Mapping[str, NDArray[np.unsignedinteger]],
        properties: Mapping[str, Any],
    ) -> None:
        """Write one case; an interrupted write leaves no case.

        Parameters
        ----------
        case_id : str
            The case.
        image : ndarray of float, shape (C, *S)
            Preprocessed image.
        annotation : ndarray of int, shape S, or Annotation
            What the task stores of an annotation, on the same grid.
        foreground : mapping of str to ndarray of unsigned int
            Sorted linear indices into S, by class.
        properties : mapping of str to JSON value
            Comes back as `StoredCase.properties`.

        Raises
        ------
        DatasetError
            If image and annotation differ in shape, or a value is not finite.
        """
        kept = as_annotation(annotation)
        if image.shape[1:] != kept.shape:
            raise DatasetError(
                f"case {case_id}: the image has shape {image.shape[1:]} and the "
                f"annotation {kept.shape}; they must be equal."
            )
        stored = reduced(image, self.precision, case_id)
        self.folder.mkdir(parents=True, exist_ok=True)
        description = self.folder / f"{case_id}.json"
        description.unlink(missing_ok=True)
        dim = stored.ndim - 1
        sizes = {
            "image": self._write_array(f"{case_id}.b2nd", stored, dim),
            "foreground": self._write_indices(case_id, foreground),
        }
        said = kept.to_stored()
        if kept.map is not None:
            labels = smallest(kept.map)
            name = f"{case_id}{ANNOTATION}.b2nd"
            sizes["annotation"] = self._write_array(name, labels, dim)
            said["annotation_dtype"] = labels.dtype.name
        ends = np.cumsum([0, *(len(places) for places in foreground.values())]).tolist()
        written = {
            "schema": SCHEMA,
            "shape": stored.shape,
            "image_dtype": stored.dtype.name,
            **said,
            "bytes": sizes,
            "foreground": {
                name: [ends[i], ends[i + 1]] for i, name in enumerate(foreground)
            },
            "properties": properties,
        }
        # Plain JSON: indenting it would take as long as packing a small image.
        write_text(description, json.dumps(written))

    def open(self, case_id: str) -> StoredCase:
        """Open one case for reading.

        Parameters
        ----------
        case_id : str
            The case.

        Returns
        -------
        StoredCase
            Its arrays are opened when they are first used.

        Raises
        ------
        DatasetError
            If the case is missing, incomplete or damaged.
        """
        path = self.folder / f"{case_id}.json"
        where = f"preprocessed case {case_id} ({path})"
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            case = StoredCase(folder=self.folder, case_id=case_id, raw=raw)
            expected = {case.path(part): n for part, n in raw["bytes"].items()}
            if raw["schema"] != SCHEMA:
                raise DatasetError(f"{where} has schema {raw['schema']}. {_REDO}")
        except FileNotFoundError:
            raise DatasetError(
                f"{where} is not there. Run `autoseg preprocess` first."
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DatasetError(f"{where} cannot be read ({error!r}). {_REDO}") from None
        for file, size in expected.items():
            found = file.stat().st_size if file.is_file() else None
            if found != size:
                state = "is missing" if found is None else f"has {found} bytes"
                raise DatasetError(
                    f"preprocessed case {case_id}: {file} {state} where {size} bytes "
                    f"were written. Delete {path} and run `autoseg preprocess` again."
                )
        return case

    def remove(self, case_id: str) -> None:
        """Remove a case's files, its description first."""
        case = StoredCase(folder=self.folder, case_id=case_id, raw={})
        (self.folder / f"{case_id}.json").unlink(missing_ok=True)
        for part in _FILES:
            case.path(part).unlink(missing_ok=True)

    def clear_interrupted(self, case_ids: Collection[str] = ()) -> None:
        """Remove what interrupted writes have left.

        Parameters
        ----------
        case_ids : collection of str
            Cases that nobody else is writing. What is left of others is removed when
            it is an hour old: another machine may be at work on them.
        """
        endings = [_FILES[part].format("") for part in _FILES] + [".json"]
        mine = {f"{case_id}{ending}" for case_id in case_ids for ending in endings}
        for path in self.folder.glob(".*.tmp"):
            name = path.name[1:].rsplit(".", 2)[0]  # .NAME.PROCESS.tmp
            with contextlib.suppress(FileNotFoundError):
                age = time.time() - path.stat().st_mtime
                if name in mine or age > INTERRUPTED_SECONDS:
                    path.unlink()

    def _write_array(self, name: str, array: NDArray[Any], dim: int) -> int:
        """Write an array whose last ``dim`` axes are spatial; return its bytes."""
        import blosc2

        lead = array.ndim - dim
        chunks, blocks = layout(array.shape[lead:], array.itemsize, self.patch_size)
        integer = array.dtype.kind in "iu"
        settings = blosc2.CParams(
            # Images: LZ4 reads four times as fast as zstd and is 15 % larger.
            codec=blosc2.Codec.ZSTD if integer else blosc2.Codec.LZ4,
            clevel=3 if integer else 5,
            nthreads=1,
            filters=[blosc2.Filter.SHUFFLE],
        )
        packed = blosc2.asarray(
            np.ascontiguousarray(array),
            chunks=(1,) * lead + chunks,
            blocks=(1,) * lead + blocks,
            cparams=settings,
            contiguous=True,
        ).to_cframe()
        return _write_bytes(self.folder / name, [packed])

    def _write_indices(
        self, case_id: str, foreground: Mapping[str, NDArray[np.unsignedinteger]]
    ) -> int:
        parts = [np.asarray(places) for places in foreground.values()]
        wide = any(part.dtype.itemsize > 4 for part in parts)
        together = np.concatenate(
            [np.zeros(0, np.uint32), *parts], dtype=np.uint64 if wide else np.uint32
        )
        path = self.folder / f"{case_id}_foreground.npy"
        temporary = _temporary(path)
        try:
            with temporary.open("wb") as file:
                np.save(file, together, allow_pickle=False)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        return path.stat().st_size


_FILES = {
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
        return self.folder / _FILES[part].format(self.case_id)

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
                f"{', '.join(self.classes)}. {_REDO}"
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


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _write_bytes(path: Path, parts: Sequence[bytes]) -> int:
    """Write a file so that it is either complete or not there; return its size."""
    temporary = _temporary(path)
    try:
        with temporary.open("wb") as file:
            for part in parts:
                file.write(part)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return sum(map(len, parts))
