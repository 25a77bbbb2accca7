"""Names that 3D Slicer gives to the values of label maps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from autoseg.errors import AutosegError, amount, some_of
from autoseg.fingerprint.check.problem import Problem
from autoseg.formats.names import segments_of
from autoseg.spec.dataset import Dataset

GENERIC = re.compile(r"(segment|label)?[\s_-]*\d*", re.IGNORECASE)  # nobody's names
SHOWN = 3  # files in a message


def segments_in(path: Path) -> Mapping[str, int]:
    """Return the names of a NRRD file's segments, with their values."""
    try:
        return segments_of(path)
    except (AutosegError, OSError):
        return {}  # whoever reads its voxels says why


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
        What `segments_in` gave for each annotation.
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
                "Values count, names do not: export the segments in one order.",
            )


def segment_problems(
    path: Path,
    labels: Mapping[str, Sequence[int]],
    segments: Mapping[str, int] | None = None,
) -> Iterator[Problem]:
    """Yield in what the names in a NRRD file of segments contradict dataset.json.

    Parameters
    ----------
    path : Path
        A file of 3D Slicer's, or any other NRRD.
    labels : mapping of str to sequence of int
        Values of each label.
    segments : mapping of str to int, optional
        What `segments_in` gave for it.
    """
    segments = segments_in(path) if segments is None else segments
    known = {_plain(name): name for name in labels}
    names = {v: n for n, values in labels.items() for v in values if len(values) == 1}
    for segment, value in segments.items():
        ours = known.get(_plain(segment))
        if ours is not None and value not in labels[ours]:
            meant = " and ".join(map(str, labels[ours]))
            found = f"It calls the value {value} {segment!r}; in dataset.json {ours!r} "
            found += f"is {meant}."
        elif ours is None and value in names and not GENERIC.fullmatch(segment):
            found = f"It calls the value {value} {segment!r}; dataset.json calls it "
            found += f"{names[value]!r}."
        else:
            continue
        yield Problem(
            "warning",
            path,
            found,
            "Values count, names do not: correct `labels`, or export the segments in "
            "the order of the values.",
        )


def _plain(name: str) -> str:
    return " ".join(re.split(r"[\s_-]+", name.casefold())).strip()
