"""Runs to compare: whatever has scores, or predictions that can be scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoseg.errors import UsageError
from autoseg.evaluate.stage import evaluate
from autoseg.evaluate.summary import Summary
from autoseg.spec.json import load_object
from autoseg.train.after.results import ALL, pool, read_fold
from autoseg.workspace import SUMMARY, VALIDATION


@dataclass(frozen=True, kw_only=True)
class Run:
    """Something that predicted cases.

    Parameters
    ----------
    name : str
        As it is called in tables.
    source : Path
        Where its scores are from.
    summary : Summary
        Its scores.
    """

    name: str
    source: Path
    summary: Summary


def read_runs(texts: Sequence[str], scores: Path, **evaluation: Any) -> list[Run]:
    """Return the runs that ``[NAME=]PATH`` texts name.

    Parameters
    ----------
    texts : sequence of str
        A path is a ``summary.json`` or a folder: of predictions, of a fold, or of a
        configuration, whose folds are pooled.
    scores : Path
        Folder for scores of predictions that have none yet.
    **evaluation
        How to score them: arguments of `autoseg.evaluate.stage.evaluate`.

    Returns
    -------
    list of Run
        In the order given, under names that differ.

    Raises
    ------
    UsageError
        If there are fewer than two, a path does not exist, or a name comes twice.
    """
    if len(texts) < 2:
        raise UsageError("comparing takes two runs or more.")
    named = [_split(text) for text in texts]
    names = _names(named)
    return [
        Run(name=name, source=path, summary=_summary(path, scores / name, evaluation))
        for name, (_, path) in zip(names, named, strict=True)
    ]


def _split(text: str) -> tuple[str | None, Path]:
    name, equals, path = text.partition("=")
    if equals and name and "/" not in name and not Path(text).exists():
        return name, Path(path)
    return None, Path(text)


def _names(named: Sequence[tuple[str | None, Path]]) -> list[str]:
    """Return the names given, or ends of the paths, as long as it takes to differ."""
    paths = [path.absolute() for _, path in named]
    for length in range(1, max(len(path.parts) for path in paths) + 1):
        found = [
            given or "/".join(path.parts[-length:])
            for (given, _), path in zip(named, paths, strict=True)
        ]
        if len(set(found)) == len(found):
            return found
    raise UsageError("two runs are the same; give each another NAME=PATH.")


def _summary(path: Path, scores: Path, evaluation: dict[str, Any]) -> Summary:
    if path.is_file():
        return Summary.load(path)
    if not path.is_dir():
        raise UsageError(f"{path} is neither a summary.json nor a folder.")
    for file in (path / SUMMARY, path / VALIDATION / SUMMARY):
        if file.is_file() and "cases" in load_object(file):  # ours, and no other tool's
            return Summary.load(file)
    folds = [read_fold(folder) for folder in sorted(path.glob("fold_*"))]
    pooled = pool([f.summary for f in folds if f.summary and f.name != ALL])
    if pooled is not None:
        return pooled
    if not (evaluation.get("dataset") or evaluation.get("annotations")):
        raise UsageError(
            f"{path} has no scores. Say what to compare its predictions with: the data "
            "set (-d), or a folder of annotations (-g) and the data set."
        )
    return evaluate(path, chill=True, output=scores / SUMMARY, **evaluation)
