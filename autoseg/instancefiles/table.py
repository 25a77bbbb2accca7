"""The table of instances, ``CASE_instances.csv``."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from autoseg.instancefiles.measure import Measured
from autoseg.spec.json import write_text

AXES = "zyx"


def write_table(
    path: Path,
    measured: Measured,
    *,
    unit: str,
    classes: Mapping[int, str],
    channels: Sequence[str] = (),
) -> None:
    """Write a row for each instance.

    Columns: ``id`` as in the label map, ``class``, ``score``, ``size_UNIT2`` or
    ``size_UNIT3``; the bounding box, ``first_AXIS`` and ``last_AXIS``, both inside,
    and ``centroid_AXIS``, in voxels counted from 0; ``mean_CHANNEL``; ``at_border``, 0
    or 1.

    Parameters
    ----------
    path : Path
        The file, written atomically.
    measured : Measured
        The instances.
    unit : str
        Of the spacing.
    classes : mapping of int to str
        Names of classes; others are written as numbers.
    channels : sequence of str
        Names of the image's channels.
    """
    dim = measured.first.shape[1]
    axes = AXES[-dim:]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        ["id", "class", "score", f"size_{unit}{dim}"]
        + [f"first_{axis}" for axis in axes]
        + [f"last_{axis}" for axis in axes]
        + [f"centroid_{axis}" for axis in axes]
        + [f"mean_{name}" for name in channels]
        + ["at_border"]
    )
    for number, instance in enumerate(measured.ids):
        kind, score = int(measured.classes[number]), float(measured.scores[number])
        writer.writerow(
            [int(instance), classes.get(kind, str(kind))]
            + ["" if math.isnan(score) else f"{score:.4f}"]
            + [f"{measured.sizes[number]:.6g}"]
            + measured.first[number].tolist()
            + (measured.last[number] - 1).tolist()
            + [f"{place:.2f}" for place in measured.centroids[number]]
            + [f"{mean:.6g}" for mean in measured.means[number]]
            + [int(measured.at_border[number])]
        )
    write_text(path, text.getvalue())


def read_scores(table: Path) -> dict[int, float]:
    """Return the score of each instance in a ``CASE_instances.csv`` that has one."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {int(row["id"]): float(row["score"]) for row in rows if row.get("score")}
