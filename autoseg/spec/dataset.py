"""dataset.json: what the user says about a data set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from autoseg.errors import DatasetError, did_you_mean, some_of
from autoseg.spec.foreign.letters import composed
from autoseg.spec.image import NONZERO

KEY = "annotated"  # of dataset.json: which classes were annotated in which case
Entries = dict[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One image with its annotation.

    Parameters
    ----------
    id : str
        Unique name of the case.
    images : tuple of Path
        One file for each channel, or one that holds all of them.
    annotation : Path or None
        What a person drew; None where only an image is there.
    group : str or None
        Cases of one group (a patient) never sit on both sides of a split.
    annotated : tuple of str or None
        Names of the classes that its annotation speaks of; None: all.
    """

    id: str
    images: tuple[Path, ...]
    annotation: Path | None = None
    group: str | None = None
    annotated: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A data set folder, read and understood.

    Parameters
    ----------
    name : str
        The folder's name.
    folder : Path
        Where dataset.json is.
    task : str
        A file in ``autoseg/tasks``; ``"semantic"`` where dataset.json is silent.
    channel_names : tuple of str, length C
        In the order of the channels.
    image_ending, annotation_ending : str
        With the dot, such as ``".nii.gz"``.
    spacing : tuple of float or None
        For formats that carry none; slowest axis first.
    unit : str or None
        Unit of ``spacing``; None: what the format says.
    format : str or None
        A file in ``autoseg/formats`` that the user asks for; None: by the ending.
    lengths : str or None
        Unit that all images are measured in, where their files are in several: those
        in another are converted. None: as each file says.
    crop : str
        What images are cropped to: ``"nonzero"``, the box of voxels that are not 0, or
        ``"none"``.
    raw : mapping
        dataset.json as it is; a task reads its own keys (``labels``,
        ``regions_class_order``, ``landmarks``, ...) from here.
    training : tuple of Case
        Sorted by id.
    test : tuple of Case
        Cases of imagesTs, without annotation.
    splits : tuple of (tuple of str, tuple of str) or None
        Training and validation ids of each fold, when the user gives them.
    """

    name: str
    folder: Path
    task: str
    channel_names: tuple[str, ...]
    image_ending: str
    annotation_ending: str
    spacing: tuple[float, ...] | None = None
    unit: str | None = None
    format: str | None = None
    lengths: str | None = None
    crop: str = NONZERO
    raw: Mapping[str, Any] = field(default_factory=dict)
    training: tuple[Case, ...] = ()
    test: tuple[Case, ...] = ()
    splits: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] | None = None

    def case(self, case_id: str) -> Case:
        """Return the training or test case of this id.

        Raises
        ------
        DatasetError
            If there is none: it was renamed, or taken away.
        """
        found = (c for c in (*self.training, *self.test) if c.id == case_id)
        case = next(found, None)
        if case is None:
            raise DatasetError(
                f"{self.folder} has no case {case_id!r} any more. Put it back, or give "
                "it the name that it had."
            )
        return case


def entries_of(raw: Mapping[str, Any]) -> Entries:
    """Return what a dataset.json says of annotated classes.

    Parameters
    ----------
    raw : mapping
        dataset.json as it is.

    Returns
    -------
    dict of str to tuple of str
        Names of classes by what they hold for: a case, a group, or a pattern of either,
        in which ``*`` stands for anything. Empty if everything is annotated.

    Raises
    ------
    DatasetError
        If it is anything else; a sentence without its end.
    """
    given = raw.get(KEY, {})
    example = 'such as {"siteA_*": ["liver"], "siteB_07": ["liver", "spleen"]}'
    if not isinstance(given, Mapping):
        raise DatasetError(f"`{KEY}` must name the classes of cases, {example}")
    for key, names in given.items():
        good = isinstance(names, list) and all(isinstance(name, str) for name in names)
        if not good or not names:
            raise DatasetError(
                f"`{KEY}` has {key!r}: {names!r}; it must be a list of the classes "
                f"that are annotated there, {example}"
            )
    return {str(key): tuple(names) for key, names in given.items()}


def annotated_in(
    entries: Mapping[str, tuple[str, ...]], case_id: str, group: str | None
) -> tuple[str, ...] | None:
    """Return the classes that are annotated in a case, sorted; None: all.

    Parameters
    ----------
    entries : mapping of str to tuple of str
        Of `entries_of`.
    case_id : str
        Its own entry comes first, then that of its group, then patterns.
    group : str or None
        Of the case.

    Raises
    ------
    DatasetError
        If patterns that fit do not say the same; a sentence without its end.
    """
    entries = {composed(key): names for key, names in entries.items()}
    for key in (case_id, group):
        if key is not None and composed(key) in entries:
            return tuple(sorted(set(entries[composed(key)])))
    fitting = [key for key in entries if fits(key, case_id, group)]
    found = {tuple(sorted(set(entries[key]))) for key in fitting}
    if len(found) > 1:
        raise DatasetError(
            f"`{KEY}` says of {case_id} different things by "
            f"{some_of([repr(key) for key in fitting])}; give it an entry of its own, "
            "or narrow the patterns"
        )
    return found.pop() if found else None


def fits(key: str, case_id: str, group: str | None) -> bool:
    """Return whether an entry may mean a case: by its id, its group, or a pattern.

    Examples
    --------
    >>> fits("siteA_*", "siteA_03", None), fits("p7", "scan", "p7"), fits("p", "p7", "")
    (True, True, False)
    """
    names = [composed(name) for name in (case_id, group) if name is not None]
    key = composed(key)
    return any(name == key or fnmatchcase(name, key) for name in names)


def annotated_problems(raw: Mapping[str, Any], classes: Iterable[str]) -> list[str]:
    """Return what is wrong with ``annotated``, sentences without their ends.

    Parameters
    ----------
    raw : mapping
        dataset.json as it is.
    classes : iterable of str
        Names of all classes, background left out.
    """
    known = list(classes)
    try:
        entries = entries_of(raw)
    except DatasetError:
        return []  # whoever reads the cases says so
    unknown = sorted({n for names in entries.values() for n in names} - set(known))
    if not unknown:
        return []
    names = some_of([repr(name) for name in unknown])
    which = "are no classes" if len(unknown) > 1 else "is no class"
    near = did_you_mean(unknown[0], known)
    return [f"`{KEY}` names {names}, which {which}.{near} There are {some_of(known)}"]


def partial_lists(raw: Mapping[str, Any], classes: Iterable[str]) -> list[list[str]]:
    """Return the different sets of annotated classes that are not all of them.

    Parameters
    ----------
    raw : mapping
        dataset.json as it is.
    classes : iterable of str
        Names of all classes, background left out.

    Returns
    -------
    list of list of str
        Each in the order of the classes, and themselves sorted; JSON values.

    Raises
    ------
    DatasetError
        As `entries_of`.
    """
    entries, known = entries_of(raw), list(classes)
    found = {tuple(n for n in known if n in names) for names in entries.values()}
    return [list(names) for names in sorted(found) if len(names) < len(known)]
