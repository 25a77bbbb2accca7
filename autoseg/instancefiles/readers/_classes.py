"""From the classes that a file names to those of dataset.json."""

from __future__ import annotations

from collections.abc import Mapping

from autoseg.instancefiles.readers._kind import Content, Drawn, Picture, Remark


class Classes:
    """Which class of dataset.json each object of a file is of.

    Names decide where the file has any: numbers of classes differ from file to file.

    Parameters
    ----------
    content : Content
        What the file says.
    labels : mapping of int to str
        Names of the classes by number, as dataset.json has them.
    """

    def __init__(self, content: Content, labels: Mapping[int, str]) -> None:
        self.labels = labels
        self._numbers = {_plain(name): number for number, name in labels.items()}
        strange = [name for name in content.names if name and not self._known(name)]
        # One class here, one there: no two can be exchanged.
        alone = len(labels) == len(content.names) == 1 and strange
        self.only = strange[0] if alone else None

    def of(self, picture: Picture, drawn: Drawn) -> int | None:
        """Return the number of an object's class.

        Parameters
        ----------
        picture : Picture
            Whose it is.
        drawn : Drawn
            The object.

        Returns
        -------
        int or None
            None: the file does not say.

        Raises
        ------
        ValueError
            If dataset.json has no such class; says what the file calls it.
        """
        kind = drawn.kind
        if kind is None:
            return None
        name = picture.name_of(kind)
        if name is None:
            return self._by_number(picture, int(kind))
        if not name:
            raise ValueError(f"the class {kind} has no name in the file")
        if self._known(name):
            return self._numbers[_plain(name)]
        if self.only is not None:
            return next(iter(self.labels))
        number = f"{kind} " if isinstance(kind, int) else ""
        raise ValueError(f"the class {number}{name!r}")

    def _known(self, name: str) -> bool:
        return _plain(name) in self._numbers

    def _by_number(self, picture: Picture, kind: int) -> int:
        if not picture.in_order:
            return kind
        numbers = sorted(self.labels)
        if not 0 <= kind < len(numbers):
            raise ValueError(f"the class {kind}, counted from 0")
        return numbers[kind]

    def remarks(self) -> list[Remark]:
        """Return what `check` says of the names."""
        if self.only is None:
            return []
        return [
            Remark(
                found=f"It calls its objects {self.only!r}, dataset.json "
                f"{next(iter(self.labels.values()))!r}: taken as the same.",
                fix="Give both one name, if they are.",
            )
        ]


def described(labels: Mapping[int, str]) -> str:
    """Return the classes of dataset.json for a message."""
    return ", ".join(f"{number} ({name})" for number, name in labels.items())


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())
