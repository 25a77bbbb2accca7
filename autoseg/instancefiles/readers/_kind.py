"""What a file of objects is, and what it says.

Letters: H and W rows and columns of a picture.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Places = tuple[NDArray[np.intp], ...]


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One object, or of a volume what one plane shows of it.

    Parameters
    ----------
    name : str
        What messages call it, such as ``"annotation 17"``.
    draw : callable
        From (H, W) to its rows and columns; raises ValueError that says what is wrong.
        Its pixels begin at whole numbers: the first one covers 0 to 1.
    kind : int, str or None
        Number or name of its class as the file has it; None: the file does not say.
    plane : int or None
        Which plane of a volume, from 0; None: the file has no planes.
    part_of : str or None
        What it shares with the other parts of one object; None: it is alone.
    crowd : bool
        It is many objects that nobody drew one by one.
    brushed : bool
        It is a mask, not an outline: CVAT's brush calls each of its objects a crowd.
    mark : str
        ``"point"`` or ``"box"``: it says where an object is, and is no outline of it;
        empty: it is one.
    """

    name: str
    draw: Callable[[tuple[int, int]], Places]
    kind: int | str | None = None
    plane: int | None = None
    part_of: str | None = None
    crowd: bool = False
    brushed: bool = False
    mark: str = ""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What a file says about one picture.

    Parameters
    ----------
    case : str or None
        Its id; None: the file is of one case, which its name tells.
    objects : sequence of Drawn
        In the order of the file.
    shape : tuple of int or None
        (H, W), if the file says it.
    called : str
        The picture's name in the file.
    kinds : mapping of int to str
        Names that the file gives to numbers of classes; empty if it names none.
    in_order : bool
        Numbers of classes count from 0 in the order of `labels`.
    fault : str
        Why nobody can tell which objects are this picture's; empty if one can.
    """

    case: str | None
    objects: Sequence[Drawn]
    shape: tuple[int, int] | None = None
    called: str = ""
    kinds: Mapping[int, str] = field(default_factory=dict)
    in_order: bool = False
    fault: str = ""

    def name_of(self, kind: int | str) -> str | None:
        """Return the name of a class; empty if it has none, None if no class has."""
        if isinstance(kind, str):
            return kind
        return self.kinds.get(kind, "") if self.kinds else None


@dataclass(frozen=True, kw_only=True)
class Remark:
    """Something odd about a file as a whole.

    Parameters
    ----------
    found : str
        A sentence.
    fix : str
        What to do, a sentence.
    """

    found: str
    fix: str


@dataclass(frozen=True, kw_only=True)
class Content:
    """Everything that a file says.

    Parameters
    ----------
    pictures : sequence of Picture
        One, or several for kinds that hold many.
    remarks : sequence of Remark
        What `check` says about the file.
    """

    pictures: Sequence[Picture]
    remarks: Sequence[Remark] = ()

    @functools.cached_property
    def names(self) -> frozenset[str | None]:
        """Names of the classes that objects have; None: there are numbers only."""
        kinds = {
            (id(one), drawn.kind): one.name_of(drawn.kind)
            for one in self.pictures
            for drawn in one.objects
            if drawn.kind is not None
        }
        return frozenset(kinds.values())


class InstanceFile(ABC):
    """Reads one kind of file of objects.

    Attributes
    ----------
    endings : tuple of str
        In lower case, with the dot; the longest that fits a file wins.
    holds_many : bool
        Whether one file can hold several pictures.
    """

    endings: ClassVar[tuple[str, ...]]
    holds_many: ClassVar[bool] = False

    def claims(self, path: Path) -> bool:
        """Say whether a file of these endings is of this kind, by its content."""
        return True

    def beside(self, path: Path) -> list[Path]:
        """Return other files that say something about it, such as names of classes."""
        return []

    @abstractmethod
    def parse(self, path: Path) -> Content:
        """Return what the file says, or raise FormatError without the path."""


def text_of(value: Any) -> str | None:
    """Return a text of a JSON file, None if it is none or empty."""
    return value.strip() or None if isinstance(value, str) else None
