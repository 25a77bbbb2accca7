"""A picture of an evaluation: its best, middle and worst cases."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoseg.evaluate.aggregate import Scores
from autoseg.evaluate.files import files_by_case
from autoseg.evaluate.summary import Summary
from autoseg.report.artist import Artist
from autoseg.report.pictures.overlay import OverlayCase, plot_overlay
from autoseg.spec.dataset import Dataset

PLANES = ("axial", "coronal", "sagittal")
OTHER_PLANES = ("x y", "x z", "y z")  # of volumes of no body
OF_OBJECTS = {"ap_50": "AP50", "map": "mean AP", "pq": "PQ"}

Texts = dict[str, str]


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
    style = STYLES[dataset.task]
    chosen = choose_cases(summary, cases, style.metric)
    points = artist.task.kind == "points"
    predicted, annotated = (
        files_by_case(folders[name], (".json",) if points else None)
        for name in ("predictions", "annotations")
    )
    rows = [
        OverlayCase(
            name=case_id,
            view=artist.view(
                dataset.case(case_id), predicted[case_id], annotated[case_id]
            ),
            scores=style.texts(summary.cases[case_id], summary.unit),
        )
        for case_id in chosen
    ]
    planes = PLANES if summary.unit == "mm" else OTHER_PLANES
    plot_overlay(
        rows,
        path,
        colors=artist.colors,
        title=title,
        foot=style.foot([summary.cases[case_id] for case_id in chosen]),
        planes=planes if len(rows[0].view.spacing) == 3 else (),
        through=points,
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
        Whose mean over classes says how good a case is: 1 is best; of ``"mre"``, 0.

    Returns
    -------
    tuple of str
        The best first.
    """
    sign = 1.0 if metric == "mre" else -1.0

    def badness(case: str) -> float:
        values = [
            scores.get(metric, math.nan) for scores in summary.cases[case].values()
        ]
        known = [value for value in values if not math.isnan(value)]
        nothing = math.inf if metric == "mre" else 0.0
        return sign * sum(known) / len(known) if known else nothing

    ranked: Sequence[str] = sorted(
        summary.cases, key=lambda case: (badness(case), case)
    )
    if len(ranked) <= count or count < 2:
        return tuple(ranked[: max(count, 1)])
    steps = [round(i * (len(ranked) - 1) / (count - 1)) for i in range(count)]
    return tuple(ranked[step] for step in steps)


def _dice(scores: Scores, unit: str) -> Texts:
    texts = {name: of["dice"] for name, of in scores.items()}
    return {n: "not there" if math.isnan(d) else f"{d:.3f}" for n, d in texts.items()}


def _mean_dice(cases: Sequence[Scores]) -> str:
    means = []
    for name in cases[0]:
        values = [case[name]["dice"] for case in cases]
        known = [value for value in values if not math.isnan(value)]
        if known:
            means.append(f"{name} {sum(known) / len(known):.3f}")
    return f"mean Dice of these cases:  {'   '.join(means)}" if means else ""


def _objects(scores: Scores, unit: str) -> Texts:
    """Return what is asked for of a single class, or the mean AP of several."""
    if len(scores) == 1:
        (of,) = scores.values()
        return {text: f"{of[name]:.3f}" for name, text in OF_OBJECTS.items()}
    return {name: f"{of['map']:.3f}" for name, of in scores.items()}


def _about_objects(cases: Sequence[Scores]) -> str:
    return "AP, mean AP (IoU 0.50 to 0.95) and PQ: docs/metrics.md"


def _errors(scores: Scores, unit: str) -> Texts:
    """Return the error of each landmark, or what was said about its presence."""
    texts = {}
    for name, of in scores.items():
        said = {"fn": "missed", "fp": "made up", "tn": "absent: right"}
        found = [text for key, text in said.items() if of.get(key)]
        texts[name] = found[0] if found else f"{of.get('mre', math.nan):.2f} {unit}"
    return texts


def _about_points(cases: Sequence[Scores]) -> str:
    return "volumes are seen through their whole depth, the brightest voxel first"


@dataclass(frozen=True, kw_only=True)
class _Style:
    """How a task's scores are shown.

    Parameters
    ----------
    metric : str
        What ranks cases.
    texts : callable
        Scores of a case and the unit to what stands beside it, by class.
    foot : callable
        Scores of the cases that are shown to what stands below them.
    """

    metric: str
    texts: Callable[[Scores, str], Texts]
    foot: Callable[[Sequence[Scores]], str]


STYLES: Mapping[str, _Style] = {
    "semantic": _Style(metric="dice", texts=_dice, foot=_mean_dice),
    "instance": _Style(metric="map", texts=_objects, foot=_about_objects),
    "landmark": _Style(metric="mre", texts=_errors, foot=_about_points),
}
