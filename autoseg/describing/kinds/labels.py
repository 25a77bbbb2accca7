"""Label maps: a name for each value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from autoseg.describing.drawn import Map
from autoseg.describing.kinds import DESCRIBE_KINDS
from autoseg.describing.kinds.base import DescribeKind, Keys, Said, values_of
from autoseg.errors import UsageError, some_of
from autoseg.formats.names import ENDING as SEGMENTS
from autoseg.formats.names import segments_of


@DESCRIBE_KINDS.register
class DescribeLabels(DescribeKind):
    """A class for each value."""

    task = "semantic"

    def of_maps(
        self, maps: Sequence[Map], first: Path, void: int | None, said: Said
    ) -> Keys:
        values = values_of(maps)
        if said.labels is not None:
            return {"labels": _checked(said.labels, values)}
        ignore = said.ignore
        if ignore is None and void is not None:
            question = (
                f"The maps have the value {void} beside smaller ones: is it what "
                "nobody looked at, or (-1) a class?"
            )
            ignore = int(said.ask(question, (str(void), "-1"), "--ignore"))
        return {"labels": _named(values, first, ignore)}


def _checked(labels: Mapping[str, int], values: Sequence[int]) -> dict[str, int]:
    """Return the labels that were given, if they name every value."""
    named = {"background": 0, **labels}
    missing = [value for value in values if value not in named.values()]
    if missing:
        raise UsageError(
            f"--labels leaves out {some_of(missing)}, which the annotations have."
        )
    return named


def _named(values: Sequence[int], first: Path, void: int | None) -> dict[str, int]:
    """Return a name for each value: what the file says, else its number."""
    known: dict[int, str] = {}
    if first.name.lower().endswith(SEGMENTS):
        known = {value: name for name, value in segments_of(first).items()}
    named = {"background": 0}
    classes = [value for value in values if value != void]
    for value in classes:
        plain = "foreground" if len(classes) == 1 else f"class {value}"
        named[known.get(value, plain)] = value
    if void in values:
        named["ignore"] = int(void or 0)
    return named
