"""The interface of files with structures: segmentations and contours."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from autoseg.spec.image import Geometry

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Structure:
    """A segment or a region of interest.

    Parameters
    ----------
    number : int
        In its file.
    name : str
        What it is called.
    also : tuple of str
        Other names: of its codes.
    """

    number: int
    name: str
    also: tuple[str, ...] = ()


class Drawing(ABC):
    """One file with structures.

    Attributes
    ----------
    where : str
        The file, for messages.
    structures : list of Structure
        In the order of the file.
    series, frame_of_reference : str
        What it says that it was drawn on; empty if it does not say.
    """

    where: str
    structures: list[Structure]
    series: str
    frame_of_reference: str

    @abstractmethod
    def grid(self) -> Geometry | None:
        """Return a grid that holds all structures; None if only an image has one."""

    @abstractmethod
    def voxels(
        self, number: int, geometry: Geometry
    ) -> Iterator[tuple[tuple[Array, ...], bool]]:
        """Yield places (z, y, x) of a structure on a grid, also beside it.

        The second says whether they are turned rather than set: holes are.
        """
