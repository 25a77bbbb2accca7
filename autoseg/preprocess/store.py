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
import itertools
import json
import math
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.atomic import naming_full_disk
from autoseg.datasets.filenames import ANNOTATION
from autoseg.errors import DatasetError, UsageError
from autoseg.geometry.mapped import is_mapped, let_go
from autoseg.preprocess.packing import PRECISIONS, layout, precision_of, smallest
from autoseg.preprocess.stored_case import FILES, REDO, StoredCase
from autoseg.spec.annotation import Annotation, as_annotation
from autoseg.spec.json import write_text

SCHEMA = 1
INTERRUPTED_SECONDS = 3600.0
AT_ONCE = 2**27  # bytes of float32 that are packed at once, of what is in a file


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
        kind = precision_of(image, self.precision, case_id)
        self.folder.mkdir(parents=True, exist_ok=True)
        description = self.folder / f"{case_id}.json"
        description.unlink(missing_ok=True)
        dim = image.ndim - 1
        sizes = {
            "image": self._write_array(f"{case_id}.b2nd", image, kind, dim),
            "foreground": self._write_indices(case_id, foreground),
        }
        said = kept.to_stored()
        if kept.map is not None:
            label_kind = smallest(kept.map)
            name = f"{case_id}{ANNOTATION}.b2nd"
            sizes["annotation"] = self._write_array(name, kept.map, label_kind, dim)
            said["annotation_dtype"] = label_kind.name
        ends = np.cumsum([0, *(len(places) for places in foreground.values())]).tolist()
        written = {
            "schema": SCHEMA,
            "shape": image.shape,
            "image_dtype": kind.name,
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
                raise DatasetError(f"{where} has schema {raw['schema']}. {REDO}")
        except FileNotFoundError:
            raise DatasetError(
                f"{where} is not there. Run `autoseg preprocess` first."
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DatasetError(f"{where} cannot be read ({error!r}). {REDO}") from None
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
        for part in FILES:
            case.path(part).unlink(missing_ok=True)

    def clear_interrupted(self, case_ids: Collection[str] = ()) -> None:
        """Remove what interrupted writes have left.

        Parameters
        ----------
        case_ids : collection of str
            Cases that nobody else is writing. What is left of others is removed when
            it is an hour old: another machine may be at work on them.
        """
        endings = [FILES[part].format("") for part in FILES] + [".json"]
        mine = {f"{case_id}{ending}" for case_id in case_ids for ending in endings}
        for path in self.folder.glob(".*.tmp"):
            name = path.name[1:].rsplit(".", 2)[0]  # .NAME.PROCESS.tmp
            with contextlib.suppress(FileNotFoundError):
                age = time.time() - path.stat().st_mtime
                if name in mine or age > INTERRUPTED_SECONDS:
                    path.unlink()

    def _write_array(self, name: str, array: Any, kind: np.dtype[Any], dim: int) -> int:
        """Write an array whose last ``dim`` axes are spatial; return its bytes."""
        import blosc2

        lead = array.ndim - dim
        chunks, blocks = layout(array.shape[lead:], kind.itemsize, self.patch_size)
        integer = kind.kind in "iu"
        settings = blosc2.CParams(
            # Images: LZ4 reads four times as fast as zstd and is 15 % larger.
            codec=blosc2.Codec.ZSTD if integer else blosc2.Codec.LZ4,
            clevel=3 if integer else 5,
            nthreads=1,
            filters=[blosc2.Filter.SHUFFLE],
        )
        how = {
            "chunks": (1,) * lead + chunks,
            "blocks": (1,) * lead + blocks,
            "cparams": settings,
            "contiguous": True,
        }
        if is_mapped(array):
            return _write_by_chunks(self.folder / name, array, kind, how)
        packed = blosc2.asarray(np.ascontiguousarray(array, kind), **how).to_cframe()
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


def _write_by_chunks(
    path: Path, array: Any, kind: np.dtype[Any], how: Mapping[str, Any]
) -> int:
    """Write an array that is in a file itself, some chunks at a time."""
    import blosc2

    temporary = _temporary(path)
    try:
        temporary.unlink(missing_ok=True)
        with naming_full_disk(temporary, AT_ONCE):
            packed = blosc2.empty(
                array.shape, kind, urlpath=str(temporary), mode="w", **how
            )
            for box in _boxes(array.shape, how["chunks"]):
                packed[box] = np.ascontiguousarray(array[box], kind)
                let_go(array)
        del packed
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path.stat().st_size


def _boxes(shape: Sequence[int], chunks: Sequence[int]) -> Iterator[tuple[slice, ...]]:
    """Yield boxes of whole chunks that cover an array, of bounded size."""
    count = math.prod(chunks)
    edges: list[int] = []
    for size, chunk in zip(reversed(shape), reversed(chunks), strict=True):
        together = max(1, min(-(-size // chunk), AT_ONCE // max(1, 4 * count)))
        edges.insert(0, together * chunk)
        count *= together
    starts = [range(0, size, edge) for size, edge in zip(shape, edges, strict=True)]
    for corner in itertools.product(*starts):
        yield tuple(
            slice(start, min(start + edge, size))
            for start, edge, size in zip(corner, edges, shape, strict=True)
        )
