"""Points: rings and crosses, places, errors in lengths, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.datasets.annotations import read_annotation
from autoseg.evaluate.aggregate import Scores
from autoseg.metrics.points import distances
from autoseg.model.confidence import load_confidence
from autoseg.report.calibration import Checked, sample
from autoseg.report.kinds import REPORT_KINDS
from autoseg.report.kinds.base import Json, ReportKind
from autoseg.report.pictures.layers import Layer
from autoseg.report.pictures.point_layer import PointLayer
from autoseg.report.pictures.turned import Turned
from autoseg.report.reliability import BINS, coverage, rank_correlation
from autoseg.report.statistics import AXES, Row, place_of, shown, write_table
from autoseg.spec.image import Image
from autoseg.spec.points import STATUS
from autoseg.train.after.results import Trained

Array = NDArray[Any]

DETAILS = ("score", "error_p50", "error_p95")
QUANTILES = {"error_p50": 50, "error_p95": 95}


@REPORT_KINDS.register
class PointsReport(ReportKind):
    """Named points, each there, absent or unknown."""

    objects = "landmarks found"
    through = True
    inside = "Where the image is not 0"
    measured = "where the image is not 0"
    shows_classes = True
    marks = (
        "ring: annotated; cross: found; filled circle: the error; thin circle: where "
        "the prediction says to be in 95 of 100 cases"
    )
    marks_alone = "ring: annotated"

    def layer(self, first: Any, second: Any, turned: Turned) -> Layer:
        predicted, reference = (first, second) if second is not None else (None, first)
        return PointLayer(
            shape=turned.shape,
            spacing=turned.spacing,
            prediction=_places(predicted, turned),
            radii=_radii(first),
            reference=_places(reference, turned),
            colors=self.colors,
        )

    def metric(self, cases: Mapping[str, Scores]) -> str:
        return "mre"

    def texts(self, scores: Scores, unit: str) -> dict[str, str]:
        """Return the error of each landmark, or what was said about its presence."""
        texts = {}
        for name, of in scores.items():
            said = {"fn": "missed", "fp": "made up", "tn": "absent: right"}
            found = [text for key, text in said.items() if of.get(key)]
            texts[name] = found[0] if found else f"{of.get('mre', math.nan):.2f} {unit}"
        return texts

    def foot(self, cases: Sequence[Scores]) -> str:
        return "volumes are seen through their whole depth, the brightest voxel first"

    def measure(self, annotation: Any, image: Image) -> list[Row]:
        """Say of every landmark where it is and how far to trust it.

        Parameters
        ----------
        annotation : Points
            A prediction, in voxels of the image.
        image : Image
            Its channels are looked at where the points are.

        Returns
        -------
        list of dict
            ``class``, the landmark; ``status``; ``score``, ``error_p50`` and
            ``error_p95`` as predicted; ``value`` of each channel in the voxel of the
            point; ``place`` in physical coordinates (x, y, z), ITK's frame. What is not
            known is NaN.
        """
        found = annotation.ordered(tuple(self.task.classes))
        last = np.array(image.geometry.shape) - 1
        rows = []
        for number, name in enumerate(found.names):
            at = found.coordinates[number]
            there = bool(found.present[number])
            voxel = tuple(np.clip(np.rint(np.where(there, at, 0)).astype(int), 0, last))
            details = {
                key: float(found.details[key][number])
                if key in found.details
                else math.nan
                for key in DETAILS
            }
            nowhere = [math.nan] * image.geometry.dim
            rows.append(
                {
                    "class": name,
                    "status": STATUS[found.status[number]],
                    **details,
                    "value": [
                        float(channel[voxel]) if there else math.nan
                        for channel in image.array
                    ],
                    "place": place_of(at, image.geometry) if there else nowhere,
                }
            )
        return rows

    def write(
        self,
        folder: Path,
        cases: Mapping[str, Sequence[Row]],
        *,
        channels: Sequence[str],
        unit: str,
        dim: int,
    ) -> tuple[Path, Path]:
        heading = [
            "landmark",
            "status",
            "score",
            f"error_p50_{unit}",
            f"error_p95_{unit}",
        ]
        heading += [f"{axis}_{unit}" for axis in AXES[:dim]]
        heading += [f"value_{name}" for name in channels]

        def cells(row: Row) -> list[Any]:
            numbers = [*(row[key] for key in DETAILS), *row["place"], *row["value"]]
            return [row["class"], row["status"], *map(shown, numbers)]

        return write_table(folder, cases, heading, cells, channels, unit)

    def amounts(
        self, annotation: Any, image: Image
    ) -> tuple[dict[str, float], dict[str, int]]:
        found = dict.fromkeys(self.task.classes, 0)
        here = zip(annotation.names, annotation.present.tolist(), strict=True)
        return {}, found | {name: int(there) for name, there in here}

    def mask(self, annotation: Any, image: Image) -> Array:
        return np.asarray((image.array != 0).any(axis=0))

    def calibration(self, checked: Checked) -> Json | None:
        names = tuple(self.task.classes)

        def look(case: str, path: Path) -> tuple[Array, Array] | None:
            found, geometry = read_annotation(
                path, checked.dataset, self.task, case_id=case
            )
            if not all(key in found.details for key in QUANTILES):
                return None
            truth = checked.annotation(case, geometry).ordered(names)
            found = found.ordered(names)
            radii = [np.asarray(found.details[key], np.float64) for key in QUANTILES]
            return np.stack(radii, axis=1), distances(found, truth, geometry.spacing)

        found = checked.each(look, checked.files())
        if not found:
            return None
        radii, errors = (np.stack(parts) for parts in zip(*found.values(), strict=True))
        if not (np.isfinite(errors) & np.isfinite(radii).all(axis=2)).any():
            return None
        return {
            "cases": len(found),
            "thresholds": thresholds_of(checked.trained),
            **describe_errors(names, radii, errors),
        }

    def no_calibration(self, where: str) -> str:
        return (
            "no prediction of a held-out case says which error to expect; autoseg "
            "train learns that from at least 20 points."
        )


def _radii(points: Any) -> dict[str, float]:
    """Return the radius that holds 95 % of the errors, of points that say it."""
    said = points.details.get("error_p95")
    if said is None:
        return {}
    radii = zip(points.names, np.asarray(said, np.float64).tolist(), strict=True)
    return {name: radius for name, radius in radii if np.isfinite(radius)}


def _places(points: Any, turned: Turned) -> dict[str, Array]:
    if points is None:
        return {}
    there = points.present
    places = turned.points(points.coordinates[there])
    names = [name for name, known in zip(points.names, there, strict=True) if known]
    return dict(zip(names, places, strict=True))


def thresholds_of(trained: Trained) -> dict[str, float]:
    """Return from which score on landmarks count as present, by all folds together.

    Parameters
    ----------
    trained : Trained
        A configuration.

    Returns
    -------
    dict of str to float
        By landmark, 0 for one that always does; empty where nothing was learnt.
    """
    folds = [fold.name for fold in trained.folds if fold.held_out and fold.finished]
    learnt = load_confidence(trained.folder, folds)
    if learnt is None:
        return {}
    return dict(zip(learnt.names, learnt.thresholds, strict=True))


def describe_errors(names: Sequence[str], radii: Array, errors: Array) -> Json:
    """Return how expected errors compare with those that were made.

    Parameters
    ----------
    names : sequence of str, length L
        The landmarks.
    radii : ndarray of float, shape (cases, L, 2)
        That are to hold half and 95 % of the errors.
    errors : ndarray of float, shape (cases, L)
        NaN where there is none.

    Returns
    -------
    dict of str to JSON value
        ``coverage`` of both radii, over all points and by landmark; ``bins``: points
        from the best to the worst by expectation, with the medians of the expected and
        of the made error; ``correlation`` of ranks; ``pairs`` to draw.
    """
    known = np.isfinite(errors) & np.isfinite(radii).all(axis=2)
    inside = np.where(known[..., None], errors[..., None] <= radii, np.nan)
    levels = list(QUANTILES.values())
    said, made = radii[known][:, 0], errors[known]
    order = np.argsort(said, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    return {
        "kind": "errors",
        "coverage": {str(q): coverage(inside[..., k]) for k, q in enumerate(levels)},
        "classes": {
            name: {
                str(q): coverage(inside[:, place, k : k + 1])
                for k, q in enumerate(levels)
            }
            | _medians(radii[:, place, 0], errors[:, place])
            for place, name in enumerate(names)
        },
        "bins": [
            {"said": float(np.median(said[p])), "seen": float(np.median(made[p]))}
            for p in parts
        ],
        "correlation": rank_correlation(said, made),
        "pairs": sample(np.stack([said, made], axis=1)),
    }


def _medians(said: Array, made: Array) -> Json:
    known = np.isfinite(said) & np.isfinite(made)
    if not known.any():
        return {"said": None, "made": None}
    return {
        "said": float(np.median(said[known])),
        "made": float(np.median(made[known])),
    }
