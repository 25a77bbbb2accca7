"""What preprocessing will need, from the fingerprint, before it starts."""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from autoseg.errors import FormatError, UsageError
from autoseg.geometry.resample import resample_image, resampled_shape
from autoseg.preprocess.reach import must_be_in_reach
from autoseg.spec.configuration import Configuration
from autoseg.spec.fingerprint import Fingerprint
from autoseg.spec.plan import Plan

IMAGE_BYTES = 2  # float16, for each voxel and channel, before compression
ANNOTATION_BYTES = 0.2  # int8 label maps shrink to less than that
EXTREME = 1000  # times its voxels: no spacing of an image differs so from the others'
BEST_COMPRESSION = 0.5  # of normalized float16 images; noise does not compress

log = logging.getLogger(__name__)


def expected_bytes(
    fingerprint: Fingerprint, plan: Plan, configuration: str, num_cases: int
) -> int:
    """Return about how many bytes the cases of a configuration take on disk at most.

    Parameters
    ----------
    fingerprint : Fingerprint
        Its shapes and spacings stand for all cases.
    plan : Plan
        Gives axis order and spacings.
    configuration : str
        Name of the configuration.
    num_cases : int
        How many cases are to be written.

    Returns
    -------
    int
        Bytes of float16 images that do not compress, and of annotations that do.
    """
    voxels = [
        math.prod(new) for _, new, _, _ in _grids(fingerprint, plan, configuration)
    ]
    each = len(plan.channels) * IMAGE_BYTES + ANNOTATION_BYTES
    return round(float(np.mean(voxels)) * each * num_cases)


def check_space(
    fingerprint: Fingerprint,
    plan: Plan,
    configurations: Sequence[str],
    num_cases: int,
    folder: Path,
) -> None:
    """Raise if the disk cannot hold the preprocessed cases, warn if it may not.

    Parameters
    ----------
    fingerprint : Fingerprint
        Its shapes and spacings stand for all cases.
    plan : Plan
        Gives axis order and spacings.
    configurations : sequence of str
        Which will be written.
    num_cases : int
        How many cases each.
    folder : Path
        Where; need not exist.

    Raises
    ------
    UsageError
        If even well compressed data would not fit.
    """
    need = sum(
        expected_bytes(fingerprint, plan, name, num_cases) for name in configurations
    )
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < BEST_COMPRESSION * need:
        raise UsageError(
            f"{num_cases} cases in {', '.join(configurations)} will take "
            f"{_gigabytes(BEST_COMPRESSION * need)} to {_gigabytes(need)}, but the "
            f"disk of {folder} has {_gigabytes(free)} left. Free some, give --root on "
            "another disk, or choose fewer configurations with -c."
            + _about_extremes(fingerprint, plan, configurations)
        )
    if free < need:
        log.warning(
            "preprocessed cases may take up to %s; the disk of %s has %s left.",
            _gigabytes(need),
            folder,
            _gigabytes(free),
        )


def check_growth(
    fingerprint: Fingerprint,
    plan: Plan,
    configurations: Sequence[str],
    ids: Sequence[str],
) -> None:
    """Refuse cases whose size must be a mistake, before anything is written.

    Parameters
    ----------
    fingerprint : Fingerprint
        Its shapes and spacings are those of the cases, unless they are a sample.
    plan : Plan
        Gives axis order and spacings.
    configurations : sequence of str
        Which will be written.
    ids : sequence of str
        Of all training cases, in order.

    Raises
    ------
    FormatError
        If a case would have a thousand times its voxels; names it.
    """
    named = len(ids) == len(fingerprint.shapes)
    for configuration in configurations:
        for index, grid in enumerate(_grids(fingerprint, plan, configuration)):
            shape, new_shape, spacing, new_spacing = grid
            try:
                must_be_in_reach(shape, new_shape, spacing, new_spacing)
            except FormatError as error:
                case = f"case {ids[index]}" if named else "a case"
                raise FormatError(f"{case}, {configuration}: {error}") from None


def _about_extremes(
    fingerprint: Fingerprint, plan: Plan, configurations: Sequence[str]
) -> str:
    """Return a sentence about the case that grows most, if it grows beyond reason."""
    growth, shape, spacing, new = max(
        (math.prod(new) / math.prod(shape), shape, spacing, new)
        for name in configurations
        for shape, new, spacing, _ in _grids(fingerprint, plan, name)
    )
    if growth < EXTREME:
        return ""
    return (
        f" One case has {list(shape)} voxels of {list(spacing)} {fingerprint.unit} and "
        f"would get {list(new)}, {growth:.3g} times as many: its spacing is hardly "
        "right. `autoseg check` names such cases."
    )


def prepare_threads(
    fingerprint: Fingerprint, plan: Plan, configurations: Sequence[str]
) -> None:
    """Load what resampling needs, if any case will be resampled.

    Loading it in the threads that resample would be too late to tell it that each of
    them computes alone.

    Parameters
    ----------
    fingerprint : Fingerprint
        Its shapes and spacings stand for all cases.
    plan : Plan
        Gives axis order and spacings.
    configurations : sequence of str
        Which will be resampled to.
    """
    for name in configurations:
        for shape, new_shape, spacing, new_spacing in _grids(fingerprint, plan, name):
            if shape != new_shape:
                small = np.zeros((1, *(2,) * len(shape)), np.float32)
                resample_image(
                    small,
                    (3,) * len(shape),
                    spacing,
                    new_spacing,
                    plan.configuration(name).resampling,
                )
                return


def target_grid(
    shape: Sequence[int], spacing: Sequence[float], configuration: Configuration
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return shape and spacing of a case after resampling.

    Parameters
    ----------
    shape : sequence of int, length D
        Voxels of the cropped case along its axes in the plan's order.
    spacing : sequence of float, length D
        Edge of a voxel, same order.
    configuration : Configuration
        If it has fewer axes than the case, the first keep their spacing.

    Returns
    -------
    (tuple of int, tuple of float)
        Shape and spacing.
    """
    new = (*spacing[: len(spacing) - configuration.dim], *configuration.spacing)
    return resampled_shape(shape, spacing, new), new


def _grids(
    fingerprint: Fingerprint, plan: Plan, configuration: str
) -> Iterator[
    tuple[tuple[int, ...], tuple[int, ...], tuple[float, ...], tuple[float, ...]]
]:
    """Give shape, new shape, spacing and new spacing of each case of the sample."""
    target = plan.configuration(configuration)
    for shape, spacing in zip(fingerprint.shapes, fingerprint.spacings, strict=True):
        shape = tuple(shape[axis] for axis in plan.transpose)
        spacing = tuple(spacing[axis] for axis in plan.transpose)
        new_shape, new_spacing = target_grid(shape, spacing, target)
        yield shape, new_shape, spacing, new_spacing


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.3g} GB"
