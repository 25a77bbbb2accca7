"""The largest patch and batch within a budget."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from autoseg.errors import PlanError, UsageError
from planners.grids.shrinking import shrinking
from planners.grids.topology import Topology, blunt_topology, find_topology

LARGEST = {2: 2048, 3: 256}  # edge of the cube or square that planning starts from
LEAST_BATCH = 2
GUESSES = 3


class Cost(Protocol):
    """Says what a topology costs; `memory.elements` and `memory.bytes`.

    Attributes
    ----------
    steady : bool
        More memory must never give fewer voxels in a step.
    least_edge : int
        A patch is not made shorter than that.
    """

    steady: ClassVar[bool]
    least_edge: ClassVar[int]

    def fits(self, topology: Topology, batch_size: int | None = None) -> bool:
        """Return whether a patch need not shrink, for this batch or the least."""

    def kind(self, topology: Topology) -> Hashable:
        """Return what is equal for patches of which the larger ones need more."""

    def likely(self, patches: Sequence[Topology], batch_size: int | None) -> int | None:
        """Return the place of the first of smaller patches that may fit, if known."""

    def largest_batch(self, topology: Topology) -> int:
        """Return the largest batch size that fits."""

    def needed_gb(self, topology: Topology, batch_size: int | None = None) -> float:
        """Return the memory at which this patch would fit."""


class TooLarge(PlanError):
    """Not even the smallest patch fits.

    Parameters
    ----------
    topology : Topology
        Of the smallest patch.
    batch_size : int
        Of the smallest batch.
    needed_gb : float
        What it needs.
    """

    def __init__(self, topology: Topology, batch_size: int, needed_gb: float) -> None:
        self.topology = topology
        self.needed_gb = math.ceil(needed_gb * 100) / 100
        super().__init__(
            f"the smallest patch, {times(topology.patch_size)} with a batch of "
            f"{batch_size}, needs {self.needed_gb:.2f} GB"
        )


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a patch is sought for.

    Parameters
    ----------
    spacing, median_shape : tuple of float, length D
        The grid.
    most_voxels : float
        Voxels that one batch may hold, so that it is no large part of the data set.
    patch_size : tuple of int, length D, or None
        Fixed by the user.
    batch_size : int or None
        Fixed by the user.
    most_stages : int or None
        The network has no more resolutions than that.
    largest : int or None
        Edge of the cube or square that planning starts from; None: `LARGEST`.
    divisors, least : tuple of int, length D, or None
        What edges must be multiples of, and at least; None: as a U-Net's.
    gpus : int
        How many share a batch, each within the budget.
    """

    spacing: tuple[float, ...]
    median_shape: tuple[float, ...]
    most_voxels: float
    patch_size: tuple[int, ...] | None = None
    batch_size: int | None = None
    most_stages: int | None = None
    largest: int | None = None
    divisors: tuple[int, ...] | None = None
    least: tuple[int, ...] | None = None
    gpus: int = 1

    @property
    def share(self) -> int | None:
        """The most that a GPU has of the batch that the user fixed."""
        return None if self.batch_size is None else -(-self.batch_size // self.gpus)

    def topology(self, patch_size: Sequence[float]) -> Topology:
        """Return the topology of a patch."""
        if self.divisors is not None:
            return blunt_topology(patch_size, self.divisors, self.least)
        return find_topology(self.spacing, patch_size, self.most_stages)


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A patch with its batch, and how they were found.

    Parameters
    ----------
    topology : Topology
        With the patch.
    batch_size : int
        Patches in one step.
    first : tuple of int, length D
        The patch that planning started from, clipped to the median shape.
    steps : int
        How often it was made smaller.
    limit : str
        What the batch is limited by: ``"memory"``, ``"data"`` (it is a large part of
        the data set), ``"patch"`` (memory is kept for the next larger patch),
        ``"least"`` or ``"user"``.
    """

    topology: Topology
    batch_size: int
    first: tuple[int, ...]
    steps: int
    limit: str


def initial_patch(
    spacing: Sequence[float],
    median_shape: Sequence[float],
    largest: int | None = None,
) -> tuple[float, ...]:
    """Return a patch that is as long on all axes in millimeters, if cases are.

    Parameters
    ----------
    spacing : sequence of float, length D
        Edge of a voxel.
    median_shape : sequence of float, length D
        No edge is longer than the median case.
    largest : int, optional
        Edge of a cube or square of as many voxels; by default that of `LARGEST`.

    Returns
    -------
    tuple of number, length D
        Of 256 ** 3 or 2048 ** 2 voxels, by default, before it is clipped.

    Examples
    --------
    >>> initial_patch((4.0, 1.0, 1.0), (1000.0, 1000.0, 300.0))
    (102, 406, 300.0)
    """
    dim = len(spacing)
    inverse = [1 / step for step in spacing]
    scale = ((largest or LARGEST[dim]) ** dim / math.prod(inverse)) ** (1 / dim)
    wanted = [max(1, round(edge * scale)) for edge in inverse]
    patch = list(map(min, wanted, median_shape))
    if math.prod(patch) < 2:
        patch[-1] = 2  # a single voxel has no deviation to normalize by
    return tuple(patch)


def fit_patch(request: Request, cost: Cost) -> Fit:
    """Shrink the patch until it fits, then enlarge the batch until it does not.

    The axis whose patch is longest relative to the median case is shortened first, by
    as little as the network's strides allow.

    Parameters
    ----------
    request : Request
        The grid, and what the user fixed.
    cost : Cost
        The budget.

    Returns
    -------
    Fit
        With a batch of at least two, unless the user fixed one.

    Raises
    ------
    TooLarge
        If not even the smallest patch fits.
    UsageError
        If what the user fixed does not fit; with what does.
    """
    if request.patch_size is not None:
        return _fit_fixed(request, cost, request.patch_size)
    start = initial_patch(request.spacing, request.median_shape, request.largest)
    tried: list[Topology] = []
    row = _smaller(request.topology(start), request, cost)
    for _, run in itertools.groupby(row, cost.kind):
        patches = list(run)
        if not tried and cost.fits(patches[0], request.share):
            place: int | None = 0
        else:
            place = _first_that_fits(patches, request, cost, 0 if tried else 1)
        if place is not None:
            tried += patches[:place]
            larger, topology = tried[-1] if tried else None, patches[place]
            batch, limit = _batch(request, cost, topology, larger)
            return Fit(
                topology=topology,
                batch_size=batch,
                first=(tried or patches)[0].patch_size,
                steps=len(tried),
                limit=limit,
            )
        tried += patches
    needed = cost.needed_gb(tried[-1], request.share)
    raise TooLarge(tried[-1], request.share or LEAST_BATCH, needed)


def _first_that_fits(
    patches: Sequence[Topology], request: Request, cost: Cost, begin: int
) -> int | None:
    """Return the place, from one on, of the largest that fits; None if none does.

    Patches come as they shrink, so that few have to be counted: those where the budget
    is likely to end, and then, if that was not near, halves.
    """
    low, high = begin - 1, len(patches)  # too large, and small enough
    for tried in itertools.count():
        if high - low == 1:
            break
        guess = cost.likely(patches, request.share) if tried < GUESSES else None
        if guess is None:
            place = (low + high) // 2 if tried else high - 1
        else:
            place = min(max(guess, low + 1), high - 1)
        if cost.fits(patches[place], request.share):
            high = place
        else:
            low = place
    return high if high < len(patches) else None


def _smaller(first: Topology, request: Request, cost: Cost) -> Iterator[Topology]:
    """Yield the topologies of smaller and smaller patches, from one on."""
    return shrinking(first, request.topology, request.median_shape, cost.least_edge)


def _batch(
    request: Request, cost: Cost, topology: Topology, larger: Topology | None
) -> tuple[int, str]:
    if request.batch_size is not None:
        return request.batch_size, "user"
    voxels = math.prod(topology.patch_size)
    limits = {
        "memory": request.gpus * cost.largest_batch(topology),
        "data": round(request.most_voxels / voxels),
    }
    if cost.steady and larger is not None:
        # With more memory the larger patch comes, in a batch of two. If the batch had
        # more voxels than that now, more memory would mean fewer.
        most = LEAST_BATCH * math.prod(larger.patch_size) // voxels
        limits["patch"] = request.gpus * most
    limit = min(limits, key=lambda name: limits[name])
    least = max(LEAST_BATCH, request.gpus)  # a sample for each
    if limits[limit] < least:
        return least, "least"
    return limits[limit], limit


def _fit_fixed(request: Request, cost: Cost, wanted: tuple[int, ...]) -> Fit:
    topology = request.topology(wanted)
    if topology.patch_size != wanted:
        below = _multiple_below(request, wanted)
        raise UsageError(
            f"A patch of {times(wanted)} cannot be halved as often as its network does "
            f"({times(topology.divisors)} times smaller at the bottom). Give "
            f"{times(below)} or {times(topology.patch_size)}."
        )
    if not cost.fits(topology, request.share):
        raise UsageError(_what_fits(request, cost, topology))
    batch, limit = _batch(request, cost, topology, None)
    return Fit(topology=topology, batch_size=batch, first=wanted, steps=0, limit=limit)


def _multiple_below(request: Request, wanted: tuple[int, ...]) -> tuple[int, ...]:
    """Return a patch that is not larger along any axis and can be halved."""
    patch = wanted
    while True:
        topology = request.topology(patch)
        if topology.patch_size == patch:
            return patch
        patch = tuple(
            max(1, n // step * step if padded != n else n)
            for n, step, padded in zip(
                patch, topology.divisors, topology.patch_size, strict=True
            )
        )


def _what_fits(request: Request, cost: Cost, topology: Topology) -> str:
    batch = request.share or LEAST_BATCH
    each = " on each GPU" if request.gpus > 1 else ""
    text = (
        f"A patch of {times(topology.patch_size)} with a batch of {batch}{each} needs "
        f"{cost.needed_gb(topology, request.share):.2f} GB, which is more than "
        "the budget."
    )
    most = min(cost.largest_batch(topology), batch - 1)
    if most >= 1 and cost.fits(topology, most):
        text += f" A batch of {most} fits with this patch."
    row = _smaller(topology, request, cost)
    smaller = next((one for one in row if cost.fits(one, request.share)), None)
    if smaller is not None:
        text += f" A patch of {times(smaller.patch_size)} fits with this batch."
    return text


def times(shape: Sequence[float]) -> str:
    """Return a shape as people write it.

    Examples
    --------
    >>> times((40, 56.5, 40))
    '40 x 56.5 x 40'
    """
    return " x ".join(f"{edge:.6g}" for edge in shape)
