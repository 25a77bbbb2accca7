"""A picture of landmarks: the cases with the largest errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.datasets.points import read_points
from autoseg.evaluate.measures import mean_over_classes
from autoseg.evaluate.point_files import point_files
from autoseg.evaluate.summary import Summary
from autoseg.figures.figure import INK, PALETTE, QUIET_INK, new_figure, save_figure
from autoseg.formats.base import read_image
from autoseg.spec.dataset import Dataset
from autoseg.spec.points import Points

EDGE = 4.0  # inches of a picture
CLOSE = 12.0  # voxels to each side that a close look shows at least
TRUE, FOUND = PALETTE[3], PALETTE[5]  # bluish green, vermilion


def plot_worst_points(
    summary: Summary,
    dataset: Dataset,
    predictions: Path,
    path: Path,
    *,
    cases: int = 3,
) -> tuple[str, ...]:
    """Draw the cases with the largest mean error, and their worst landmark from near.

    Parameters
    ----------
    summary : Summary
        With ``mre`` of each case and landmark.
    dataset : Dataset
        Has the images and annotations.
    predictions : Path
        Folder of the predicted points, or a file of all of them.
    path : Path
        The PNG file, written atomically.
    cases : int
        Rows of the picture.

    Returns
    -------
    tuple of str
        Ids of the cases that are shown, the worst first.
    """
    chosen = worst_cases(summary, cases)
    files = point_files(predictions, dataset)
    figure = new_figure(2 * EDGE, EDGE * max(1, len(chosen)))
    grid = figure.subplots(max(1, len(chosen)), 2, squeeze=False)
    for row, case_id in zip(grid, chosen, strict=False):
        case = dataset.case(case_id)
        image = read_image(case, dataset)
        if case.annotation is None:
            continue
        truth, _ = read_points(case.annotation, dataset, image.geometry, case_id)
        found, _ = read_points(files[case_id], dataset, image.geometry, case_id)
        found = found.ordered(truth.names)
        errors = {
            n: of.get("mre", math.nan) for n, of in summary.cases[case_id].items()
        }
        worst = worst_point(truth, errors)
        for axes, near in zip(row, (False, True), strict=True):
            _draw(axes, image, truth, found, worst, near)
        mean = mean_over_classes(summary.cases[case_id], "mre")
        row[0].set_title(f"{case_id}: mean {mean:.2f} {summary.unit}", fontsize=9)
        said = errors.get(truth.names[worst], math.nan)
        text = "missed" if math.isnan(said) else f"{said:.2f} {summary.unit}"
        row[1].set_title(f"{truth.names[worst]}: {text}", fontsize=9)
    label = (
        "green: annotated, orange: predicted, with the 95 % radius where it is known"
    )
    figure.text(0.5, 0.004, label, ha="center", fontsize=8, color=QUIET_INK)
    figure.tight_layout(rect=(0, 0.02, 1, 1))
    save_figure(figure, path)
    return chosen


def worst_cases(summary: Summary, count: int) -> tuple[str, ...]:
    """Return ids of the cases with the largest mean error; those without any first.

    Parameters
    ----------
    summary : Summary
        With ``mre``.
    count : int
        How many.

    Returns
    -------
    tuple of str
        The worst first.
    """

    def badness(case: str) -> tuple[float, str]:
        mean = mean_over_classes(summary.cases[case], "mre")
        return (-math.inf if math.isnan(mean) else -mean, case)

    return tuple(sorted(summary.cases, key=badness)[:count])


def worst_point(truth: Points, errors: dict[str, float]) -> int:
    """Return the index of the present landmark that was missed or is farthest off."""

    def error(index: int) -> float:
        if not truth.present[index]:
            return -1.0
        value = errors.get(truth.names[index], math.nan)
        return math.inf if math.isnan(value) else value

    return max(range(len(truth.names)), key=error)


def _draw(
    axes: Any, image: Any, truth: Points, found: Points, worst: int, near: bool
) -> None:
    """Draw a flat image, or the slice of a volume that the worst landmark is in."""
    place = truth.coordinates[worst]
    array = image.array[0]
    spacing = np.asarray(image.geometry.spacing)
    if array.ndim == 3:
        level = 0.0 if math.isnan(place[0]) else float(place[0])
        array = array[int(np.clip(round(level), 0, len(array) - 1))]
    low, high = np.percentile(array, [0.5, 99.5])
    aspect = spacing[-2] / spacing[-1]
    axes.imshow(array, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), aspect=aspect)
    _mark(axes, truth, found, spacing)
    axes.set_xticks([])
    axes.set_yticks([])
    if near and np.isfinite(place).all():
        other = found.coordinates[worst]
        reach = np.nan_to_num(np.abs(other - place)).max() * 1.5
        reach = max(CLOSE, float(reach))
        axes.set_xlim(place[-1] - reach, place[-1] + reach)
        axes.set_ylim(place[-2] + reach, place[-2] - reach)


def _mark(
    axes: Any, truth: Points, found: Points, spacing: NDArray[np.float64]
) -> None:
    from matplotlib.patches import Circle

    for one, other in zip(truth.coordinates, found.coordinates, strict=True):
        pair: Sequence[Any] = ([one[-1], other[-1]], [one[-2], other[-2]])
        axes.plot(*pair, color=INK, linewidth=0.6)
    for points, color, marker in ((truth, TRUE, "+"), (found, FOUND, "x")):
        places = points.coordinates
        axes.scatter(
            places[:, -1], places[:, -2], s=50, c=color, marker=marker, linewidths=2
        )
    radii = found.details.get("error_p95")
    radii = np.full(len(found.names), np.nan) if radii is None else radii
    for place, radius in zip(found.coordinates, radii, strict=True):
        if np.isfinite(radius) and np.isfinite(place).all():
            circle = Circle(
                (place[-1], place[-2]),
                radius / spacing[-1],
                fill=False,
                edgecolor=FOUND,
                linewidth=0.6,
            )
            axes.add_patch(circle)
