"""How long predicting after the training of a fold will take, for a time budget."""

from __future__ import annotations

import math
from collections.abc import Sequence

from autoseg.parallel import default_workers
from autoseg.predict.options import OPPOSITE, mirror_of, step_size_of
from autoseg.train.after.kinds.tuning import MOST_VOXELS, cases_to_tune
from autoseg.train.setup.job import Job

CASE_SECONDS = 0.5  # to read, write and score a validation case
DECODING_SECONDS = 2e-5  # of tuning a voxel: some forty times decoded and counted


def validation_seconds(job: Job, window: float) -> float:
    """Return the expected time of predicting and scoring the validation cases.

    Parameters
    ----------
    job : Job
        A fold.
    window : float
        Seconds that its network takes for one window.
    """
    return _cases_seconds(job, window) + _tuning_seconds(job)


def images_seconds(job: Job, window: float, count: int) -> float:
    """Return the expected time of predicting new images like the validation cases.

    Parameters
    ----------
    job : Job
        A fold.
    window : float
        Seconds that its network takes for one window.
    count : int
        Of the images.
    """
    return count * _cases_seconds(job, window) / max(1, len(job.validation))


def _cases_seconds(job: Job, window: float) -> float:
    """Return the expected time of predicting and scoring the validation cases."""
    looked_at = sum(_voxels_of_windows(job, case) for case in job.validation)
    windows = looked_at / math.prod(job.settings.patch_size)
    copies = _copies(job)
    return windows * copies * window + CASE_SECONDS * len(job.validation)


def _copies(job: Job) -> int:
    """Return how often each window is looked at, mirrored copies counted."""
    axes, mirror = job.settings.mirror_axes, mirror_of(job.task, job.settings.dim)
    if not mirror or not axes:
        return 1
    return 2 if mirror == OPPOSITE else int(2 ** len(axes))


def _voxels_of_windows(job: Job, case: str) -> float:
    """Return the voxels of all windows that a case is predicted in, each as often.

    A fine stage looks at a window for each landmark at most, and its coarse one, whose
    network is taken to be as dear for a voxel, at all of the image.
    """
    here, shape = job.settings, job.store.open(case).shape
    everywhere = _in_windows(shape, here.patch_size, job)
    if not job.is_fine:
        return everywhere
    coarse = job.plan.configuration(str(here.previous))
    sizes = zip(shape, here.spacing, coarse.spacing, strict=True)
    smaller = [size * fine / other for size, fine, other in sizes]
    about_each = float(len(job.task.classes) * math.prod(here.patch_size))
    return min(everywhere, about_each) + _in_windows(smaller, coarse.patch_size, job)


def _in_windows(shape: Sequence[float], patch: Sequence[int], job: Job) -> float:
    """Return the voxels of all windows over an image; axes not cut come first."""
    step, whole = step_size_of(job.task), len(shape) - len(patch)
    voxels = math.prod(shape[:whole])
    for size, edge in zip(shape[whole:], patch, strict=True):
        voxels *= edge * (math.ceil(max(0, size - edge) / (edge * step)) + 1)
    return voxels


def _tuning_seconds(job: Job) -> float:
    """Return the expected time of tuning how outputs are decoded."""
    if not job.task.tunable or job.fold == "all":
        return 0.0
    cases = cases_to_tune(job.validation)
    voxels = sum(math.prod(job.store.open(case).shape) for case in cases)
    return DECODING_SECONDS * min(voxels, MOST_VOXELS) / default_workers()
