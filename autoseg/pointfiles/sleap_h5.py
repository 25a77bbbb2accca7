"""SLEAP's analysis as HDF5.

Needs the package ``h5py`` (``pip install autoseg[sleap]``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from autoseg.errors import FormatError
from autoseg.pointfiles import POINTFILES
from autoseg.pointfiles.base import Entry, PointFile, place_of

SLEAP = "In SLEAP choose File > Export Analysis HDF5 (or CSV), and put that file there."
DEEPLABCUT = (
    "DeepLabCut writes a .csv of the same name beside each .h5 file; put that there."
)


@POINTFILES.register
class SleapHdf5(PointFile):
    """``tracks`` (tracks, x and y, nodes, frames) and ``node_names``.

    Frames without points are left out. A file of several frames names them as its
    cases by number; of one frame, it is of the case that its own name tells.
    """

    endings: ClassVar[tuple[str, ...]] = (".h5", ".hdf5", ".slp")
    holds_many = True

    def parse(self, path: Path, count: int | None = None) -> list[Entry]:
        try:
            import h5py
        except ImportError:
            raise FormatError(
                "HDF5 needs the package h5py: pip install h5py. Or give the analysis "
                "as CSV."
            ) from None
        try:
            with h5py.File(path, "r") as file:
                if "tracks" not in file or "node_names" not in file:
                    raise FormatError(_other(path, set(file)))
                tracks = np.asarray(file["tracks"], dtype=float)
                names = [_text(name) for name in np.asarray(file["node_names"])]
        except (OSError, ValueError, TypeError) as error:
            raise FormatError(f"it is no HDF5 file of use ({error}).") from None
        if tracks.ndim != 4 or tracks.shape[1:3] != (2, len(names)):
            raise FormatError(
                f"its `tracks` have the shape {tracks.shape}, not (tracks, 2, "
                f"{len(names)}, frames). {SLEAP}"
            )
        return _entries(tracks, names)


def _other(path: Path, keys: set[str]) -> str:
    """Return what to do with a file of another kind."""
    if keys & {"df_with_missing", "keypoints"}:
        return f"it is a table of pandas, as DeepLabCut writes it. {DEEPLABCUT}"
    return f"it has no `tracks`. {SLEAP}"


def _text(name: Any) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)


def _entries(tracks: np.ndarray, names: list[str]) -> list[Entry]:
    there = np.isfinite(tracks).all(axis=1).any(axis=1)  # (tracks, frames)
    frames = np.flatnonzero(there.any(axis=0)).tolist()
    entries = []
    for frame in frames:
        own = np.flatnonzero(there[:, frame])
        if len(own) > 1:
            raise FormatError(
                f"frame {frame} has {len(own)} instances; a landmark task has one set "
                "of points in each image."
            )
        places = tracks[own[0], :, :, frame].T.tolist()
        points = {n: (place_of(p), None) for n, p in zip(names, places, strict=True)}
        case = str(frame) if len(frames) > 1 else None
        entries.append(Entry(case=case, points=points))
    return entries
