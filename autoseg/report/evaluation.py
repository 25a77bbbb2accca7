"""A picture of an evaluation: its best, middle and worst cases."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from autoseg.evaluate.measures import measure_of
from autoseg.evaluate.summary import Summary
from autoseg.report.artist import Artist
from autoseg.report.pictures.overlay import OverlayCase, plot_overlay
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
        Scores of the cases.
    dataset : Dataset
        Says how files are read, and what their values mean. The images are those of
        its cases.
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
    artist = Artist(dataset=dataset)
    kind = artist.kind
    chosen = choose_cases(summary, cases, kind.metric(summary.cases))
    predicted, annotated = (
        artist.predictions(folders[name]) for name in ("predictions", "annotations")
    )
    rows = [
        OverlayCase(
            name=case_id,
            view=artist.view(
                dataset.case(case_id), predicted[case_id], annotated[case_id]
            ),
            scores=kind.texts(summary.cases[case_id], summary.unit),
        )
        for case_id in chosen
    ]
    planes = PLANES if summary.unit == "mm" else OTHER_PLANES
    plot_overlay(
        rows,
        path,
        colors=artist.colors,
        title=title,
        foot=kind.foot([summary.cases[case_id] for case_id in chosen]),
        planes=planes if len(rows[0].view.spacing) == 3 else (),
        through=kind.through,
    )
    return chosen


def choose_cases(summary: Summary, count: int, metric: str = "dice") -> tuple[str, ...]:
    """Return ids of cases from the best to the worst, evenly spread.

    Parameters
    ----------
    summary : Summary
        With the scores of each case.
    count : int
        How many.
    metric : str
        Whose mean over classes says how good a case is.

    Returns
    -------
    tuple of str
        The best first.
    """
    low = measure_of(metric).better == "lower"
    sign = 1.0 if low else -1.0

    def badness(case: str) -> float:
        values = [
            scores.get(metric, math.nan) for scores in summary.cases[case].values()
        ]
        known = [value for value in values if not math.isnan(value)]
        nothing = math.inf if low else 0.0
        return sign * sum(known) / len(known) if known else nothing

    ranked: Sequence[str] = sorted(
        summary.cases, key=lambda case: (badness(case), case)
    )
    if len(ranked) <= count or count < 2:
        return tuple(ranked[: max(count, 1)])
    steps = [round(i * (len(ranked) - 1) / (count - 1)) for i in range(count)]
    return tuple(ranked[step] for step in steps)
