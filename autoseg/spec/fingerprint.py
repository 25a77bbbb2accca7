"""The fingerprint: a data set in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoseg.errors import PlanError
from autoseg.spec._migrate import migrate
from autoseg.spec.choice import Choice
from autoseg.spec.image import NONZERO
from autoseg.spec.json import dumps, from_json, load_object, write_text

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """How values are spread over bins of equal width.

    Parameters
    ----------
    start : float
        Lower end of the first bin.
    width : float
        Of each bin, over 0.
    shares : tuple of float
        Of all values in each bin; what lies outside of the bins is missing to 1.
    """

    start: float
    width: float
    shares: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Intensity:
    """Foreground intensities of one channel, pooled over the training cases.

    Parameters
    ----------
    mean, median, std, min, max : float
        In the image's own unit.
    percentile_00_5, percentile_99_5 : float
        0.5th and 99.5th percentile.
    voxels : int
        How many foreground voxels the numbers stand on.
    histogram : Histogram or None
        Of the values between the two percentiles, each case with the same weight. None
        in fingerprints of other origin.
    """

    mean: float
    median: float
    std: float
    min: float
    max: float
    percentile_00_5: float
    percentile_99_5: float
    voxels: int = 0
    histogram: Histogram | None = None


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """Numbers that describe a data set, from its training cases only.

    Its size does not grow with the number of cases: beyond a few thousand, ``shapes``
    and ``spacings`` are a fair sample of the cases.

    Parameters
    ----------
    dataset : str
        Name of the data set.
    unit : str
        Unit of all lengths: ``"mm"``, ``"um"`` or ``"px"``.
    channel_names : tuple of str, length C
        As in dataset.json; they choose the normalization.
    num_cases : int
        Training cases.
    shapes : tuple of tuple of int, shape (cases, D)
        Voxels along each spatial axis after cropping, slowest axis first,
        after reorientation to ``orientation``.
    spacings : tuple of tuple of float, shape (cases, D)
        Edge of a voxel, in ``unit``, same order.
    relative_size_after_crop : float
        Median over the cases of voxels after cropping / voxels before.
    orientation : str or None
        The commonest orientation, as ITK's three letters such as ``"LPS"``, when the
        cases differ; None when they all agree and nothing is to be turned.
    orientations : mapping of str to int
        How many cases have which orientation.
    intensities : tuple of Intensity, length C
        Foreground statistics of each channel.
    annotation : mapping of str to JSON value
        What the task measured; see its `measure`.
    task : Choice
        A file in ``autoseg/tasks``, with the options that dataset.json gave.
    crop : str
        What images are cropped to: ``"nonzero"`` or ``"none"``, as in dataset.json.
    schema : int
        Version of the file's layout.
    """

    dataset: str
    unit: str
    channel_names: tuple[str, ...]
    num_cases: int
    shapes: tuple[tuple[int, ...], ...]
    spacings: tuple[tuple[float, ...], ...]
    relative_size_after_crop: float = 1.0
    orientation: str | None = None
    orientations: Mapping[str, int] = field(default_factory=dict)
    intensities: tuple[Intensity, ...] = ()
    annotation: Mapping[str, Any] = field(default_factory=dict)
    task: Choice = Choice(name="semantic")
    crop: str = NONZERO
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        if not self.shapes or len(self.shapes) != len(self.spacings):
            raise PlanError(
                f"{len(self.shapes)} shapes and {len(self.spacings)} spacings; there "
                "must be as many of one as of the other, and at least one."
            )
        if len({len(row) for row in (*self.shapes, *self.spacings)}) != 1:
            raise PlanError("shapes and spacings must all have the same axes.")
        if self.schema != SCHEMA:
            raise PlanError(f"schema {self.schema}; this autoseg reads {SCHEMA}.")

    @property
    def dim(self) -> int:
        """Number of spatial axes, D."""
        return len(self.shapes[0])

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        write_text(path, dumps(self))

    @classmethod
    def load(cls, path: Path) -> Fingerprint:
        """Read it; raises PlanError with every fault of the file at once."""
        raw = load_object(path, "Run `autoseg fingerprint DATASET` first.")
        return cls.from_object(raw, str(path))

    @classmethod
    def from_object(cls, raw: dict[str, Any], where: str) -> Fingerprint:
        """Build it from a file's JSON object, of this schema or an older one.

        Parameters
        ----------
        raw : dict
            What the file holds; rows are made tuples in place.
        where : str
            The file, for messages.

        Raises
        ------
        PlanError
            As `load`.
        """
        raw = migrate(raw, kind="fingerprint", newest=SCHEMA, where=where)
        for name in ("shapes", "spacings"):
            if isinstance(raw.get(name), list):
                _compact(raw[name])
        return from_json(cls, raw, where)


def _compact(rows: list[Any]) -> None:
    """Make tuples of rows in place, one by one: there may be 100,000 cases."""
    for number, row in enumerate(rows):
        if isinstance(row, list):
            rows[number] = tuple(row)
