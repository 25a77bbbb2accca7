"""The plan: every decision made before training, in one file a person can read."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoseg.errors import PlanError, did_you_mean
from autoseg.spec._migrate import migrate
from autoseg.spec.choice import Choice, Decision
from autoseg.spec.image import CROPS, NONZERO
from autoseg.spec.json import dumps, from_json, load_object, to_json, write_text

SCHEMA = 2
MOST_ORDER = 5  # of splines


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One image channel and its normalization.

    Parameters
    ----------
    name : str
        As in dataset.json.
    normalizer : Choice
        A file in ``autoseg/normalizers``.
    masked : bool
        Normalize inside the nonzero mask only; outside stays 0.
    """

    name: str
    normalizer: Choice
    masked: bool = False


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
    sees slice by slice. All axes are in the plan's order (`Plan.transpose` applied).

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
        return self._product(self.network.options.get("strides", ())[: stage + 1])

    def _product(self, strides: Sequence[Sequence[int]]) -> tuple[int, ...]:
        """Return the product of strides along each axis."""
        return tuple(
            math.prod(stride[axis] for stride in strides) for axis in range(self.dim)
        )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Everything that training and prediction need to know.

    Parameters
    ----------
    name : str
        Name of the plan; results and preprocessed data are in folders of this name.
    dataset : str
        Name of the data set it was made for.
    planner : str
        A file in ``planners``.
    task : Choice
        A file in ``autoseg/tasks``, with its options.
    unit : str
        Unit of every length in the plan.
    orientation : str or None
        Images are turned to this orientation first (ITK's letters, such as ``"LPS"``)
        and predictions are turned back; None: left as they are.
    transpose : tuple of int
        Spatial axes of an image in the order that the network sees them.
    channels : tuple of Channel
        Input channels in order.
    configurations : mapping of str to Configuration
        ``2d``, ``3d_fullres``, ``3d_lowres``, ``3d_cascade_fullres`` and others.
    crop : str
        What images are cropped to: ``"nonzero"``, the box of the voxels that are not 0
        in any channel, or ``"none"``.
    training : Choice
        The training recipe (``"auto"``, ``"nnunet"`` or ``"fast"``) and options that
        replace numbers of it.
    budget : Choice
        The rule that it was planned by (``"nnunet"`` or ``"bytes"``), with the memory
        in GB, the preset and what the user had fixed; ``"unknown"`` where no planner
        of ours made it.
    decisions : tuple of Decision
        Why each value is what it is, in the order they were chosen.
    schema : int
        Version of the file's layout.
    """

    name: str
    dataset: str
    planner: str
    task: Choice
    unit: str
    transpose: tuple[int, ...]
    channels: tuple[Channel, ...]
    configurations: Mapping[str, Configuration]
    orientation: str | None = None
    crop: str = NONZERO
    training: Choice = Choice(name="auto")
    budget: Choice = Choice(name="unknown")
    decisions: tuple[Decision, ...] = ()
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        faults = self.faults_of(vars(self))
        if faults:
            raise PlanError("; ".join(faults) + ".")

    @staticmethod
    def faults_of(values: Mapping[str, Any]) -> list[str]:
        """Return what is wrong with a plan of these fields, not all of which need be.

        Parameters
        ----------
        values : mapping of str to value
            Fields by name.

        Returns
        -------
        list of str
            Each a sentence without its end.
        """
        faults = []
        order = values.get("transpose", (0, 1))
        if len(order) not in (2, 3) or sorted(order) != list(range(len(order))):
            faults.append(f"transpose {order} is no order of axes")
        crop = values.get("crop", NONZERO)
        if crop not in CROPS:
            faults.append(f"crop is {crop!r}; there are {' and '.join(CROPS)}")
        schema = values.get("schema", SCHEMA)
        if schema != SCHEMA:
            faults.append(f"schema {schema}; this autoseg reads {SCHEMA}")
        configurations = values.get("configurations", {})
        faults += [
            f"{name}.previous names {configuration.previous!r}, which is missing"
            for name, configuration in configurations.items()
            if configuration.previous not in (None, *configurations)
        ]
        return faults

    @property
    def dim(self) -> int:
        """Number of spatial axes of the images."""
        return len(self.transpose)

    def configuration(self, name: str) -> Configuration:
        """Return the configuration of this name.

        Raises
        ------
        PlanError
            If there is none; the message lists those that there are.
        """
        if name not in self.configurations:
            raise PlanError(
                f"Plan {self.name!r} has no configuration {name!r}."
                f"{did_you_mean(name, self.configurations)} It has: "
                f"{', '.join(self.configurations)}."
            )
        return self.configurations[name]

    def data_id(self, name: str) -> str:
        """Return the name of the folder of preprocessed data of a configuration.

        Equal for plans whose preprocessed data are equal, so that plans share them,
        and different as soon as anything differs that changes a preprocessed voxel.
        """
        configuration = self.configuration(name)
        parts: tuple[Any, ...] = (
            self.task,
            self.orientation,
            self.transpose,
            [(channel.normalizer, channel.masked) for channel in self.channels],
            configuration.spacing,
            configuration.resampling,
        )
        if self.crop != NONZERO:  # folders of before are found by their names
            parts = (*parts, self.crop)
        text = json.dumps(to_json(parts), sort_keys=True)
        kind = f"{configuration.dim}d"
        return f"{kind}_{hashlib.sha256(text.encode()).hexdigest()[:10]}"

    def save(self, path: Path) -> None:
        """Write the plan as JSON that a person can read and edit."""
        write_text(path, dumps(self))

    @classmethod
    def load(cls, path: Path) -> Plan:
        """Read a plan, whether a planner or a person wrote it.

        Raises
        ------
        PlanError
            With every unknown, missing, mistyped or contradicting field at once; or if
        the file is of a newer schema. Older ones are read (`autoseg.spec._migrate`).
        """
        raw = load_object(path, "Run `autoseg plan DATASET` first.")
        return cls.from_object(raw, str(path))

    @classmethod
    def from_object(cls, raw: dict[str, Any], where: str) -> Plan:
        """Build it from a file's JSON object, of this schema or an older one.

        Parameters
        ----------
        raw : dict
            What the file holds.
        where : str
            The file, for messages.

        Raises
        ------
        PlanError
            As `load`.
        """
        raw.pop("$schema", None)  # where an editor finds docs/plan.schema.json
        raw = migrate(raw, kind="plan", newest=SCHEMA, where=where)
        return from_json(cls, raw, where)


def as_options(**options: Any) -> dict[str, Any]:
    """Return keyword arguments as JSON values, tuples as lists, for a `Choice`."""
    return dict(to_json(options))
