"""What was trained on a data set, as it lies in the results folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoseg.errors import UsageError, did_you_mean
from autoseg.evaluate.aggregate import aggregate
from autoseg.evaluate.measures import main_measure, mean_over_classes
from autoseg.evaluate.points import summarize_points
from autoseg.evaluate.summary import Summary
from autoseg.model.decoding import Decoding
from autoseg.predict.readouts.uncertainty import correlation, load_qualities
from autoseg.spec.json import load_object
from autoseg.train.loop.logbook import read_log
from autoseg.workspace import (
    CHECKPOINT_FINAL,
    DECODING,
    LOG,
    RUN,
    SUMMARY,
    UNCERTAINTY,
    VALIDATION,
    Workspace,
)

ALL = "all"  # the fold that trains on every case


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One training.

    Parameters
    ----------
    name : str
        Its number, or ``"all"``.
    folder : Path
        Where it is.
    log : tuple of mapping
        Lines of its log.
    run : mapping
        Its ``run.json``; empty if there is none.
    summary : Summary or None
        Scores of its validation cases.
    finished : bool
        Whether it was trained to its end.
    quality : mapping of str to float
        What the prediction of each validation case says of itself; see
        `autoseg.predict.readouts.uncertainty`.
    decoding : Decoding or None
        How it reads its outputs, if that was tuned.
    """

    name: str
    folder: Path
    log: tuple[Mapping[str, Any], ...]
    run: Mapping[str, Any]
    summary: Summary | None
    finished: bool
    quality: Mapping[str, float] = field(default_factory=dict)
    decoding: Decoding | None = None

    @property
    def held_out(self) -> bool:
        """Whether its validation cases were kept from training."""
        return self.name != ALL

    @property
    def predictions(self) -> Path:
        """Folder of what it predicted for its validation cases."""
        return self.folder / VALIDATION


@dataclass(frozen=True, kw_only=True)
class Trained:
    """All folds of one configuration.

    Parameters
    ----------
    plan, configuration : str
        Names.
    folder : Path
        Where they are.
    folds : tuple of Fold
        At least one, sorted.
    """

    plan: str
    configuration: str
    folder: Path
    folds: tuple[Fold, ...]

    @property
    def name(self) -> str:
        """Both names in one."""
        return f"{self.plan} / {self.configuration}"

    def fold_of(self, case: str) -> Fold | None:
        """Return the fold that a case was held out of, and that scored it."""
        return next((fold for fold in self._scored if case in scores_of(fold)), None)

    @property
    def _scored(self) -> list[Fold]:
        return [f for f in self.folds if f.held_out and f.summary is not None]

    def quality_correlation(self) -> dict[str, Any] | None:
        """Return how well predictions rank themselves, over all held-out cases.

        Returns
        -------
        dict of str to float, int, str or None, or None
            ``"spearman"`` and ``"pearson"`` of the number of each case with its score
            by ``"measure"``, and ``"cases"``; None if there are no such numbers.
        """
        own = {c: q for fold in self._scored for c, q in fold.quality.items()}
        if not own:
            return None
        cases = {c: s for fold in self._scored for c, s in scores_of(fold).items()}
        measures = {
            name for by_class in cases.values() for s in by_class.values() for name in s
        }
        by = main_measure(measures)
        scores = {c: mean_over_classes(s, by) for c, s in cases.items()}
        return {"measure": by, **correlation(own, scores)}

    def pooled(self) -> Summary | None:
        """Return the scores of all held-out cases together; None without any."""
        return pool([fold.summary for fold in self._scored if fold.summary is not None])


def scores_of(fold: Fold) -> Mapping[str, Any]:
    """Return the scores of a fold's validation cases, none if it has none yet."""
    return {} if fold.summary is None else fold.summary.cases


def pool(summaries: Sequence[Summary]) -> Summary | None:
    """Return one summary of the cases of several, which share no case.

    Parameters
    ----------
    summaries : sequence of Summary
        Such as those of the folds of a cross-validation.

    Returns
    -------
    Summary or None
        With means and intervals over all cases; None of none.
    """
    if not summaries:
        return None
    cases = {case: scores for one in summaries for case, scores in one.cases.items()}
    classes, foreground = aggregate(cases)
    return Summary(
        unit=summaries[0].unit,
        foreground=foreground,
        classes=classes,
        cases=dict(sorted(cases.items())),
        missing=tuple(sorted({case for one in summaries for case in one.missing})),
        failed={case: why for one in summaries for case, why in one.failed.items()},
        points=summarize_points(cases) if any(one.points for one in summaries) else {},
    )


def only(
    trained: Sequence[Trained], configurations: Sequence[str] | None
) -> list[Trained]:
    """Return what was trained of some configurations, of all plans.

    Parameters
    ----------
    trained : sequence of Trained
        All that there is.
    configurations : sequence of str, optional
        By default all of them.

    Raises
    ------
    UsageError
        If one of them is not trained; the message says what is.
    """
    if configurations is None:
        return list(trained)
    there = sorted({one.configuration for one in trained})
    for name in configurations:
        if name not in there:
            raise UsageError(
                f"{name!r} is not trained.{did_you_mean(name, there)} Trained: "
                f"{', '.join(there) or 'nothing'}."
            )
    return [one for one in trained if one.configuration in configurations]


def find_trained(workspace: Workspace) -> list[Trained]:
    """Return every configuration of which at least one fold was begun.

    Parameters
    ----------
    workspace : Workspace
        Of the data set.

    Returns
    -------
    list of Trained
        Sorted by plan and configuration.
    """
    found: dict[Path, list[Fold]] = {}
    for folder in sorted(workspace.results.glob("*/*/fold_*")):
        if folder.is_dir():
            found.setdefault(folder.parent, []).append(read_fold(folder))
    return [
        Trained(
            plan=folder.parent.name,
            configuration=folder.name,
            folder=folder,
            folds=tuple(sorted(folds, key=lambda fold: (len(fold.name), fold.name))),
        )
        for folder, folds in found.items()
    ]


def read_fold(folder: Path) -> Fold:
    """Return what is in the folder of one fold, finished or not."""
    log, run = folder / LOG, folder / RUN
    summary, decoding = folder / VALIDATION / SUMMARY, folder / DECODING
    return Fold(
        name=folder.name.removeprefix("fold_"),
        folder=folder,
        log=tuple(read_log(log)) if log.is_file() else (),
        run=load_object(run) if run.is_file() else {},
        summary=Summary.load(summary) if summary.is_file() else None,
        finished=(folder / CHECKPOINT_FINAL).is_file(),
        quality=load_qualities(folder / VALIDATION / UNCERTAINTY),
        decoding=Decoding.load(decoding) if decoding.is_file() else None,
    )
