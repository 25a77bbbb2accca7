"""How fine a grid may be so that one patch sees all landmarks.

What a landmark is depends on where the others are: left or right, which of many alike.
So the patch has to hold them all, and where memory does not allow that at the images'
own spacing, the grid is made coarser. Where it gets much coarser, a second, fine stage
looks again at the places that this one finds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from autoseg.spec.choice import Decision
from autoseg.spec.configuration import Configuration
from autoseg.spec.fingerprint import Fingerprint
from autoseg.tasks.base import OutputStage
from planners.base import Budget
from planners.grids.patch import times
from planners.grids.spacing import Grid, choose_grid, coarser
from planners.memory.model import CONTEXT, GIB

ROOM = 1.1  # of a patch's edge to that of the landmarks' box
MOST_STEPS = 200  # 370 times coarser
STILL_FINE = 2.5  # times coarser; docs/benchmarks.md, "Landmarks and short budgets"
CPU_GB = 0.5  # docs/benchmarks.md, "Landmarks and short budgets"
FINE = {2: "2d_fine", 3: "3d_fine"}  # the fine stage, by number of axes
FINE_EDGE = {2: 256, 3: 96}  # of its patch at most: it has to see one place
FINE_BATCH = 32  # patches of a fine stage in one step at most
TOO_COARSE = 2.0  # times the images' spacing: from there on there is a fine stage
NO_FINE = "--set: 2d_fine and 3d_fine are stages of landmarks; leave them out."
NO_HEAD_STAGE = (
    "--set network.head_stage: only landmarks can be read off coarser outputs; leave "
    "it out."
)
MISSED = 3.0  # voxels that a coarse stage may be off: half of that is rare


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """The box about the landmarks of a case.

    Parameters
    ----------
    edges : tuple of float, length D
        The 95th percentile over the cases along each axis of the image, in its unit.
    """

    edges: tuple[float, ...]

    @classmethod
    def of(cls, fingerprint: Fingerprint) -> Cloud | None:
        """Return what the fingerprint says; None if it says nothing."""
        extent = fingerprint.annotation.get("extent")
        return None if extent is None else cls(edges=tuple(extent["p95"]))

    def lacking(self, made: Configuration, transpose: Sequence[int]) -> float:
        """Return how many times longer the box is than a patch with room for it.

        Parameters
        ----------
        made : Configuration
            With patch and spacing.
        transpose : sequence of int
            The image's axes in the plan's order.

        Returns
        -------
        float
            Along the worst axis; at most 1 if the box fits, or the whole case is in the
            patch.
        """
        ordered = [self.edges[axis] for axis in transpose]
        worst = 0.0
        rows = zip(
            made.patch_size, made.spacing, made.median_shape, ordered, strict=True
        )
        for patch, edge, whole, length in rows:
            if patch < whole:
                worst = max(worst, ROOM * length / (patch * edge))
        return worst


def affordable(budget: Budget, needs_all: bool) -> tuple[Budget, tuple[Decision, ...]]:
    """Return a budget whose grid the processor can train on, and why.

    Parameters
    ----------
    budget : Budget
        As given.
    needs_all : bool
        Of the task; only then does the grid depend on memory.
    """
    given = budget.memory_gb is not None
    if given or budget.processor == "gpu" or not needs_all:
        return budget, ()
    # A plan counts bytes as those of a GPU, whose context nnU-Net's count leaves out.
    besides = CONTEXT / GIB if budget.rule == "bytes" else 0.0
    gb = CPU_GB + besides
    decision = Decision(
        field="landmarks.memory",
        value=f"{gb:g} GB",
        rule="the memory that is given; else that of the planner, or, where a CPU "
        f"trains, {gb:g} GB, for which a patch is small enough to learn in an hour",
        because="no GPU was found, and no memory is given (--gpu-memory)",
    )
    return replace(budget, memory_gb=gb), (decision,)


def hold_landmarks(
    fingerprint: Fingerprint,
    grid: Grid,
    planned: Callable[[Grid], Any],
    quickly: bool,
) -> tuple[Grid, tuple[Decision, ...]]:
    """Return the finest grid on which one patch holds the landmarks, and why.

    Where a processor trains, time is short: a grid on which the patch holds the whole
    image is taken if it is not much coarser. Then all landmarks are in every patch, and
    an iteration teaches more.

    Parameters
    ----------
    fingerprint : Fingerprint
        The data set, in numbers.
    grid : Grid
        The images' own.
    planned : callable
        Plans a grid, and returns the `planners._configurations.Planning`.
    quickly : bool
        A processor trains.
    """

    def finest(grid: Grid) -> Configuration | None:
        found: Configuration | None = planned(grid).full_resolution
        return found

    cloud = Cloud.of(fingerprint)
    if cloud is None:
        return grid, ()
    found = grid_of_cloud(fingerprint, grid, cloud, finest)
    decisions = about_cloud(fingerprint, found, grid, cloud)
    if quickly:
        images = Cloud(edges=(math.inf,) * len(cloud.edges))
        whole = grid_of_cloud(fingerprint, grid, images, finest)
        pairs = list(zip(whole.spacing, found.spacing, strict=True))
        coarser_by = max(edge / other for edge, other in pairs)
        if 1 < coarser_by <= STILL_FINE:
            return whole, (*decisions, about_whole(fingerprint, whole))
    return found, decisions


def grid_of_cloud(
    fingerprint: Fingerprint,
    grid: Grid,
    cloud: Cloud,
    finest: Callable[[Grid], Configuration | None],
) -> Grid:
    """Return the finest grid on which one patch holds the landmarks.

    Parameters
    ----------
    fingerprint : Fingerprint
        The data set, in numbers.
    grid : Grid
        The images' own.
    cloud : Cloud
        What must fit; with infinite edges, the whole image.
    finest : callable
        Plans a grid, and returns the configuration with it; None: nothing fits.

    Returns
    -------
    Grid
        ``grid`` if the box fits there.
    """
    spacing = grid.ordered(grid.spacing)
    for _ in range(MOST_STEPS):
        made = finest(grid)
        if made is None or cloud.lacking(made, grid.transpose) <= 1:
            return grid
        spacing = coarser(spacing)
        wanted = [0.0] * len(spacing)
        for axis, edge in zip(grid.transpose, spacing, strict=True):
            wanted[axis] = edge
        grid = choose_grid(fingerprint, wanted)
        spacing = grid.ordered(grid.spacing)
    return grid


def about_cloud(
    fingerprint: Fingerprint, grid: Grid, own: Grid, cloud: Cloud
) -> tuple[Decision, ...]:
    """Return why the spacing is what it is."""
    unit = fingerprint.unit
    box = f"{times([round(edge, 1) for edge in cloud.edges])} {unit}"
    if grid == own:
        because = (
            f"a patch holds the landmarks' box of {box} at the images' own spacing"
        )
    else:
        because = (
            f"a patch that fits the budget holds the landmarks' box of {box} no finer"
        )
    return (
        Decision(
            field="landmarks.spacing",
            value=f"{times([round(edge, 4) for edge in grid.spacing])} {unit}",
            rule="as fine as the images, or coarser until a patch holds the landmarks "
            "of 95 % of the cases, and a tenth more",
            because=because,
        ),
    )


def about_whole(fingerprint: Fingerprint, grid: Grid) -> Decision:
    """Return why the grid is as coarse as whole images need."""
    edges = times([round(edge, 4) for edge in grid.spacing])
    return Decision(
        field="landmarks.whole",
        value=f"{edges} {fingerprint.unit}",
        rule="where a CPU trains, coarse enough for a patch to hold the whole image, "
        f"if that is at most {STILL_FINE:g} times coarser than the landmarks take",
        because="all landmarks are in every patch then, and in an hour more is learnt",
    )


def too_coarse(coarse: Configuration, own: Sequence[float]) -> bool:
    """Return whether a grid loses so much that there should be a fine stage.

    Parameters
    ----------
    coarse : Configuration
        Whose patch holds the landmarks.
    own : sequence of float, length D
        Spacing of the images.
    """
    pairs = zip(coarse.spacing, own, strict=True)
    return any(edge > TOO_COARSE * fine for edge, fine in pairs)


def lacking_fine(made: Configuration, coarse: Configuration, reach: float) -> float:
    """Return how many times coarser a fine stage must be to forgive coarse mistakes.

    Parameters
    ----------
    made, coarse : Configuration
        The fine stage and the first one.
    reach : float
        A landmark is looked for where the middle of the fine stage's patch is, up to
        this share of its edge away, which has to be as long as what the coarse stage
        may be off.

    Returns
    -------
    float
        At most 1 if it forgives them as it is.
    """
    rows = zip(made.patch_size, made.spacing, coarse.spacing, strict=True)
    return max(
        MISSED * wide / (patch * edge * reach) if edge < wide else 0.0
        for patch, edge, wide in rows
    )


def about_fine(
    name: str,
    coarse: Configuration,
    own: Sequence[float],
    fingerprint: Fingerprint,
    made: Configuration | None = None,
    wanted: bool = False,
) -> Decision:
    """Return why there is a fine stage, or none."""
    unit = fingerprint.unit
    because = (
        f"landmarks are held at {times([round(e, 3) for e in coarse.spacing])} {unit}, "
        f"images have {times([round(e, 3) for e in own])} {unit}"
    )
    if made is not None and wanted:
        because = f"set by the user; {because}"
    value = "left out"
    if made is not None:
        value = f"planned, {times([round(e, 4) for e in made.spacing])} {unit}"
    return Decision(
        field=name,
        value=value,
        rule=f"a second stage, if the first is more than {TOO_COARSE:g} times coarser "
        "than the images: it looks where the first one finds the landmarks, at the "
        f"images' own spacing, or coarser until a quarter of its patch is {MISSED:g} "
        "voxels of the first",
        because=because,
    )


def about_outputs(name: str, made: Configuration, stage: OutputStage) -> Decision:
    """Return why outputs have the resolution that they have."""
    return Decision(
        field=f"{name}.network.head_stage",
        value=f"{made.network.options.get('head_stage', 0)}, a place in "
        f"{times(made.head_stride)} voxels",
        rule=stage.rule,
        because=stage.because,
    )
