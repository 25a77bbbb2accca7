"""The plan: every decision made before training, in one file a person can read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autoseg.errors import PlanError, did_you_mean
from autoseg.spec._migrate import migrate
from autoseg.spec.choice import Choice, Decision
from autoseg.spec.configuration import Configuration
from autoseg.spec.image import CROPS, NONZERO
from autoseg.spec.json import dumps, from_json, load_object, to_json, write_text
from autoseg.spec.shown.html import html_table

SCHEMA = 2


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
        The training recipe (``"auto"``, ``"nnunet"``, ``"fast"`` ...) and options that
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

    def as_they_lay(self, orientations: Mapping[str, Any] | None) -> Plan:
        """Return the plan that turns what lies in another way than all that it knew.

        Where all images of a data set lie alike, a plan turns none of them; one that
        comes later may lie otherwise. Data are in the folder of the plan before.

        Parameters
        ----------
        orientations : mapping of str to int, or None
            Of the fingerprint: how many cases have which orientation.
        """
        if self.orientation is not None or len(orientations or {}) != 1:
            return self
        return replace(self, orientation=next(iter(orientations or {})))

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

    def _repr_html_(self) -> str:
        """Return its configurations as a table, for notebooks."""
        rows = [
            (
                name,
                " x ".join(f"{edge:.4g}" for edge in chosen.spacing),
                " x ".join(map(str, chosen.patch_size)),
                chosen.batch_size,
                chosen.network.name,
            )
            for name, chosen in self.configurations.items()
        ]
        headings = ("configuration", f"spacing [{self.unit}]", "patch", "batch")
        title = f"plan {self.name} of {self.dataset}: {self.task.name}"
        return html_table(title, (*headings, "network"), rows)

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
