"""Tune a fold's decoding on its validation cases, and predict these with it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from autoseg.errors import amount
from autoseg.model.decoding import Decoding
from autoseg.model.model import Model
from autoseg.model.postprocessing import Postprocessing
from autoseg.parallel import map_cases
from autoseg.predict.cases import prediction_ending
from autoseg.predict.job import Job
from autoseg.predict.options import Options
from autoseg.predict.pipeline import Pipeline
from autoseg.predict.predictor import Predictor
from autoseg.predict.readouts.kept import KeptOutputs
from autoseg.predict.readouts.uncertainty import Qualities
from autoseg.spec.dataset import Dataset
from autoseg.tasks import make_task
from autoseg.tasks.instance import InstanceTask
from autoseg.train.after.kinds.tuning import (
    MOST_CASES,
    MOST_VOXELS,
    Sample,
    cases_to_tune,
    halves,
    read_sample,
    tune,
)
from autoseg.workspace import (
    CHECKPOINT_FINAL,
    DECODING,
    KEPT_OUTPUTS,
    UNCERTAINTY,
    VALIDATION,
)

logger = logging.getLogger(__name__)


def tunes(model: Model) -> bool:
    """Return whether there is something to tune, and cases that were held back."""
    task = task_of(model)
    return (
        isinstance(task, InstanceTask)
        and bool(task.tunable)
        and (model.folds != ("all",))
    )


def task_of(model: Model) -> Any:
    """Return the task as the model's network learned it."""
    choice = model.plan.task
    return make_task(choice).for_axes(model.settings.dim)


def untuned(model: Model) -> Model:
    """Return the model with the plan's parameters."""
    return replace(model, postprocessing=Postprocessing())


def with_parameters(model: Model, parameters: Mapping[str, Any]) -> Model:
    """Return the model with other parameters of decoding."""
    options = task_of(model).tuned(parameters)
    return replace(model, postprocessing=Postprocessing(task=options))


def keep_outputs(
    kept: KeptOutputs,
    model: Model,
    jobs: Sequence[Job],
    checkpoint: Path,
    options: Options,
    previous: Path | None = None,
) -> None:
    """Predict the outputs for cases that are not there, or are older than a checkpoint.

    Raises
    ------
    CaseErrors
        If some cases failed; the others are kept.
    """
    missing = [job for job in jobs if not kept.has(job.case.id, checkpoint)]
    if missing:
        predictor = Predictor(untuned(model), options)
        Pipeline(predictor=predictor, previous=previous, kept=kept).run(missing, 1, 1)


def read_samples(
    kept: KeptOutputs, dataset: Dataset, task: InstanceTask, cases: Sequence[str]
) -> dict[str, Sample]:
    """Return what is looked at of some cases of a fold."""
    most = MOST_VOXELS // max(1, len(cases))
    found: dict[str, Sample] = {}

    def read(case_id: str) -> Sample:
        return read_sample(kept, dataset.case(case_id), dataset, task, most)

    map_cases(read, cases, stage="read", done=found.__setitem__)
    return found


class FoldDecoding:
    """The decoding of one fold.

    Parameters
    ----------
    folder : Path
        Of the fold.
    model : Model
        With this fold only.
    dataset : Dataset
        With its validation cases.
    options : Options, optional
        How cases are predicted.
    previous : Path, optional
        In a cascade, the predictions of the stage before.
    qualities : Path, optional
        File for how sure predictions are; by default beside them.
    """

    def __init__(
        self,
        folder: Path,
        model: Model,
        dataset: Dataset,
        options: Options | None = None,
        previous: Path | None = None,
        qualities: Path | None = None,
    ) -> None:
        self.folder, self.model, self.dataset = folder, untuned(model), dataset
        self.options, self.previous = options or Options(), previous
        self.task: InstanceTask = task_of(model)
        self.kept = KeptOutputs(folder / KEPT_OUTPUTS, self.task)
        self.qualities = Qualities(qualities or folder / VALIDATION / UNCERTAINTY)

    def choose(self, cases: Sequence[str]) -> Decoding:
        """Return what was tuned on validation cases, now or before."""
        path = self.folder / DECODING
        if path.is_file():
            return Decoding.load(path)
        chosen = cases_to_tune(cases, MOST_CASES)
        logger.info(
            "Tuning how outputs are decoded, on %s.", amount(len(chosen), "case")
        )
        jobs = [self._job(case, self.folder) for case in chosen]
        checkpoint = self.folder / CHECKPOINT_FINAL
        where = self.options, self.previous
        keep_outputs(self.kept, self.model, jobs, checkpoint, *where)
        samples = read_samples(self.kept, self.dataset, self.task, chosen)
        found = tune(self.task, samples, halves(chosen))
        found.save(path)
        return found

    def predict(self, jobs: Sequence[Job], decoding: Decoding) -> None:
        """Predict cases, each with parameters in which it had no say.

        Raises
        ------
        CaseErrors
            If some cases failed; the others are written.
        """
        checkpoint = self.folder / CHECKPOINT_FINAL
        there = [job for job in jobs if self.kept.has(job.case.id, checkpoint)]
        if there:
            pipeline = self._pipeline(decoding.parameters)

            def write(job: Job) -> None:
                parameters = decoding.for_case(job.case.id)
                task = self.task.with_parameters(parameters)
                found, placement = self.kept.decode(job.case.id, task)
                pipeline.write_decoded(job, found, placement.geometry)

            map_cases(write, there, stage="decode", name=lambda job: job.case.id)
        groups: list[tuple[Mapping[str, Any], list[Job]]] = []
        for job in jobs:
            if job in there:
                continue
            parameters = decoding.for_case(job.case.id)
            same = [some for known, some in groups if known == parameters]
            if same:
                same[0].append(job)
            else:
                groups.append((parameters, [job]))
        for parameters, some in groups:
            self._pipeline(parameters).run(some, 1, 1)

    def clean(self) -> None:
        """Remove the outputs that were kept."""
        shutil.rmtree(self.kept.folder, ignore_errors=True)

    def _pipeline(self, parameters: Mapping[str, Any]) -> Pipeline:
        model = with_parameters(self.model, parameters)
        predictor = Predictor(model, self.options)
        return Pipeline(
            predictor=predictor, previous=self.previous, qualities=self.qualities
        )

    def _job(self, case_id: str, folder: Path) -> Job:
        case = self.dataset.case(case_id)
        name = f"{case_id}{prediction_ending(case, self.model)}"
        return Job(case=case, output=folder / name)
