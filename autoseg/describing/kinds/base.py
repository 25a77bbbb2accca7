"""The interface of how annotations of one kind are described."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from autoseg.describing.drawn import Map

Ask = Callable[[str, Sequence[str], str], str]
Keys = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Said:
    """What the user says.

    Parameters
    ----------
    labels : mapping of str to int or None
        Names of classes with their values.
    ignore : int or None
        The value of what nobody looked at; -1: none has that meaning.
    ask : callable
        Called with a question, answers and the option that says the same.
    """

    labels: Mapping[str, int] | None
    ignore: int | None
    ask: Ask


class DescribeKind(ABC):
    """What keys of dataset.json annotations of a kind have.

    Attributes
    ----------
    task : str
        Which task they are of.
    """

    task: ClassVar[str]

    def of_files(self, files: Sequence[Path], said: Said) -> tuple[str, Keys] | None:
        """Describe files that are no images; None if they are of another kind.

        Parameters
        ----------
        files : sequence of Path
            All of one sort.
        said : Said
            What the user says.

        Returns
        -------
        (str, dict) or None
            What was seen, and keys of dataset.json.

        Raises
        ------
        FormatError
            If one cannot be read so; says why.
        """
        return None

    def of_folders(self, said: Said) -> tuple[str, Keys] | None:
        """Describe folders of masks; None if they are of another kind."""
        return None

    @abstractmethod
    def of_maps(
        self, maps: Sequence[Map], first: Path, void: int | None, said: Said
    ) -> Keys:
        """Describe maps that were found, or said, to be of this kind.

        Parameters
        ----------
        maps : sequence of Map
            Of all cases.
        first : Path
            One of their files.
        void : int or None
            A value that may stand for what nobody looked at.
        said : Said
            What the user says.

        Returns
        -------
        dict
            Keys of dataset.json.
        """


def values_of(maps: Sequence[Map]) -> list[int]:
    """Return all values of maps but 0, sorted."""
    return sorted({value for one in maps for value in one.values})
