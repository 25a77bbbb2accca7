"""nnU-Net's budget rule: feature map elements against a constant.

The count stands for memory only roughly: it leaves out loss, deep supervision,
precision and optimizer. It is here so that plans equal nnU-Net's; `memory.model`
knows the bytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from planners._family import Family
from planners._patch import LEAST_BATCH
from planners._topology import Topology

REFERENCE_BATCH = {2: 12, 3: 2}


def count_elements(
    shapes: Sequence[Sequence[int]], options: Mapping[str, Any], channels: int
) -> int:
    """Return the numbers that a network's convolutions write for one patch.

    Parameters
    ----------
    shapes : sequence of sequence of int, shape (stages, D)
        Spatial shape of each stage's feature maps; the first is the patch.
    options : mapping
        The network's options in the plan.
    channels : int
        Channels of the final head; those of deep supervision are not counted.

    Returns
    -------
    int
        For a batch of one.

    Examples
    --------
    >>> halves = [[1, 1]] + [[2, 2]] * 7
    >>> plain = {
    ...     "features": [32, 64, 128, 256, 512, 512, 512, 512],
    ...     "strides": halves,
    ...     "convs_encoder": [2] * 8,
    ...     "convs_decoder": [2] * 7,
    ... }
    >>> shapes = [(512 >> stage, 512 >> stage) for stage in range(8)]
    >>> count_elements(shapes, plain, channels=3)
    82886656
    """
    features, strides = options["features"], options["strides"]
    maps = [f * math.prod(s) for f, s in zip(features, shapes, strict=True)]
    finest = options.get("head_stage", 0)
    total = channels * math.prod(shapes[finest])
    if "blocks" in options:
        total += maps[0]  # the stem
        before = features[0]
        for stage, blocks in enumerate(options["blocks"]):
            total += 2 * blocks * maps[stage]
            if features[stage] != before or max(strides[stage]) > 1:
                total += maps[stage]  # the skip of the first block is projected
            before = features[stage]
    else:
        pairs = zip(options["convs_encoder"], maps, strict=True)
        total += sum(convs * elements for convs, elements in pairs)
    for stage, convs in enumerate(reversed(options["convs_decoder"])):
        if len(maps) - 2 - stage >= finest:
            total += (1 + convs) * maps[len(maps) - 2 - stage]  # 1: the upsampling
    return total


@dataclass(frozen=True, kw_only=True)
class ElementBudget:
    """Decides by nnU-Net's estimate.

    Parameters
    ----------
    family : Family
        Kind of network.
    memory_gb : float
        Device memory; the reference number of elements grows with it.
    channels : int
        Channels of the final head, as nnU-Net counts them: all labels.
    """

    family: Family
    memory_gb: float
    channels: int

    steady: ClassVar[bool] = False
    least_edge: ClassVar[int] = 1

    def reference(self, dim: int) -> float:
        """Return the most elements of a batch of the reference size."""
        return self.family.elements[dim] * self.memory_gb / self.family.memory_gb

    def elements(self, topology: Topology) -> int:
        """Return the estimate for one patch."""
        options = self.family.options(topology)
        return count_elements(topology.shapes(), options, self.channels)

    def fits(self, topology: Topology, batch_size: int | None = None) -> bool:
        """Return whether a patch need not shrink, for a given batch or any."""
        dim = len(topology.patch_size)
        return self._counted(topology, batch_size) <= self.reference(dim)

    def largest_batch(self, topology: Topology) -> int:
        """Return the batch size that the estimate allows."""
        dim = len(topology.patch_size)
        share = self.reference(dim) / self.elements(topology)
        return round(share * REFERENCE_BATCH[dim])

    def needed_gb(self, topology: Topology, batch_size: int | None = None) -> float:
        """Return the least memory at which `fits` holds."""
        dim = len(topology.patch_size)
        used = self._counted(topology, batch_size) / self.family.elements[dim]
        return used * self.family.memory_gb

    def _counted(self, topology: Topology, batch_size: int | None) -> float:
        reference = REFERENCE_BATCH[len(topology.patch_size)]
        if batch_size is not None:
            share = batch_size / reference
        else:
            share = LEAST_BATCH / reference if self.family.whole_batch else 1.0
        return self.elements(topology) * share
