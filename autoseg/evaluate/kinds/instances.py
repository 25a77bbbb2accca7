"""Instances: what is a small and what a large object depends on all that are there."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.datasets.instance_files import is_many_files
from autoseg.datasets.pairing import CLASS_LISTS, find_annotations
from autoseg.errors import CaseErrors, FormatError
from autoseg.evaluate.aggregate import Scores
from autoseg.evaluate.kinds import EVALUATE_KINDS
from autoseg.evaluate.kinds.base import EvaluateKind, Pair
from autoseg.instancefiles.files import TABLE
from autoseg.instancefiles.readers.base import (
    case_id,
    cases_in,
    instance_endings,
    is_instance_file,
)
from autoseg.instancefiles.table import read_scores
from autoseg.metrics.instances import ANY_CLASS
from autoseg.parallel import map_cases
from autoseg.spec.image import Geometry
from autoseg.spec.instances import Instances

MANY = 3  # objects on one side, and one on the other: is that a mask?
SIZE_QUANTILES = (0.25, 0.75)  # of annotated objects: small below, large above


@EVALUATE_KINDS.register
class InstancesEvaluation(EvaluateKind):
    """Limits of size are the quartiles of all annotated objects, unless given."""

    def files(self, folder: Path) -> dict[str, Path]:
        if folder.is_file() and is_instance_file(folder):
            return _in_one(folder) or {case_id(folder): folder}
        found = super().files(folder)
        if found:
            return found
        drawn = find_annotations(folder, instance_endings()).by_stem
        listed = (p for p in drawn.values() if p.name not in CLASS_LISTS)
        by_case = {case_id(path): path for path in listed}
        many = _in_one(*by_case.values()) if len(by_case) == 1 else {}
        return many or dict(sorted(by_case.items()))

    def read_prediction(self, path: Path, case: str) -> tuple[Any, Geometry]:
        found, geometry = super().read_prediction(path, case)
        table = path.with_name(f"{case}{TABLE}")
        if isinstance(found, Instances) and found.masks and table.is_file():
            found = replace(found, scores=read_scores(table))
        return found, geometry

    def look_ahead(self, annotations: Mapping[str, Path], workers: int | None) -> None:
        known = "size_limits" in self.task.score_options
        if not known or "size_limits" in self.options:
            return
        sizes: dict[str, Any] = {}
        with suppress(CaseErrors):  # the same files fail again when they are scored
            map_cases(
                self.knowing()._sizes,
                [self.pair(case, file) for case, file in annotations.items()],
                stage="measure objects",
                workers=workers,
                name=lambda pair: pair.case,
                done=lambda pair, found: sizes.__setitem__(pair.case, found),
            )
        every = np.concatenate([np.zeros(0), *sizes.values()])
        if len(every):
            self.options["size_limits"] = np.quantile(every, SIZE_QUANTILES).tolist()

    def remarks(self, cases: Mapping[str, Scores]) -> list[str]:
        each = [of.get(ANY_CLASS, next(iter(of.values()))) for of in cases.values()]
        sides = {"prediction": "predicted", "annotation": "reference"}
        said = []
        for mine, theirs in (tuple(sides), tuple(sides)[::-1]):
            own, others = (
                [of.get(sides[side], 0.0) for of in each] for side in (mine, theirs)
            )
            if set(own) == {1} and sum(others) >= MANY * len(others):
                said.append(
                    f"Every {mine} is one object, where each {theirs} has "
                    f"{sum(others) / len(others):.3g} on average. A mask of the "
                    "foreground has no objects: give each its own value."
                )
        return said

    def _sizes(self, pair: Pair) -> Any:
        own = self.knowing(pair.training, pair.test, pair.images)
        case, annotation = pair.case, pair.annotation
        image = own.image_of(case) if is_many_files(annotation) else None
        reference, geometry = own.read_reference(annotation, image, case)
        return self.task.object_sizes(reference, geometry.spacing)


def _in_one(path: Path) -> dict[str, Path]:
    """Return the cases of a file that has those of many, by its own words."""
    with suppress(FormatError):  # whoever reads it says why
        return dict.fromkeys(sorted(cases_in(path)), path)
    return {}
