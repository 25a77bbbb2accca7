"""nnU-Net's budget rule: feature map elements against a constant.

The count stands for memory only roughly: it leaves out loss, deep supervision,
precision and optimizer. It is here so that plans equal nnU-Net's; `memory.model`
knows the bytes.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from autoseg.blueprints.drawing import Drawing
from planners._family import Family
from planners.grids.patch import LEAST_BATCH
from planners.grids.topology import Topology

REFERENCE_BATCH = {2: 12, 3: 2}


def count_elements(drawing: Drawing, channels: int) -> int:
    """Return the numbers that a network's convolutions write for one patch.

    Parameters
    ----------
    drawing : Drawing
        The network, on the patch.
    channels : int
        Channels of the final head; those of deep supervision are not counted.

    Returns
    -------
    int
        For a batch of one.

    Examples
    --------
    >>> from planners.grids.topology import Topology
    >>> from autoseg.networks.plain_unet import PlainUNet
    >>> halves, cubes = ((1, 1), *[(2, 2)] * 7), ((3, 3),) * 8
    >>> patch = Topology(patch_size=(512, 512), strides=halves, kernels=cubes)
    >>> options = PlainUNet.plan(patch, {})
    >>> count_elements(PlainUNet.drawing(options, (512, 512), 1, 1), channels=3)
    82886656
    """
    total = channels * drawing.tensors[drawing.finest_first()[0].logits].voxels
    maker: dict[int, str] = {}
    for layer in drawing.layers:
        made = drawing.tensors[layer.outputs[0]]
        if layer.kind in ("conv", "deconv"):
            total += made.channels * made.voxels
        elif layer.kind == "add":
            # nnU-Net counts a projection of every short cut that is pooled, also where
            # equal channels need none.
            pooled = [n for n in layer.inputs if maker.get(n) == "avg_pool"]
            total += len(pooled) * made.channels * made.voxels
        maker[made.number] = layer.kind
    return total


@dataclass(frozen=True)
class Elements:
    """Counts the elements of a family on patches, those of heads left out.

    Feature maps grow with the patch: a network is drawn once for all patches that it
    halves in the same way.

    Parameters
    ----------
    family : Family
        The network.
    """

    family: Family
    _known: dict[Any, tuple[int, int]] = field(default_factory=dict, repr=False)

    def of(self, topology: Topology) -> int:
        """Return the elements for one patch."""
        key: Any = topology.strides, topology.kernels
        if self.family.operations is not None:  # widths follow from the patch
            key = topology
        voxels = math.prod(topology.patch_size)
        if key not in self._known:
            drawn = count_elements(self.family.drawing(topology), 0)
            self._known[key] = drawn, voxels
        elements, of_voxels = self._known[key]
        return elements * voxels // of_voxels


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
    counted: Elements = field(init=False, repr=False)

    steady: ClassVar[bool] = False
    least_edge: ClassVar[int] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "counted", Elements(self.family))

    def reference(self, dim: int) -> float:
        """Return the most elements of a batch of the reference size."""
        return self.family.elements[dim] * self.memory_gb / self.family.memory_gb

    def elements(self, topology: Topology) -> int:
        """Return the estimate for one patch."""
        finest = self.family.options(topology).get("head_stage", 0)
        head = self.channels * math.prod(topology.shapes()[finest])
        counted: int = self.counted.of(topology) + head
        return counted

    def kind(self, topology: Topology) -> Hashable:
        """Return the topology: each is counted, as nnU-Net does."""
        return topology

    def fits(self, topology: Topology, batch_size: int | None = None) -> bool:
        """Return whether a patch need not shrink, for a given batch or any."""
        dim = len(topology.patch_size)
        return self._counted(topology, batch_size) <= self.reference(dim)

    def likely(self, patches: Sequence[Topology], batch_size: int | None) -> None:
        """Return None: to count a patch is cheap."""

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
