"""A configuration: one network with the grid, patch and batch that it is trained on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from autoseg.errors import PlanError
from autoseg.spec.choice import Choice

MOST_ORDER = 5  # of splines


@dataclass(frozen=True, kw_only=True)
class Resampling:
    """How arrays get from one grid to another.

    Parameters
    ----------
    method : str
        ``"spline"``: B-splines of the orders below; ``"linear"``: torch's
        interpolation, nearest along the thick axis; ``"none"``: arrays stay as they
        are.
    image_order, annotation_order, output_order : int
        Spline order in plane, 0 to 5, for images, for the 0/1 indicator of each label
        and for network outputs.
    thick_order : int
        Spline order along the thick axis when that axis is handled on its own.
    separate_thick : bool or None
        Handle the thickest axis on its own; None: if its spacing is more than
        ``threshold`` times the finest.
    threshold : float
        See ``separate_thick``.
    annotation_method, output_method : str or None
        ``method`` for annotations and for network outputs; None: the same.
    output_separate_thick : bool or None
        ``separate_thick`` for network outputs; None: the same.
    """

    method: str = "spline"
    image_order: int = 3
    annotation_order: int = 1
    output_order: int = 1
    thick_order: int = 0
    separate_thick: bool | None = None
    threshold: float = 3.0
    annotation_method: str | None = None
    output_method: str | None = None
    output_separate_thick: bool | None = None

    def __post_init__(self) -> None:
        orders = ("image_order", "annotation_order", "output_order", "thick_order")
        bad = [name for name in orders if not 0 <= getattr(self, name) <= MOST_ORDER]
        if bad:
            raise PlanError(f"{', '.join(bad)} must be 0 to {MOST_ORDER}.")


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """One network with the grid, patch and batch that it is trained on.

    D is the number of axes of the network: 2 in ``2d``, also for volumes, which it
    sees slice by slice. All axes are in the plan's order, that of
    `autoseg.spec.plan.Plan.transpose`.

    Parameters
    ----------
    spacing : tuple of float, length D
        Edge of a voxel after resampling, in the plan's unit.
    patch_size : tuple of int, length D
        What the network sees at once.
    batch_size : int
        Patches in one step of the optimizer.
    median_shape : tuple of float, length D
        Median shape of the training cases on this grid.
    network : Choice
        A file in ``autoseg/networks``.
    batch_dice : bool
        Dice is summed over the whole batch, not sample by sample.
    resampling : Resampling
        Between the images' grids and this one.
    mirror_axes : tuple of int
        Axes of the patch that may be flipped, in training and prediction.
    previous : str or None
        In a cascade, the configuration whose prediction is an extra input; of
        landmarks, the coarse stage that says where this one has to look.
    memory : mapping of str to float
        Predicted peak memory of a training step in bytes, by part.
    """

    spacing: tuple[float, ...]
    patch_size: tuple[int, ...]
    batch_size: int
    median_shape: tuple[float, ...]
    network: Choice
    batch_dice: bool = False
    resampling: Resampling = Resampling()
    mirror_axes: tuple[int, ...] = ()
    previous: str | None = None
    memory: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        axes = len(self.spacing)
        if not axes == len(self.patch_size) == len(self.median_shape):
            raise PlanError(
                f"spacing {self.spacing}, patch_size {self.patch_size} and "
                f"median_shape {self.median_shape} must have as many axes."
            )
        faults = []
        finite = all(0 < edge < math.inf for edge in self.spacing)
        if not finite or min(self.patch_size) < 1 or self.batch_size < 1:
            faults.append("spacing, patch_size and batch_size must be positive")
        bad = [axis for axis in self.mirror_axes if not 0 <= axis < axes]
        if bad:
            faults.append(f"mirror_axes {bad} are no axes of a {axes}-D patch")
        faults += self._stride_faults()
        if faults:
            raise PlanError("; ".join(faults) + ".")

    def _stride_faults(self) -> list[str]:
        strides = self.network.options.get("strides", ())
        faults = []
        for axis, size in enumerate(self.patch_size):
            try:
                step = math.prod(int(stride[axis]) for stride in strides)
            except (TypeError, ValueError, IndexError):
                step = 0
            if step < 1:
                return [
                    f"network strides {strides!r} must give a positive whole number "
                    "for each stage and axis"
                ]
            if size % step:
                faults.append(
                    f"patch_size[{axis}] is {size}, which is no multiple of {step}, "
                    "the product of the network's strides along it"
                )
        return faults

    @property
    def dim(self) -> int:
        """Number of axes of the network, D."""
        return len(self.patch_size)

    @property
    def divisor(self) -> tuple[int, ...] | None:
        """What the edges of a window must be multiples of; None: nobody knows."""
        strides = self.network.options.get("strides")
        return self._product(strides) if strides else None

    @property
    def head_stride(self) -> tuple[int, ...]:
        """How many voxels an output has the length of, along each axis."""
        stage = self.network.options.get("head_stage", 0)
        # The first stride of U-Nets is 1; that of encoders of classification is not,
        # and their decoders end at the image's resolution.
        return self._product(self.network.options.get("strides", ())[1 : stage + 1])

    def _product(self, strides: Sequence[Sequence[int]]) -> tuple[int, ...]:
        """Return the product of strides along each axis."""
        return tuple(
            math.prod(stride[axis] for stride in strides) for axis in range(self.dim)
        )
