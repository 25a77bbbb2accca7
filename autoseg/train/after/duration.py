"""How long the validation of a fold will take, for a time budget."""

from __future__ import annotations

import math

from autoseg.parallel import default_workers
from autoseg.predict.options import step_size_of
from autoseg.train.after.kinds.tuning import MOST_VOXELS, cases_to_tune
from autoseg.train.setup.job import Job

CASE_SECONDS = 0.5  # to read, write and score a validation case
DECODING_SECONDS = 2e-5  # of tuning a voxel: some forty times decoded and counted


def validation_seconds(job: Job, window: float) -> float:
    """Return the expected time of predicting and scoring the validation cases."""
    patch, store, step = job.settings.patch_size, job.store, step_size_of(job.task)
    windows = 0
    for case in job.validation:
        shape = store.open(case).shape
        count = 1
        for size, edge in zip(shape[-len(patch) :], patch, strict=True):
            count *= math.ceil(max(0, size - edge) / (edge * step)) + 1
        windows += count * math.prod(shape[: len(shape) - len(patch)])
    mirrored = 0 if job.task.sturdy else len(job.settings.mirror_axes)
    seconds = windows * 2**mirrored * window + CASE_SECONDS * len(job.validation)
    result: float = seconds + _tuning_seconds(job)
    return result


def _tuning_seconds(job: Job) -> float:
    """Return the expected time of tuning how outputs are decoded."""
    if not job.task.tunable or job.fold == "all":
        return 0.0
    cases = cases_to_tune(job.validation)
    voxels = sum(math.prod(job.store.open(case).shape[1:]) for case in cases)
    return DECODING_SECONDS * min(voxels, MOST_VOXELS) / default_workers()
