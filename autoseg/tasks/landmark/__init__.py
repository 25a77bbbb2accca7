"""Landmarks: named points, each of which may be absent, between the voxels.

Legend: L landmarks, D axes, S spatial shape.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.landmarks.decoders import DECODERS, decode, reach
from autoseg.landmarks.keeper import PeakKeeper
from autoseg.landmarks.presence import PLAIN
from autoseg.metrics.points import score_points
from autoseg.spec.choice import Choice, Decision
from autoseg.spec.dataset import Dataset
from autoseg.spec.head import AT_ONCE as AT_ONCE
from autoseg.spec.points import ABSENT, PRESENT, STATUS, UNKNOWN, Points
from autoseg.tasks import TASKS
from autoseg.tasks.base import Array, Head, OutputStage, Task
from autoseg.tasks.landmark.options import options_from_dataset, pairs_in_names
from autoseg.tasks.landmark.target import heat_of, stage_of_outputs, widths_on

HEAD = "points"
SIGMA_VOXELS = 1.5  # what trained best at whole images and patches: docs/landmark.md
TRAINING = {  # landmarks have one resolution, and few images to be learnt from
    "deep_supervision": False,
    "foreground": 0.67,
    "overhang": False,  # beyond the image no landmark is, and predictions look inside
    "augmentation": "nnunet,-low_resolution,spatial.probability=0.8,"
    "spatial.plane_angle=20,spatial.angle=15,spatial.scale=[0.8,1.25],"
    "spatial.elastic=0.5,brightness.probability=0.5,contrast.probability=0.5,"
    "gamma.probability=0.4",
}
REACH = 0.25  # of a fine stage's patch: how far from its middle a landmark may be


@TASKS.register
class LandmarkTask(Task):
    """Find L named points, and say which of them are not there.

    The network has one output for each landmark, whose target is a narrow Gaussian. It
    is made on the training device from coordinates that went through augmentation:
    nothing dense is stored.

    Parameters
    ----------
    landmarks : sequence of str, length L
        Names, in the order of the outputs.
    mirror_pairs : sequence of (str, str), optional
        Landmarks that change places in a mirror; by default those whose names say so.
    mirror_axes : sequence of int
        Axes of the image along which it may be mirrored, with the pairs swapped.
    missing_means : str
        ``"unknown"`` or ``"absent"``: what a landmark is that a file does not name.
    sigma : sequence of float, length D, optional
        Standard deviation of the target along each axis, slowest first, in the plan's
        unit; by default ``sigma_voxels`` of the finest axis along all axes.
    sigma_voxels : float
        See ``sigma``.
    loss : str
        A file in ``autoseg/losses`` that takes points.
    loss_options : mapping
        Of the loss.
    decoder : str
        How the place between voxels is found: a key of
        `autoseg.landmarks.decoders.DECODERS`.
    thresholds : mapping of str to float
        Scores from which on landmarks count as present, where it is not 0.5.
    """

    kind = "points"
    decoders = tuple(DECODERS)
    score_options = ("normalization",)
    learns_map = False
    learns_points = True
    needs_all = True
    no_slices = "a slice does not hold all landmarks"
    fine_reach = REACH
    wanted_steps = 500  # docs/benchmarks.md: a wider network gains more than more steps
    settable = (
        "decoder",
        "loss",
        "loss_options",
        "mirror_axes",
        "sigma",
        "sigma_voxels",
        "thresholds",
    )

    def __init__(
        self,
        landmarks: Sequence[str],
        mirror_pairs: Sequence[Sequence[str]] | None = None,
        mirror_axes: Sequence[int] = (),
        missing_means: str = "unknown",
        sigma: Sequence[float] | None = None,
        sigma_voxels: float = SIGMA_VOXELS,
        loss: str = "spatial_cross_entropy",
        loss_options: Mapping[str, Any] | None = None,
        decoder: str = "log_quadratic",
        thresholds: Mapping[str, float] | None = None,
    ) -> None:
        self._names = tuple(landmarks)
        given = pairs_in_names(self.classes) if mirror_pairs is None else mirror_pairs
        self.pairs = tuple((one, other) for one, other in given)
        self.mirror_axes = tuple(mirror_axes)
        self.missing = STATUS.index(missing_means)
        self.sigma = None if sigma is None else tuple(sigma)
        self.sigma_voxels = sigma_voxels
        self.loss = Choice(name=loss, options=dict(loss_options or {}))
        self.decoder = decoder
        self.thresholds = np.array(
            [(thresholds or {}).get(name, PLAIN) for name in self.classes]
        )
        self._spacing: tuple[float, ...] = (1.0,)
        self._stride: tuple[int, ...] = ()

    @classmethod
    def from_dataset(cls, dataset: Dataset) -> dict[str, Any]:
        return options_from_dataset(dataset)

    @classmethod
    def configure(
        cls, options: Mapping[str, Any], measured: Mapping[str, Any]
    ) -> tuple[dict[str, Any], tuple[Decision, ...]]:
        from autoseg.tasks.landmark.numbers import decide

        task = cls(**options)
        complete = {
            **options,
            "mirror_pairs": [list(pair) for pair in task.pairs],
            "sigma_voxels": task.sigma_voxels,
            "loss": task.loss.name,
        }
        return decide(complete, measured)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the landmarks."""
        return self._names

    @property
    def planned_channels(self) -> int:
        return min(AT_ONCE, len(self.classes))

    def at_spacing(
        self, spacing: tuple[float, ...], stride: tuple[int, ...] = ()
    ) -> LandmarkTask:
        there = copy.copy(self)
        there._spacing, there._stride = tuple(spacing), tuple(stride)
        return there

    @property
    def swapped(self) -> tuple[int, ...]:
        """Which landmark each one is in a mirror, length L."""
        index = {name: i for i, name in enumerate(self.classes)}
        partner = list(range(len(self.classes)))
        for one, other in self.pairs:
            partner[index[one]], partner[index[other]] = index[other], index[one]
        return tuple(partner)

    def sigma_on(
        self, spacing: Sequence[float], stride: Sequence[int] = ()
    ) -> tuple[float, ...]:
        """Return the standard deviation of the target, along each axis.

        Parameters
        ----------
        spacing : sequence of float, length D
            Of the network's grid.
        stride : sequence of int, length D, optional
            How many voxels an output is long; by default one.

        Returns
        -------
        tuple of float, length D
            In outputs, which by default are voxels.
        """
        finest = min(spacing)
        wanted = self.sigma or [self.sigma_voxels * finest] * len(spacing)
        return widths_on(wanted, spacing, stride)

    def output_stage(self, spacing: Sequence[float]) -> OutputStage:
        return stage_of_outputs(self.sigma_on(spacing), spacing)

    @property
    def heads(self) -> tuple[Head, ...]:
        options = {
            **self.loss.options,
            "sigma": list(self.sigma_on(self._spacing, self._stride)),
        }
        loss = Choice(name=self.loss.name, options=options)
        return (
            Head(
                name=HEAD,
                channels=len(self.classes),
                activation="identity",
                loss=loss,
            ),
        )

    @property
    def training(self) -> Mapping[str, Any]:
        return TRAINING

    def read(self, annotation: Any) -> Points:
        points: Points = annotation
        return points.ordered(self.classes, self.missing)

    def partly(self, annotation: Any, annotated: Sequence[str]) -> Points:
        points: Points = annotation
        others = ~np.isin(points.names, list(annotated))
        status = np.where(others, UNKNOWN, points.status).astype(np.int8)
        return replace(points, status=status)

    def write(self, annotation: Any) -> Points:
        points: Points = annotation
        return points

    def stored(self, annotation: Any) -> Points:
        points: Points = annotation
        return points

    def measure(self, annotation: Any, spacing: tuple[float, ...]) -> dict[str, Any]:
        points: Points = annotation
        places = (points.coordinates + 0.5) * np.asarray(spacing)
        return {
            "landmarks": list(self.classes),
            "pairs": [list(pair) for pair in self.pairs],
            "status": [STATUS[i] for i in points.status],
            "places": [p.tolist() if np.isfinite(p).all() else None for p in places],
            "size": [n * s for n, s in zip(points.shape, spacing, strict=True)],
        }

    @classmethod
    def pool(cls, measurements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        from autoseg.tasks.landmark.numbers import pool

        return pool(measurements)

    def foreground(self, annotation: Any) -> dict[str, Array]:
        points: Points = annotation
        inside = points.inside
        found: dict[str, Array] = {}
        for i, name in enumerate(self.classes):
            places = np.zeros(0, np.uint64)
            if inside[i]:
                voxel = np.floor(points.coordinates[i] + 0.5).astype(int)
                linear = np.ravel_multi_index(tuple(voxel), points.shape)
                places = np.array([linear], np.uint64)
            found[name] = places
        return found

    def encode(self, annotation: Any, spacing: tuple[float, ...]) -> dict[str, Array]:
        """Return heat, float32 (L, *S): 1 at a present point, 0 where there is none."""
        return {HEAD: heat_of(annotation, self.sigma_on(spacing))}

    def decode(
        self, outputs: Mapping[str, Array], spacing: tuple[float, ...]
    ) -> Points:
        """Return points from heat (L, *S), as `encode` makes it."""
        heat = outputs[HEAD]
        shape = heat.shape[1:]
        keeper = PeakKeeper(len(heat), shape, reach(self.sigma_on(spacing)))
        keeper.add_tile(heat, (0,) * len(shape))
        return self.points_of(keeper, keeper.window, keeper.value, spacing)

    def points_of(
        self,
        keeper: PeakKeeper,
        heat: Array,
        score: NDArray[Any],
        spacing: tuple[float, ...],
        stride: Sequence[int] = (),
        shift: NDArray[Any] | float = 0.0,
    ) -> Points:
        """Return the points of the peaks that were kept.

        Parameters
        ----------
        keeper : PeakKeeper
            Knows where the peaks are.
        heat : ndarray of float, shape (L, *W)
            Around each peak, in which the target is a Gaussian.
        score : ndarray of float, shape (L,)
            How sure the network is of each point, 0 to 1.
        spacing : tuple of float, length D
            Edge of a voxel.
        stride : sequence of int, length D, optional
            How many voxels an output is long; by default one.
        shift : ndarray of int, shape (L, D), or 0
            Voxels in front of the first output.

        Returns
        -------
        Points
            In voxels, with the score, and the covariance of the fit in square voxels as
            ``covariance`` of shape (L, D, D).
        """
        fit = decode(heat, self.sigma_on(spacing, stride), self.decoder)
        present = np.isfinite(keeper.value) & (score >= self.thresholds)
        step = np.asarray(stride or (1,) * len(spacing))
        # Voxels and outputs are boxes: the middle of the first output is step / 2 from
        # the edge of the first voxel, whose middle is 0.5 from it.
        places = (keeper.peak + fit.offset + 0.5) * step - 0.5 + shift
        return Points(
            self.classes,
            places,
            np.where(present, PRESENT, ABSENT),
            {
                "score": np.asarray(score, np.float64),
                "covariance": fit.covariance * np.outer(step, step),
                "peak": places,
            },
            tuple(int(n * s) for n, s in zip(keeper.shape, step, strict=True)),
        )

    def score(
        self,
        predicted: Any,
        reference: Any,
        spacing: tuple[float, ...],
        normalization: str | Sequence[str] = "diagonal",
    ) -> dict[str, dict[str, float]]:
        return score_points(predicted, reference, spacing, normalization)

    @classmethod
    def example(cls) -> tuple[Task, Points, tuple[float, ...]]:
        points = Points(
            ("tip", "left", "right"),
            np.array([[4.25, 9.0], [10.5, 5.4], [np.nan, np.nan]]),
            np.array([PRESENT, PRESENT, ABSENT]),
            shape=(16, 14),
        )
        return cls(landmarks=points.names), points, (0.5, 0.5)
