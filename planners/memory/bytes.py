"""The budget rule ``bytes``: a step never needs more than the device has."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from planners._family import Family
from planners.grids.patch import LEAST_BATCH
from planners.grids.topology import MIN_EDGE, Topology
from planners.memory.elements import Elements
from planners.memory.model import (
    BYTES,
    GIB,
    LossCost,
    Setting,
    StepCost,
    reserve,
    step_cost,
)

MOST_BATCH = 2**16
# Elements kept for each that a convolution writes: 2, but for the projected short cuts
# of residual blocks, where it is 1.5 or more; at least 5.5 for 3 in a block.
SAVED_PER_ELEMENT = 1.8
# If maps are made again: 1, but for short cuts that are counted and need no projection.
SAVED_IF_RECOMPUTED = 0.6


@dataclass(frozen=True, kw_only=True)
class ByteBudget:
    """Decides by the predicted peak of a training step.

    Parameters
    ----------
    family : Family
        Kind of network.
    memory_gb : float
        Device memory, in units of 2 ** 30 bytes.
    in_channels : int
        Channels of the image, in a cascade with those of the previous stage.
    heads : sequence of LossCost
        The outputs.
    setting : Setting
        Precision, optimizer, device.
    """

    family: Family
    memory_gb: float
    in_channels: int
    heads: Sequence[LossCost]
    setting: Setting = Setting()
    counted: Elements = field(init=False, repr=False, compare=False)
    _known: dict[Topology, StepCost] = field(
        default_factory=dict, repr=False, compare=False
    )

    steady: ClassVar[bool] = True
    least_edge: ClassVar[int] = 2 * MIN_EDGE  # what can be halved once

    def __post_init__(self) -> None:
        object.__setattr__(self, "counted", Elements(self.family))

    def step(self, topology: Topology) -> StepCost:
        """Return what a step on patches of a topology costs."""
        if topology not in self._known:
            network, options = self.family.trained(topology)
            self._known[topology] = step_cost(
                network,
                options,
                topology.patch_size,
                in_channels=self.in_channels,
                heads=self.heads,
                setting=self.setting,
            )
        return self._known[topology]

    def needed_gb(self, topology: Topology, batch_size: int | None = None) -> float:
        """Return the memory that a step needs, with what the device loses besides."""
        peak = self.step(topology).total(batch_size or LEAST_BATCH)
        return (peak + reserve(peak, self.setting)) / GIB

    def parts(self, topology: Topology, batch_size: int) -> dict[str, float]:
        """Return the bytes at the peak of a step, by part, and the reserve.

        Nothing, if nobody knows what the network needs that is trained.
        """
        if self.family.unknown is not None:
            return {}
        peak = self.step(topology).peak(batch_size)
        peak["reserve"] = reserve(sum(peak.values()), self.setting)
        return {part: float(round(size)) for part, size in peak.items()}

    def kind(self, topology: Topology) -> Hashable:
        """Return name and options: of one network, a larger patch needs more."""
        family = self.family
        if family.other is not None or family.operations is not None:
            return topology  # measured, or narrower for a larger patch
        name, options = family.trained(topology)
        options = {key: value for key, value in options.items() if key != "patch"}
        return name, repr(sorted(options.items()))

    def fits(self, topology: Topology, batch_size: int | None = None) -> bool:
        """Return whether a step with this batch, two by default, fits."""
        if topology not in self._known and self.family.other is None:
            # Most patches on the way down are far too large: no need to walk.
            elements = self.counted.of(topology)
            recompute = self.setting.makes_again
            share = SAVED_IF_RECOMPUTED if recompute else SAVED_PER_ELEMENT
            floor = share * elements * BYTES[self.setting.precision]
            if floor * (batch_size or LEAST_BATCH) > self.memory_gb * GIB:
                return False
        return self.needed_gb(topology, batch_size) <= self.memory_gb

    def likely(self, patches: Sequence[Topology], batch_size: int | None) -> int | None:
        """Return the place of the first of smaller patches that may fit, if known.

        On a line through the two patches nearest to the budget whose steps are known,
        or through one and nothing: most of a step grows with the voxels.
        """
        known = sorted(
            (abs(needed - self.memory_gb), math.prod(patch.patch_size), needed)
            for patch in patches
            if patch in self._known
            for needed in (self.needed_gb(patch, batch_size),)
        )
        if not known:
            return None
        (_, voxels, needed), *others = known
        slope = needed / voxels
        if others and others[0][1] != voxels:
            slope = (needed - others[0][2]) / (voxels - others[0][1])
        most = voxels + (self.memory_gb - needed) / slope if slope > 0 else voxels
        sizes = (math.prod(patch.patch_size) for patch in patches)
        return next((n for n, size in enumerate(sizes) if size <= most), len(patches))

    def largest_batch(self, topology: Topology) -> int:
        """Return the largest batch size that fits, 0 if none does."""
        low, high = 0, 1
        while high <= MOST_BATCH and self.fits(topology, high):
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            if self.fits(topology, middle):
                low = middle
            else:
                high = middle
        return low
