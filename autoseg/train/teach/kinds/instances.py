"""Instances: objects with a low score become places that nobody annotated."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoseg.datasets.instance_classes import side_car_of
from autoseg.predict.job import Job
from autoseg.spec.json import dumps, write_text
from autoseg.train.teach.kinds import TEACH_KINDS
from autoseg.train.teach.kinds.base import IGNORE, TeachKind

UNUSED = -1  # a number that no class has


@TEACH_KINDS.register
class TeachInstances(TeachKind):
    """The side-car of a map says of which class each object is, and which are unsure.

    Where no object was found, background is learned.
    """

    def described(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        labels = {"background": 0, **raw.get("labels", {})}
        return {**raw, "labels": {**labels, IGNORE: labels.get(IGNORE, UNUSED)}}

    def annotate(self, job: Job, folder: Path) -> tuple[Path, float] | None:
        table = job.output.with_name(f"{job.case.id}_instances.csv")
        with table.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        said, sure = {}, 0
        for row in rows:
            good = float(row["score"] or 0) >= self.sure
            sure += good
            said[row["id"]] = row["class"] if good else IGNORE
        if not sure:
            return None
        target = folder / job.output.name
        shutil.copyfile(job.output, target)
        overlaps = job.output.with_name(f"{job.case.id}_overlaps.json")
        if overlaps.is_file():
            shutil.copyfile(overlaps, folder / overlaps.name)
        write_text(side_car_of(target), dumps({"instances": said}))
        return target, sure / len(rows)
