"""The interface of what `check` looks at in annotations of one kind."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from autoseg.datasets.annotations import read_annotation
from autoseg.errors import AutosegError, stops_everything
from autoseg.fingerprint.check.drawn import Drawn, drawn_labels
from autoseg.fingerprint.check.facts import CaseFacts
from autoseg.fingerprint.check.headers import annotation_problems
from autoseg.fingerprint.check.problem import Problem, unreadable
from autoseg.fingerprint.outside import groups_of, outside_of
from autoseg.formats.base import known_endings, match_ending, read_labels
from autoseg.formats.header import measured_in
from autoseg.geometry.align import covers_same, turn_between
from autoseg.spec.annotation import as_annotation, labels_of
from autoseg.spec.dataset import Dataset
from autoseg.spec.image import Geometry
from autoseg.tasks.base import Task


class CheckKind:
    """What is looked at in the annotations of a data set.

    As it stands, it reads every annotation and compares its grid with that of the
    image. A kind overrides what it knows more about. None of its methods raises because
    of what is in a file.

    Parameters
    ----------
    dataset : Dataset
        The data set.
    task : Task or None
        What its annotations mean; None if dataset.json does not say enough.
    """

    def __init__(self, dataset: Dataset, task: Task | None) -> None:
        self.dataset = dataset
        self.task = task

    @property
    def endings(self) -> tuple[str, ...]:
        """Endings of files in labelsTr that are annotations."""
        return (self.dataset.annotation_ending,)

    def look(self, facts: CaseFacts, path: Path) -> None:
        """Read the annotation of a case, and note what is wrong with it.

        Parameters
        ----------
        facts : CaseFacts
            What was found in the case's images; problems are added to it.
        path : Path
            The annotation, which is there.
        """
        if self.task is None and not match_ending(path.name, known_endings()):
            facts.problems += json_problems(path)
            return
        try:
            annotation, geometry = self.read(facts, path)
        except Exception as error:  # whatever a library raises on a broken file
            if stops_everything(error):
                raise
            facts.problems.append(unreadable(error, path))
            return
        self.look_inside(facts, path, annotation)
        facts.drawn = self.drawn(annotation)
        if facts.geometry is not None:
            geometry = measured_in(geometry, facts.geometry.unit)
            facts.problems += annotation_problems(facts.geometry, geometry, path)
            self._look_outside(facts, path, annotation, geometry)

    def read(self, facts: CaseFacts, path: Path) -> tuple[Any, Geometry]:
        """Return an annotation in the task's inner form, and the grid it lies on.

        Without a task, it is what stands in the file of a label map.
        """
        if self.task is None:
            return read_labels(path, self.dataset, lazily=True)
        return read_annotation(
            path,
            self.dataset,
            self.task,
            image=facts.geometry,
            case_id=facts.case.id,
            lazily=True,
        )

    def look_inside(self, facts: CaseFacts, path: Path, annotation: Any) -> None:
        """Note what is wrong with an annotation that could be read.

        Parameters
        ----------
        facts : CaseFacts
            Of the case; problems are added to it.
        path : Path
            The annotation.
        annotation : Any
            What `read` gave.
        """
        facts.empty = not labels_of(annotation).any()

    def drawn(self, annotation: Any) -> Drawn | None:
        """Return how an annotation looks, to compare it with those of other cases."""
        return drawn_labels(labels_of(annotation))

    def groups(self) -> Mapping[str, Sequence[Any]]:
        """Return, for each class, the keys that `counts` has of it."""
        return groups_of(self.task) if self.task is not None else {}

    def counts(self, facts: CaseFacts) -> Mapping[Any, int] | None:
        """Return what `Annotation.counts` gave, if `look_inside` asked it already."""
        return None

    def _look_outside(
        self, facts: CaseFacts, path: Path, annotation: Any, geometry: Geometry
    ) -> None:
        """Note what is annotated where the image is cut away."""
        if facts.box is None or facts.geometry is None:
            return
        placed = as_annotation(annotation)
        try:
            turn = turn_between(geometry, facts.geometry)
            if turn is not None and covers_same(geometry, facts.geometry, turn):
                placed = placed.turned(turn)
        except AutosegError:
            return  # its grid is another, as is said already
        if tuple(placed.shape) == facts.geometry.shape:
            facts.outside = outside_of(
                placed, facts.box, self.groups(), self.counts(facts)
            )

    def unused(self, ids: Set[str]) -> Iterator[Problem]:
        """Yield annotations of no case, beside single files in labelsTr.

        Parameters
        ----------
        ids : set of str
            The training cases.
        """
        yield from ()

    def together(self, facts: Sequence[CaseFacts]) -> Iterator[Problem]:
        """Yield what the annotations of all training cases say together."""
        yield from ()

    def classes(self, facts: Sequence[CaseFacts]) -> dict[str, int]:
        """Return in how many cases each class occurs; empty if nothing is counted."""
        return {}


def json_problems(path: Path) -> list[Problem]:
    """Return whether a file that ends in .json is none."""
    if path.suffix.lower() != ".json":
        return []
    try:
        json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        return [Problem("error", path, f"It is no JSON ({error}).", "Write it again.")]
    return []
