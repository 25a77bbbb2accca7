"""From the classes that a file names to those of dataset.json."""

from __future__ import annotations

from collections.abc import Mapping

from autoseg.instancefiles.readers._kind import Content, Drawn, Picture, Remark

IGNORE = "ignore"  # the class of what nobody annotated


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
        objects = sorted(n for n, name in labels.items() if name != IGNORE)
        self.ignored = [n for n, name in labels.items() if name == IGNORE]
        self._in_order = [*objects, *self.ignored]
        named = [n for n in content.names if n is None or _plain(n) != IGNORE]
        strange = [name for name in named if name and not self._known(name)]
        # One class here, one there: no two can be exchanged.
        alone = len(objects) == len(named) == 1 and strange
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
            raise ValueError(
                f"objects without a class: the class {kind} has no name in the file"
            )
        if self._known(name):
            return self._numbers[_plain(name)]
        if self.only is not None:
            return self._in_order[0]
        number = f"{kind} " if isinstance(kind, int) else ""
        raise ValueError(f"the class {number}{name!r}")

    def ignores(self, picture: Picture, drawn: Drawn) -> bool:
        """Return whether an object says where nobody annotated, and is none."""
        if not self.ignored:
            return False
        try:
            return self.of(picture, drawn) in self.ignored
        except ValueError:
            return False

    def _known(self, name: str) -> bool:
        return _plain(name) in self._numbers

    def _by_number(self, picture: Picture, kind: int) -> int:
        if not picture.in_order:
            return kind
        numbers = self._in_order
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
                f"{self.labels[self._in_order[0]]!r}: taken as the same.",
                fix="Give both one name, if they are.",
            )
        ]


def described(labels: Mapping[int, str]) -> str:
    """Return the classes of dataset.json for a message."""
    return ", ".join(f"{number} ({name})" for number, name in labels.items())


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())
