"""Instances: lost, in pieces, with holes, or with odd ids, though they can be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.datasets.instance_classes import readable_classes
from autoseg.datasets.instance_files import (
    crowds_of,
    is_many_files,
    names_of,
    needs_classes,
)
from autoseg.datasets.kinds.instances import COMPONENTS
from autoseg.datasets.vain import masks_for_ids, never_complete
from autoseg.errors import amount, some_of
from autoseg.fingerprint.check.annotated import stray_instances
from autoseg.fingerprint.check.annotations import class_problems
from autoseg.fingerprint.check.facts import CaseFacts
from autoseg.fingerprint.check.instance_maps import (
    instance_problems,
    mask_problem,
    twin_problems,
)
from autoseg.fingerprint.check.kinds import CHECK_KINDS
from autoseg.fingerprint.check.kinds.base import CheckKind
from autoseg.fingerprint.check.problem import Problem
from autoseg.instancefiles.readers.base import remarks_of
from autoseg.spec.annotation import IGNORED
from autoseg.spec.arrays.overlaps import in_layers
from autoseg.spec.instances import as_instances
from autoseg.tasks.instance.sketched import INNER, POINTS, Sketch, sketch_of

SHOWN = 8  # ids that a message lists
MOST_UNKNOWN = 0.5  # of the voxels, about marks: objects seem to lie everywhere


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What is kept of a case for a look at all of them.

    Parameters
    ----------
    path : Path
        The annotation, a file of objects or not.
    left_out : int
        Crowd regions that are no objects.
    single : int
        How many of these are in one piece.
    mask : Problem or None
        That it seems to be a mask of the foreground.
    ignored : float
        Share of the voxels that nobody annotated.
    beside : bool
        The value of these lies among the ids of objects.
    classes : frozenset of int
        Of the objects.
    """

    path: Path
    left_out: int = 0
    single: int = 0
    mask: Problem | None = None
    ignored: float = 0.0
    beside: bool = False
    classes: frozenset[int] = frozenset()


@CHECK_KINDS.register
class InstancesCheck(CheckKind):
    """Maps of ids, folders of masks, and COCO's JSON."""

    def look_inside(self, facts: CaseFacts, path: Path, annotation: Any) -> None:
        labels = np.asarray(annotation)
        super().look_inside(facts, path, labels > 0)
        if self.task is None:
            return
        names, left_out, single = None, 0, 0
        classes = readable_classes(self.task)
        if is_many_files(path):
            names = names_of(path, facts.case.id, self.dataset, classes)
            left_out, single = crowds_of(path, facts.case.id, self.dataset)
        mask = mask_problem(labels, path, names or {})
        facts.found = Looked(
            path=path,
            left_out=left_out,
            single=single,
            mask=mask,
            ignored=float((labels == IGNORED).mean()) if labels.size else 0.0,
            beside=names is None
            and not needs_classes(path, classes)
            and _is_beside(self.task.ignore, labels),
            classes=frozenset(getattr(annotation, "classes", {}).values()),
        )
        stray_instances(annotation, facts, self.task.class_names)
        if mask is None:
            drawn = as_instances(annotation)
            maps = [labels]
            if drawn.masks:
                arranged = drawn.arranged
                maps = list(in_layers(arranged.codes, arranged.shares))
                facts.problems += twin_problems(arranged, path, names or {})
            facts.problems += instance_problems(labels, path, names, maps)

    def unused(self, ids: Set[str]) -> Iterator[Problem]:
        folder = self.dataset.folder / "labelsTr"
        masks = [p for p in folder.iterdir() if p.is_dir()] if folder.is_dir() else []
        for path in sorted(masks):
            if path.name not in ids:
                yield Problem(
                    "warning",
                    path,
                    "This folder of masks has no image.",
                    f"Put the image of {path.name} into imagesTr, or take the folder "
                    "away.",
                )

    def together(self, facts: Sequence[CaseFacts]) -> Iterator[Problem]:
        yield from crowd_problems(facts)
        yield from self._masks(facts)
        yield from self._ignored(facts)
        if self.task is None:
            return
        holding = self._holding(facts)
        if any(holding.values()):  # else nothing is annotated, as is said
            read = sum(f.found is not None for f in facts)
            yield from class_problems(self.dataset, holding, read)
        if (vain := never_complete(self.dataset, self.task.classes)) is not None:
            yield Problem("error", *vain)
        for path in dict.fromkeys(f.found.path for f in facts if f.found is not None):
            if path.is_file() and is_many_files(path):
                for remark in remarks_of(path, readable_classes(self.task)):
                    yield Problem("warning", path, remark.found, remark.fix)

    def classes(self, facts: Sequence[CaseFacts]) -> dict[str, int]:
        return {name: len(files) for name, files in self._holding(facts).items()}

    def _holding(self, facts: Sequence[CaseFacts]) -> dict[str, list[Path]]:
        """Return the annotations that have each class; empty if there is only one."""
        numbers = getattr(self.task, "numbers", {})
        if len(numbers) < 2:
            return {}
        found = [f.found for f in facts if f.found is not None]
        return {
            name: [one.path for one in found if number in one.classes]
            for name, number in numbers.items()
        }

    def _masks(self, facts: Sequence[CaseFacts]) -> Iterator[Problem]:
        """Yield masks of the foreground; if all are such, once and for all of them."""
        drawn = [f for f in facts if f.found is not None and not f.empty]
        masks = [f.found.mask for f in drawn if f.found.mask is not None]
        vain = None
        if COMPONENTS not in self.dataset.raw:
            vain = masks_for_ids(self.dataset, len(masks), len(drawn))
        if vain is None:
            yield from masks
        else:
            yield Problem("error", *vain)

    def _ignored(self, facts: Sequence[CaseFacts]) -> Iterator[Problem]:
        """Yield how much counts nowhere, and whether that may be a mistake."""
        found = [f for f in facts if f.found is not None and f.found.ignored]
        own = [f for f in found if not f.found.left_out]  # crowds are said already
        if not own:
            return
        where = self.dataset.folder / "dataset.json"
        share = sum(f.found.ignored for f in own) / len(own)
        sketch = sketch_of(self.dataset.raw)
        if sketch is not None:
            yield _marked(sketch, share, where)
            return
        ids = some_of([f.case.id for f in own], SHOWN)
        yield Problem(
            "note",
            where,
            f"In {amount(len(own), 'case')} ({ids}) nobody annotated {share:.1%} of "
            "the voxels on average (`ignore`): they count neither as object "
            "nor as background.",
            "Nothing, if that is meant.",
        )
        beside = [f.case.id for f in own if f.found.beside]
        if beside and self.task is not None:
            yield Problem(
                "warning",
                where,
                f"The value {self.task.ignore} is `ignore`, and lies among the ids of "
                f"objects in {amount(len(beside), 'case')} ({some_of(beside, SHOWN)}): "
                "an object with that id is not counted.",
                "Give `ignore` a value that no object has, such as -1 or 65535, unless "
                "it is meant.",
            )


def _marked(sketch: Sketch, share: float, where: Path) -> Problem:
    """Return how objects that were only marked are learnt from."""
    ellipse = "the ellipse in its box"
    if sketch.drawn == POINTS:
        size = f"{INNER[POINTS] * sketch.diameter:g}"
        ellipse = f"a disk or ball of diameter {size} about its point"
    much = share > MOST_UNKNOWN
    fix = "Nothing, if that is meant: what is not marked is learnt as background."
    if much:
        fix = "Mark some pictures in which objects lie apart, or draw some outlines."
        if sketch.drawn == POINTS:
            fix = f"Look whether the `diameter` of {sketch.diameter:g} is too large."
    return Problem(
        "warning" if much else "note",
        where,
        f"Objects are marked by {sketch.drawn}: each is learnt as {ellipse}, and about "
        f"it {share:.1%} of the voxels on average count neither as object nor as "
        "background. Scores tell which objects are found, little of their outlines.",
        fix,
    )


def _is_beside(value: int | None, labels: NDArray[Any]) -> bool:
    """Return whether there are objects with the ids before and after a value."""
    if value is None or value < 1:
        return False
    before = value == 1 or bool((labels == value - 1).any())
    return before and bool((labels == value + 1).any())


def crowd_problems(facts: Sequence[CaseFacts]) -> Iterator[Problem]:
    """Yield a warning for each file of regions that were left out.

    Parameters
    ----------
    facts : sequence of CaseFacts
        What was found in each case; `found` are its `Crowds`.
    """
    by_file: dict[Path, list[CaseFacts]] = {}
    for fact in facts:
        if fact.case.annotation is not None and fact.found and fact.found.left_out:
            by_file.setdefault(fact.case.annotation, []).append(fact)
    for path, own in by_file.items():
        count = sum(fact.found.left_out for fact in own)
        single = sum(fact.found.single for fact in own)
        where = ""
        if len(own) > 1:
            where = (
                f" in {amount(len(own), 'case')} ({some_of([f.case.id for f in own])})"
            )
        fix = "Draw their objects one by one, or crop the image to where that is done."
        if single:
            fix = (
                f"{single} of them are run lengths in one piece, as CVAT's brush "
                'writes single objects: if they are, say "crowds": "objects" in '
                f"dataset.json. If not: {fix[:1].lower()}{fix[1:]}"
            )
        yield Problem(
            "warning",
            path,
            f"{amount(count, 'crowd region')} (`iscrowd` 1){where} left out, for they "
            "are no instances; what they cover counts neither as object nor as "
            "background.",
            fix,
        )
