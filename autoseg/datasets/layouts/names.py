"""Names of BIDS (bids-specification.readthedocs.io): what a file is, its name says.

``sub-01_ses-2_run-1_T1w.nii.gz`` has the entities sub, ses and run, and the suffix T1w.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoseg.errors import UsageError, some_of
from autoseg.spec.dataset import Case
from autoseg.spec.foreign.place import fitting

ENDINGS = (".nii.gz", ".nii")
DESCRIPTION = "dataset_description.json"
DERIVED = ("space", "res", "den", "desc", "label", "seg", "atlas", "hemi")
"""Entities that derivatives add to those of what they are made of."""


@dataclass(frozen=True)
class BidsName:
    """What the name of a file says.

    Parameters
    ----------
    entities : mapping of str to str
        In the order of the name.
    suffix : str
        Such as ``T1w`` or ``dseg``.
    """

    entities: Mapping[str, str]
    suffix: str

    @property
    def source(self) -> tuple[tuple[str, str], ...]:
        """Entities of what a derivative is made of."""
        return tuple((k, v) for k, v in self.entities.items() if k not in DERIVED)

    @property
    def case(self) -> str:
        """Return a name for all channels of it."""
        return "_".join(f"{key}-{value}" for key, value in self.source)


def parse(name: str) -> BidsName | None:
    """Return what a file's name says; None of what is no name of BIDS.

    Examples
    --------
    >>> parse("sub-01_run-2_T1w.nii.gz").case, parse("t1.nii.gz")
    ('sub-01_run-2', None)
    """
    stem = name.split(".", 1)[0]
    *parts, suffix = stem.split("_")
    entities = dict(part.split("-", 1) for part in parts if "-" in part)
    if not suffix or len(entities) != len(parts) or next(iter(entities), "") != "sub":
        return None
    return BidsName(entities, suffix)


def is_bids(folder: Path) -> bool:
    """Return whether a folder is a BIDS data set: described, or with its subjects."""
    return folder.is_dir() and (
        (folder / DESCRIPTION).is_file()
        or any(_is_modality(path) for path in folder.glob("sub-*/*"))
        or any(_is_modality(path) for path in folder.glob("sub-*/ses-*/*"))
    )


def _is_modality(path: Path) -> bool:
    return path.is_dir() and path.name in ("anat", "dwi", "perf", "func", "pet", "micr")


def images_in(folder: Path) -> dict[Path, BidsName]:
    """Return the images of all subjects of a BIDS data set, sorted."""
    found = {}
    for pattern in ("sub-*/*/sub-*", "sub-*/ses-*/*/sub-*"):
        for path in fitting(folder, pattern):
            name = parse(path.name)
            if name is not None and path.name.endswith(ENDINGS):
                found[path] = name
    return found


def place_in_data_set(path: Path) -> Path:
    """Return the folder of a file below its data set, such as ``sub-01/anat``."""
    parts = path.parent.parts
    first = next((n for n, part in enumerate(parts) if part.startswith("sub-")), None)
    return Path() if first is None else Path(*parts[first:])


def cases_in(
    folder: Path, channels: Sequence[str], suffixes: Sequence[str]
) -> tuple[list[Case], list[str]]:
    """Return the subjects of a BIDS data set that have the images of all channels.

    Parameters
    ----------
    folder : Path
        The data set.
    channels : sequence of str
        What the channels of a model are called, for messages.
    suffixes : sequence of str
        Those of the channels, in this order.

    Returns
    -------
    cases : list of Case
        Without annotation, sorted by id.
    lacking : list of str
        Cases that have others alone.

    Raises
    ------
    UsageError
        If no subject has them; names the suffixes that there are.
    """
    by_case: dict[str, dict[str, Path]] = {}
    for path, name in images_in(folder).items():
        by_case.setdefault(name.case, {})[name.suffix] = path
    cases = [
        Case(id=case, images=tuple(files[suffix] for suffix in suffixes))
        for case, files in sorted(by_case.items())
        if all(suffix in files for suffix in suffixes)
    ]
    if len(suffixes) != len(channels) or not cases:
        there = sorted({suffix for files in by_case.values() for suffix in files})
        raise UsageError(
            f"{folder} is a BIDS data set with {some_of(there)}, and this model needs "
            f"{', '.join(channels)}. Say which are the channels, in this order, with "
            f"--series, such as --series {there[0] if there else 'T1w'}; for a command "
            "without --series, put links to them into a folder, called "
            "CASE_0000.nii.gz, and give that."
        )
    return cases, sorted(by_case.keys() - {case.id for case in cases})
