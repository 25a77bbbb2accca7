"""What a kind of file of points is, and what it says."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from autoseg.errors import FormatError
from autoseg.pointfiles.convention import Convention
from autoseg.spec.image import Geometry
from autoseg.spec.points import Points

Rows = Mapping[str, tuple[Sequence[float] | None, int | None]]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What a file says about one case.

    Parameters
    ----------
    case : str or None
        Its id; None: the file is of one case, which its name tells.
    points : mapping of str to (sequence of float or None, int or None)
        By name, or by number as text where the file names nothing (``"1"``, ``"2"``, in
        the order of the landmarks): coordinates as in the file, and status. Status None
        is present with coordinates, and left out without.
    stated : Convention or None
        What the file itself says about its coordinates; it wins over dataset.json.
    details : mapping of str to mapping
        By landmark: what a prediction says beside, such as ``{"score": 0.9}``.
    in_order : bool
        The file names nothing, so it must have as many points as there are landmarks.
    shape : tuple of int or None
        Rows and columns of the picture, if the file says them.
    """

    case: str | None
    points: Rows
    stated: Convention | None = None
    details: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    in_order: bool = False
    shape: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Item:
    """One case to write.

    Parameters
    ----------
    case : str
        Its id.
    points : Points
        In index space.
    geometry : Geometry or None
        Of the image.
    image : str or None
        Name of the image's file, for files that refer to it; by default the id.
    """

    case: str
    points: Points
    geometry: Geometry | None = None
    image: str | None = None


class PointFile(ABC):
    """Reads, and if it can writes, one kind of file of points.

    Attributes
    ----------
    endings : tuple of str
        In lower case, with the dot; the longest that fits a file wins.
    convention : Convention
        What its numbers mean where neither the file nor dataset.json says.
    written_ending : str or None
        With which ending it is written; None: it is read only.
    holds_many : bool
        Whether one file can hold several cases.
    is_sure : bool
        Whether `claims` finds marks that nothing but such a file has.
    is_map : bool
        Its files are label maps, with a grid of their own; `of_map` reads one.
    """

    endings: ClassVar[tuple[str, ...]]
    convention: ClassVar[Convention] = Convention()
    written_ending: ClassVar[str | None] = None
    holds_many: ClassVar[bool] = False
    is_sure: ClassVar[bool] = False
    is_map: ClassVar[bool] = False

    def claims(self, path: Path) -> bool:
        """Say whether a file of these endings is of this kind, by its content."""
        return True

    @abstractmethod
    def parse(self, path: Path, count: int | None = None) -> list[Entry]:
        """Return what the file says, or raise FormatError without the path.

        ``count`` is the number of landmarks, if it is known.
        """

    def of_map(self, labels: NDArray[Any]) -> Entry:
        """Return what a label map (*S) says, or raise FormatError without the path."""
        raise FormatError(f"{type(self).__name__} is no kind of label map.")

    def text(self, items: Sequence[Item]) -> str:
        """Return the content of a file of these cases."""
        raise FormatError(f"points cannot be written as {type(self).__name__}.")
