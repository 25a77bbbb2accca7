"""What the files and the dataset.json of a data set say together."""

from __future__ import annotations

import contextlib
import filecmp
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from autoseg.datasets.description import Description
from autoseg.datasets.filenames import odd_ids
from autoseg.errors import amount, some_of
from autoseg.fingerprint.check.facts import CaseFacts
from autoseg.fingerprint.check.problem import Problem, denied
from autoseg.formats.base import is_folder_image
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.foreign.behind import voxels_behind
from autoseg.spec.foreign.letters import as_known, composed
from autoseg.spec.foreign.place import all_files_at, lost, place_of
from autoseg.tasks import TASKS

FOLDS = 5
IGNORED = (
    "ignore",
    "ignored",
    "ignorelabel",
    "ignoredlabel",
    "dontcare",
    "unannotated",
)


def description_problems(dataset: Dataset) -> Iterator[Problem]:
    """Yield what is odd about dataset.json though it can be read."""
    where = dataset.folder / "dataset.json"
    if dataset.task not in TASKS:
        yield Problem(
            "error",
            where,
            f"There is no task {dataset.task!r}.",
            f"Say one of {', '.join(map(repr, TASKS.names()))}.",
        )
    count = dataset.raw.get("numTraining")
    there = len(dataset.training)
    if count is not None and count not in (there, str(there)):
        yield Problem(
            "warning",
            where,
            f"`numTraining` says {count!r}, but there are {len(dataset.training)} "
            "training cases.",
            "Correct the number, or look for the missing files.",
        )
    if where.is_file():
        for key, meant in Description(dataset.folder).misspelled().items():
            yield Problem(
                "warning",
                where,
                f"Nobody knows the key {key!r}.",
                f"Write {meant!r} if that is meant.",
            )
    labels = dataset.raw.get("labels")
    for name in labels if isinstance(labels, dict) else ():
        if name != "ignore" and "".join(filter(str.isalpha, name.lower())) in IGNORED:
            yield Problem(
                "warning",
                where,
                f"`labels` has {name!r}, which is learned as any other class.",
                "Call it 'ignore' if nobody annotated these voxels.",
            )


def number_problems(dataset: Dataset) -> Iterator[Problem]:
    """Yield what is wrong with how many cases there are."""
    count = len(dataset.training)
    where = dataset.folder / "imagesTr"
    if count == 0:
        yield Problem(
            "error",
            where,
            "There is no training case.",
            "Put images into imagesTr and annotations of the same names into labelsTr.",
        )
    elif count == 1:
        yield Problem(
            "warning",
            where,
            "There is one training case, so cross-validation cannot be done.",
            "Train the fold `all`, or add cases.",
        )
    elif count < FOLDS:
        yield Problem(
            "note",
            where,
            f"There are {count} training cases, so there will be {count} folds.",
            "Add cases if you can.",
        )


def id_problems(dataset: Dataset) -> Iterator[Problem]:
    """Yield ids that cannot be names of prepared files."""
    odd = odd_ids(case.id for case in dataset.training)
    if odd is not None:
        yield Problem("error", dataset.folder / "imagesTr", *odd)


def _whole_files(case: Case) -> list[tuple[Path, Path]]:
    """Return the files of an image, each with the one that its voxels are in.

    Chunks of one image are left aside, for many are alike.
    """
    whole = [path for path in case.images if not is_folder_image(place_of(path))]
    return [(p, next(iter(voxels_behind(p)), p)) for p in all_files_at(whole)]


def _same(one: Path, other: Path) -> bool:
    """Return whether two files hold the same; what cannot be read is told elsewhere."""
    with contextlib.suppress(OSError):
        return filecmp.cmp(one, other, shallow=False)
    return False


def test_problems(dataset: Dataset) -> Iterator[Problem]:
    """Yield test images with missing files, and those that are training images too."""
    by_size: dict[int, list[tuple[Path, Path]]] = defaultdict(list)
    for case in dataset.training:
        with contextlib.suppress(PermissionError):  # which is told of the case
            for path, voxels in _whole_files(case):
                if voxels.is_file():
                    by_size[voxels.stat().st_size].append((path, voxels))
    for case in dataset.test:
        try:
            files = _whole_files(case)
        except PermissionError as error:
            yield denied(Path(error.filename or case.images[0]))
            continue
        for path, voxels in files:
            if not voxels.is_file():
                yield Problem(
                    "warning",
                    voxels,
                    f"A file of the test image {case.id} is missing{lost(path)}.",
                    "Put it there, or take the image away.",
                )
                continue
            for other, its in by_size[voxels.stat().st_size]:
                if its != voxels and _same(voxels, its):
                    yield Problem(
                        "warning",
                        path,
                        f"This test image is the training image {other.name}, byte for "
                        "byte.",
                        "Take one of them away.",
                    )


def duplicates(dataset: Dataset, facts: Sequence[CaseFacts]) -> Iterator[Problem]:
    """Yield ids that are nearly the same, and images with the same voxels."""
    by_name: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for case in dataset.training:
        by_name[_plain(case.id)].append(case.id)
    for ids in by_name.values():
        if len(ids) < 2:
            continue
        plain = [composed(case_id) for case_id in ids]
        same = len({case_id.casefold() for case_id in plain}) < len(ids)
        what = "upper and lower case only"
        if len(set(plain)) < len(ids):
            what = "how accents are stored only, and look the same"
        yield Problem(
            "warning" if same else "note",
            dataset.folder / "imagesTr",
            f"The ids {' and '.join(ids)} differ in {what}; on many "
            "disks their results would overwrite each other."
            if same
            else f"The ids {' and '.join(ids)} are nearly the same.",
            "Rename one of them." if same else "Take one away if they are one case.",
        )
    first: dict[str, CaseFacts] = {}
    for fact in facts:
        if fact.digest is None:
            continue
        other = first.setdefault(fact.digest, fact)
        if other is not fact:
            yield Problem(
                "warning",
                fact.case.images[0],
                f"This image has the same voxels as {other.case.images[0].name}.",
                "Take one of the cases away, or put both into one of the `groups`: "
                "otherwise one is learned and the other is tested.",
            )


def _plain(case_id: str) -> tuple[str, ...]:
    """Return the words and numbers of an id: case_01, Case-1 and case1 are alike."""
    words = re.findall(r"\d+|[^\W\d_]+", composed(case_id).casefold())
    return tuple(word.lstrip("0") or "0" if word.isdigit() else word for word in words)


def split_problems(dataset: Dataset) -> Iterator[Problem]:
    """Yield in what the splits contradict the cases."""
    where = dataset.folder / "dataset.json"
    known = {case.id for case in dataset.training}
    group_of = {case.id: case.group for case in dataset.training if case.group}
    for number, (train, val) in enumerate(dataset.splits or ()):
        unknown = sorted({*train, *val} - known)
        if unknown:
            yield Problem(
                "error",
                where,
                f"Fold {number} of `splits` names "
                f"{amount(len(unknown), 'unknown case')}: "
                f"{some_of(unknown)}.",
                "Correct the ids.",
            )
        if not train or not val:
            yield Problem(
                "error",
                where,
                f"Fold {number} of `splits` has no case to "
                f"{'train' if not train else 'validate'} on.",
                "Add some.",
            )
        both = sorted(set(train) & set(val))
        if both:
            yield Problem(
                "warning",
                where,
                f"Fold {number} of `splits` trains and validates on {some_of(both)}.",
                "Its scores will say little; take them out of one side.",
            )
        leaking = {group_of.get(i) for i in train} & {group_of.get(i) for i in val}
        named = sorted(group for group in leaking if group is not None)
        if named:
            yield Problem(
                "warning",
                where,
                f"Fold {number} of `splits` has cases of the group {some_of(named)} on "
                "both sides.",
                "Keep a group together, or leave `splits` out: they are made so.",
            )


def group_problems(dataset: Dataset) -> Iterator[Problem]:
    """Yield what is odd about the groups, and whether some seem to be missing."""
    where = dataset.folder / "dataset.json"
    groups = dataset.raw.get("groups")
    ids = [case.id for case in dataset.training]
    if isinstance(groups, dict):
        unknown = sorted(set(as_known(groups, ids)) - set(ids))
        if unknown:
            yield Problem(
                "warning",
                where,
                f"`groups` names {amount(len(unknown), 'unknown case')}: "
                f"{some_of(unknown)}.",
                "Correct the ids.",
            )
    if groups is not None:
        alone = [case.id for case in dataset.training if case.group is None]
        if alone:
            yield Problem(
                "warning",
                where,
                f"`groups` says nothing about {amount(len(alone), 'case')}: "
                f"{some_of(alone)}.",
                "Add them, unless each is a group of its own.",
            )
        return
    if dataset.splits is not None:
        return
    # patient002_frame01, patient002_frame12: the part in front is a number that
    # comes back.
    fronts = Counter(case_id.rpartition("_")[0] for case_id in ids)
    fronts = Counter({f: n for f, n in fronts.items() if f and f[-1].isdigit()})
    if len(fronts) > 1 and sum(n for n in fronts.values() if n > 1) > len(ids) / 2:
        front = max(fronts, key=lambda f: (fronts[f], f))
        yield Problem(
            "note",
            where,
            f"Many ids have a beginning in common, such as {front!r} "
            f"({amount(fronts[front], 'case')}).",
            'If these are images of one patient, say "groups": "(.+)_", so that no '
            "patient is learned and tested.",
        )
