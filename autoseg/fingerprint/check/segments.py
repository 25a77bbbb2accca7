"""Names that 3D Slicer gives to the values of label maps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from autoseg.datasets.series.segments import GENERIC, Known, named_values
from autoseg.dicom.annotation import plain
from autoseg.errors import AutosegError, amount, some_of
from autoseg.fingerprint.check.problem import Problem
from autoseg.formats.names import Segment, read_segments
from autoseg.spec.dataset import Dataset

SHOWN = 3  # files in a message


def segments_in(path: Path) -> tuple[Segment, ...]:
    """Return the segments of a NRRD file."""
    try:
        return read_segments(path)
    except (AutosegError, OSError):
        return ()  # whoever reads its voxels says why


def disputed_names(
    dataset: Dataset,
    labels: Mapping[str, Sequence[int]],
    segments: Mapping[Path, Mapping[str, int]],
) -> Iterator[Problem]:
    """Yield names that dataset.json does not know, and files give to several values.

    Parameters
    ----------
    dataset : Dataset
        The data set.
    labels : mapping of str to sequence of int
        Values of each label; their names are compared with dataset.json elsewhere.
    segments : mapping of Path to mapping of str to int
        Their values by name, for each annotation that is read by its values.
    """
    known = {_plain(name) for name in labels}
    files: dict[str, dict[int, list[str]]] = {}
    for path in sorted(segments):
        for name, value in segments[path].items():
            if _plain(name) not in known and not GENERIC.fullmatch(name):
                said = files.setdefault(_plain(name), {})
                said.setdefault(value, []).append(path.name)
    for name, said in files.items():
        if len(said) > 1:
            listed = " and ".join(
                f"{value} in {amount(len(names), 'file')} ({some_of(names, SHOWN)})"
                for value, names in sorted(said.items())
            )
            yield Problem(
                "warning",
                dataset.folder / "labelsTr",
                f"The segment {name!r} has the value {listed}.",
                "No label is called so, and values count: export the segments in one "
                "order, or call a label so.",
            )


def segment_problems(
    path: Path,
    labels: Mapping[str, Sequence[int]],
    segments: Sequence[Segment] | None = None,
    known: Known | None = None,
) -> Iterator[Problem]:
    """Yield in what the names in a NRRD file of segments contradict dataset.json.

    Parameters
    ----------
    path : Path
        A file of 3D Slicer's, or any other NRRD.
    labels : mapping of str to sequence of int
        Values of each label.
    segments : sequence of Segment, optional
        What `segments_in` gave for it.
    known : Known, optional
        By what names labels are known; by default by their own.
    """
    segments = segments_in(path) if segments is None else segments
    if known is None:
        own = {plain(name): frozenset(values) for name, values in labels.items()}
        known = Known(own, {})
    by_name = named_values(segments, known) is not None
    names = {v: n for n, values in labels.items() for v in values if len(values) == 1}
    for segment in segments:
        meant, value = known.of(segment), segment.value
        if meant is not None and value not in meant:
            ours = next((n for n, v in labels.items() if set(v) == meant), segment.name)
            found = f"It calls the value {value} {segment.name!r}; in dataset.json "
            found += f"{ours!r} is {' and '.join(map(str, sorted(meant)))}."
            yield Problem("note", path, found, "It is read by its names.")
        elif by_name or meant is not None or GENERIC.fullmatch(segment.name):
            continue
        elif value in names:
            found = f"It calls the value {value} {segment.name!r}; dataset.json calls "
            found += f"it {names[value]!r}."
            fix = (
                "No label is called so, and the value counts: correct `labels`, or say "
                f'"dicom": {{"segments": {{"{segment.name}": "..."}}}} which is meant.'
            )
            yield Problem("warning", path, found, fix)


def _plain(name: str) -> str:
    return " ".join(re.split(r"[\s_-]+", name.casefold())).strip()
