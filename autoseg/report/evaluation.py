"""A picture of an evaluation: its best, middle and worst cases."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from autoseg.evaluate.files import files_by_case
from autoseg.evaluate.summary import Summary
from autoseg.formats._base import read_image, read_labels
from autoseg.geometry.orientation import reorient
from autoseg.report.overlay import OverlayCase, plot_overlay
from autoseg.spec.dataset import Dataset

PLANES = ("axial", "coronal", "sagittal")
OTHER_PLANES = ("x y", "x z", "y z")  # of volumes of no body


def plot_evaluation(
    summary: Summary,
    dataset: Dataset,
    folders: Mapping[str, Path],
    path: Path,
    *,
    title: str = "",
    cases: int = 3,
) -> tuple[str, ...]:
    """Draw the best, the worst and evenly many cases between them.

    Parameters
    ----------
    summary : Summary
        Scores of the cases, with Dice.
    dataset : Dataset
        Says how files are read, and which label values make up a class. The images are
        those of its cases.
    folders : mapping of str to Path
        ``"predictions"`` and ``"annotations"``.
    path : Path
        The PNG file, written atomically.
    title : str
        Headline.
    cases : int
        Rows of the picture.

    Returns
    -------
    tuple of str
        Ids of the cases that are shown, the best first.
    """
    chosen = choose_cases(summary, cases)
    predicted = files_by_case(folders["predictions"])
    annotated = files_by_case(folders["annotations"])
    rows = [
        overlay_case(
            dataset,
            case_id,
            predicted[case_id],
            annotated[case_id],
            {name: of["dice"] for name, of in summary.cases[case_id].items()},
        )
        for case_id in chosen
    ]
    labels = dataset.raw["labels"]
    classes = {name: labels[name] for name in summary.classes}
    planes = PLANES if summary.unit == "mm" else OTHER_PLANES
    plot_overlay(
        rows,
        classes,
        path,
        title=title,
        unit=summary.unit,
        planes=planes if rows[0].prediction.ndim == 3 else (),
    )
    return chosen


def overlay_case(
    dataset: Dataset,
    case_id: str,
    prediction: Path,
    annotation: Path,
    scores: Mapping[str, float],
) -> OverlayCase:
    """Read one case for a picture, medical volumes turned to ITK's standard (LPS).

    Parameters
    ----------
    dataset : Dataset
        Has the case's image.
    case_id : str
        Which case.
    prediction, annotation : Path
        Its label maps.
    scores : mapping of str to float
        Dice of each class.

    Returns
    -------
    OverlayCase
        A row of `plot_overlay`.
    """
    reference, geometry = read_labels(annotation, dataset)
    arrays = [
        read_image(dataset.case(case_id), dataset).array,
        read_labels(prediction, dataset)[0],
        reference,
    ]
    spacing = geometry.spacing
    if geometry.dim == 3 and geometry.unit == "mm":
        spacing = reorient(reference, geometry, "LPS")[1].spacing
        arrays = [reorient(array, geometry, "LPS")[0] for array in arrays]
    return OverlayCase(
        name=case_id,
        image=arrays[0],
        prediction=arrays[1],
        reference=arrays[2],
        spacing=spacing,
        scores=dict(scores),
    )


def choose_cases(summary: Summary, count: int) -> tuple[str, ...]:
    """Return ids of cases from the best to the worst mean Dice, evenly spread."""

    def quality(case: str) -> float:
        dice = [scores["dice"] for scores in summary.cases[case].values()]
        known = [value for value in dice if not math.isnan(value)]
        return -sum(known) / len(known) if known else 0.0

    ranked: Sequence[str] = sorted(
        summary.cases, key=lambda case: (quality(case), case)
    )
    if len(ranked) <= count or count < 2:
        return tuple(ranked[: max(count, 1)])
    steps = [round(i * (len(ranked) - 1) / (count - 1)) for i in range(count)]
    return tuple(ranked[step] for step in steps)
