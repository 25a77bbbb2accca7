"""How small a patch may be made so that a network learns more in a short time.

A patch is planned as large as a GPU's memory allows. Where time is short, it takes
steps from the network: on pictures of 1,000 x 1,000 one of 1,024 x 1,024 got 143 of
them in ten minutes on a CPU, and one of 256 x 256 got 946 in eight, and three times the
score.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autoseg.errors import PlanError
from autoseg.spec.configuration import Configuration
from autoseg.spec.fingerprint import Fingerprint
from autoseg.train.setup.job import Job
from planners.grids.topology import MIN_EDGE

SURROUNDINGS = 4.0  # diameters of a large object that a patch holds along each axis
LEAST_EDGE = {2: 256, 3: 64}  # voxels; docs/train.md, "A time budget"
LEAST_SHARE = 0.5  # of the planned edge, where nobody knows how large things are
STEP = 2.0  # from one patch that is tried to the next
FEWEST_STAGES = 2


@dataclass(frozen=True)
class Patch:
    """A patch, and what of the network fits into it.

    Parameters
    ----------
    size : tuple of int, length D
        Edges.
    stages : int
        Of the network.
    """

    size: tuple[int, ...]
    stages: int


def smaller_patches(job: Job, widths: str) -> list[Patch]:
    """Return patches that may be tried instead of the planned one, smallest first.

    Parameters
    ----------
    job : Job
        As planned.
    widths : str
        The network's option with the width of each stage.

    Returns
    -------
    list of Patch
        Each of them still sees an object with its surroundings. Empty where the patch
        has to stay: where it must hold all landmarks, in a stage that follows another,
        and where the network says no strides.
    """
    settings = job.settings
    strides = settings.network.options.get("strides")
    measured = measured_of(job)
    holds_all = isinstance(measured.get("extent"), Mapping) and isinstance(
        measured["extent"].get("p95"), list
    )
    if settings.previous is not None or holds_all or not isinstance(strides, Sequence):
        return []
    stages = len(settings.network.options[widths])
    wanted = least_edges(settings, measured)
    found: list[Patch] = []
    while all(edge > 0 for edge in wanted):
        patch = _rounded(wanted, settings.patch_size, strides, stages)
        if patch.size == tuple(settings.patch_size) or len(found) > len(strides):
            break
        if patch not in found:
            found.append(patch)
        wanted = [edge * STEP for edge in wanted]
    return found


def least_edges(settings: Configuration, measured: Mapping[str, Any]) -> list[float]:
    """Return the shortest edges of a patch that still sees an object with more.

    Parameters
    ----------
    settings : Configuration
        As planned.
    measured : mapping
        The fingerprint's numbers of annotations.

    Returns
    -------
    list of float, length D
        In voxels, never more than planned.
    """
    floor = LEAST_EDGE[settings.dim]
    diameter = measured.get("diameter")
    edges = []
    for planned, spacing in zip(settings.patch_size, settings.spacing, strict=True):
        if isinstance(diameter, Mapping) and diameter.get("p95"):
            least = SURROUNDINGS * float(diameter["p95"]) / spacing
        else:
            least = LEAST_SHARE * planned
        edges.append(min(float(planned), max(floor, least)))
    return edges


def measured_of(job: Job) -> Mapping[str, Any]:
    """Return the fingerprint's numbers of annotations; empty where there is none."""
    path = job.workspace.fingerprint
    if not path.is_file():
        return {}
    try:
        return Fingerprint.load(path).annotation
    except PlanError:
        return {}


def _rounded(
    wanted: Sequence[float],
    planned: Sequence[int],
    strides: Sequence[Any],
    stages: int,
) -> Patch:
    """Return a patch that the first stages of a network can halve, and how many."""
    dim = len(planned)
    while True:
        divisors = [
            math.prod(_along(stride, axis) for stride in strides[:stages])
            for axis in range(dim)
        ]
        size = tuple(
            min(whole, math.ceil(edge / step) * step)
            for edge, step, whole in zip(wanted, divisors, planned, strict=True)
        )
        pairs = zip(size, divisors, planned, strict=True)
        # Where the planned patch ends up shorter, it was meant to.
        roomy = all(n >= MIN_EDGE * d or n == whole for n, d, whole in pairs)
        if roomy or stages <= FEWEST_STAGES:
            return Patch(size, stages)
        stages -= 1


def _along(stride: Any, axis: int) -> int:
    return int(stride[axis] if isinstance(stride, Sequence) else stride)
