"""Label maps: a name for each value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from autoseg.datasets.series.segments import GENERIC
from autoseg.describing.drawn import Map
from autoseg.describing.kinds import DESCRIBE_KINDS
from autoseg.describing.kinds.base import DescribeKind, Keys, Said, values_of
from autoseg.dicom.annotation import plain
from autoseg.errors import UsageError, some_of
from autoseg.formats.names import Segment


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
        segments = _segments_of(maps)
        labels = _named(values, segments, ignore)
        return {"labels": labels, **_looks(segments, labels)}


def _checked(labels: Mapping[str, int], values: Sequence[int]) -> dict[str, int]:
    """Return the labels that were given, if they name every value."""
    named = {"background": 0, **labels}
    missing = [value for value in values if value not in named.values()]
    if missing:
        raise UsageError(
            f"--labels leaves out {some_of(missing)}, which the annotations have."
        )
    return named


def _segments_of(maps: Sequence[Map]) -> dict[int, Segment]:
    """Return the segments that files of 3D Slicer's name, by the value of their label.

    That is their value in the files, unless files give a name several values, or a
    value several names: then names are numbered, since such files are read by them.
    """
    there = [
        (one, seg) for one in maps for seg in one.segments if seg.value in one.values
    ]
    first: dict[str, Segment] = {}
    pairs = set()
    for _, segment in there:
        first.setdefault(plain(segment.name), segment)
        pairs.add((plain(segment.name), segment.value))
    whole = all(set(one.values) <= {s.value for s in one.segments} for one in maps)
    numbered = {value for _, value in pairs}
    generic = any(GENERIC.fullmatch(segment.name) for segment in first.values())
    if len(pairs) == len(first) == len(numbered) or not whole or generic:
        return {segment.value: segment for _, segment in reversed(there)}
    return dict(enumerate(first.values(), 1))


def _named(
    values: Sequence[int], segments: Mapping[int, Segment], void: int | None
) -> dict[str, int]:
    """Return a name for each value: what the files say, else its number."""
    named = {"background": 0}
    classes = [value for value in values if value != void]
    classes += [value for value in segments if value not in values]
    for value in classes:
        plain_name = "foreground" if len(classes) == 1 else f"class {value}"
        name = segments[value].name if value in segments else plain_name
        named[name] = value
    if void in values:
        named["ignore"] = int(void or 0)
    return named


def _looks(segments: Mapping[int, Segment], labels: Mapping[str, int]) -> Keys:
    """Return colors and codes of the classes that files name."""
    called = {name: segments[v].look for name, v in labels.items() if v in segments}
    coded = {name: look for name, look in called.items() if look.kind or look.region}
    keys: Keys = {}
    if called:
        keys["colors"] = {name: look.hex for name, look in called.items()}
    if coded:
        parts = {"type": "kind", "category": "category", "region": "region"}
        keys["codes"] = {
            name: {
                key: list(code)
                for key, of in parts.items()
                if (code := getattr(look, of))
            }
            for name, look in coded.items()
        }
    return keys
