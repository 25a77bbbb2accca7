"""NumPy arrays of points."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from autoseg.errors import FormatError
from autoseg.pointfiles import POINTFILES
from autoseg.pointfiles.base import Entry, PointFile, in_order


@POINTFILES.register
class NumpyPoints(PointFile):
    """An array (L, 2) or (L, 3) in the order of the landmarks, of x, y, z.

    NaN, or -1 throughout, is missing. Arrays that need pickle are refused.
    """

    endings: ClassVar[tuple[str, ...]] = (".npy",)

    def parse(self, path: Path, count: int | None = None) -> list[Entry]:
        try:
            array = np.load(path, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise FormatError(f"it cannot be read ({error}).") from None
        if (
            array.ndim != 2
            or array.shape[1] not in (2, 3)
            or array.dtype.kind not in "fiu"
        ):
            raise FormatError(
                f"it holds {array.dtype} of shape {array.shape}; it must be numbers of "
                "shape (landmarks, 2 or 3)."
            )
        return [in_order(None, array.tolist())]
