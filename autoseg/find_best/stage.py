"""Choose what predicts best by cross-validation, and write it as one bundle.

Scores of single configurations are those of training's validation. Averages of pairs
and post-processing look once at the outputs of the cases, which are predicted as far as
they are not there. Everything else is arithmetic on tables with a row for each case.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from autoseg.datasets.read import open_dataset
from autoseg.evaluate.measures import measure_of
from autoseg.find_best.candidates import Candidate, find_candidates
from autoseg.find_best.kinds import FIND_BEST_KINDS
from autoseg.find_best.kinds.base import FindBestKind, Last, Pair
from autoseg.find_best.search import Search
from autoseg.find_best.selection import Scored, Selection
from autoseg.find_best.table import Table, gain_of, mean_interval, mean_of
from autoseg.landmarks.confidence import confidence_table
from autoseg.model.bundle import write_bundle
from autoseg.model.confidence import Learnt
from autoseg.model.load import load_model
from autoseg.model.model import Model
from autoseg.model.postprocessing import Postprocessing
from autoseg.outputs import refuse_foreign

logger = logging.getLogger(__name__)


def find_best(
    dataset: str | os.PathLike[str],
    root: str | os.PathLike[str] | None = None,
    *,
    configurations: Sequence[str] | None = None,
    by: str | None = None,
    ensembles: bool = True,
    postprocessing: bool = True,
    crf: bool = False,
    device: str = "auto",
    workers: int | None = None,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    license: str = "not stated",
) -> tuple[Path, Selection]:
    """Choose among everything that was trained on a data set, and write a bundle.

    Parameters
    ----------
    dataset : str or path
        A folder, or the name or number of a data set in ``ROOT/raw``.
    root : str or path, optional
        ROOT.
    configurations : sequence of str, optional
        What is compared; by default everything that was trained.
    by : str, optional
        The measure, such as ``"dice"``, ``"nsd"`` or ``"hd95"``; by default the task's
        first.
    ensembles : bool
        Try averages of two configurations, too.
    postprocessing : bool
        Try thresholds, filled holes and removed components, too; of instances, other
        parameters of decoding.
    crf : bool
        Try dense conditional random fields, too: the image itself moves borders. Takes
        some seconds for a million voxels and field.
    device : str
        Where outputs are predicted.
    workers : int, optional
        Cases scored at a time.
    output : path, optional
        The bundle; by default ``ROOT/results/DATASET/best/model.zip``.
    overwrite : bool
        Replace also files that autoseg did not write.
    license : str
        Under which terms others may use the weights; stands in the bundle's card.

    Returns
    -------
    path : Path
        The bundle.
    selection : Selection
        What is in it and why.

    Raises
    ------
    UsageError
        If nothing can be compared, or a file of the user's would be replaced.
    CaseErrors
        If cases could not be predicted or scored.
    """
    described, workspace = open_dataset(dataset, root)
    path = Path(output) if output is not None else workspace.best
    refuse_foreign([path, path.with_suffix(".json")], overwrite=overwrite)
    candidates, left_out = find_candidates(workspace, described, configurations)
    for line in left_out:
        logger.warning("Left out:%s", line.replace("\n", "\n "))
    search = Search.begin(
        workspace, described, candidates, by, device, workers, crf=crf
    )
    kind = FIND_BEST_KINDS.get(search.task.kind, FindBestKind)(search)
    singles = [search.table(one.cases) for one in candidates]
    models = [
        _scored(c.name, t, search) for c, t in zip(candidates, singles, strict=True)
    ]
    best = int(np.argmax([mean_of(table) for table in singles]))
    members: Pair = [candidates[best]]
    table = singles[best]
    if ensembles:
        averaged, sure = _averages(kind, table)
        models += averaged
        if sure:
            members, table = max(sure, key=lambda found: mean_of(found[1]))
    last = kind.last_steps(members, table) if postprocessing else Last(table=table)
    name = " + ".join(member.name for member in members)
    learnt = kind.learnt(members)
    selection = Selection(
        dataset=described.name,
        by=search.by,
        unit=search.fingerprint.unit,
        cases=len(search.ids),
        chosen=name,
        models=tuple(models),
        steps=tuple(last.steps),
        postprocessing=last.rules,
        final=_scored(name, last.table, search),
        left_out=tuple(line.strip() for line in left_out),
        bundle=path.name,
        confidence=_trust(learnt, search.fingerprint.unit),
        decoding=last.decoding,
    )
    model = _model_of(members, last.rules, learnt, kind)
    said = {"license": license, "notes": selection.markdown()}
    write_bundle(model, path, **said, overwrite=overwrite)
    selection.save(path.with_suffix(".json"))
    return path, selection


def _averages(
    kind: FindBestKind, single: Table
) -> tuple[list[Scored], list[tuple[Pair, Table]]]:
    """Score the average of every two configurations that learned the same.

    Returns
    -------
    scored : list of Scored
        Each with its gain over the best single configuration.
    sure : list of (pair, table)
        Those whose gain is sure.
    """
    pairs = [
        [one, other]
        for one, other in itertools.combinations(kind.search.candidates, 2)
        if one.task == other.task and one.plan.dim == other.plan.dim
    ]
    scored, sure = [], []
    for pair, table in kind.averages(pairs):
        gain = gain_of(single, table)
        name = " + ".join(one.name for one in pair)
        scored.append(replace(_scored(name, table, kind.search), gain=gain))
        if gain.is_sure:
            sure.append((pair, table))
    return scored, sure


def _scored(name: str, table: Table, search: Search) -> Scored:
    higher = measure_of(search.by).better == "higher"
    sign = 1.0 if higher else -1.0
    low, high = sorted(sign * end for end in mean_interval(table))
    return Scored(name=name, mean=sign * mean_of(table), low=low, high=high)


def _trust(learnt: Learnt | None, unit: str) -> str:
    """Return how far to trust predictions, for people; empty if nothing says it."""
    if learnt is None:
        return ""
    return confidence_table(learnt.confidence, learnt.evidence, unit)


def _model_of(
    members: Sequence[Candidate],
    rules: Postprocessing,
    learnt: Learnt | None,
    kind: FindBestKind,
) -> Model:
    folds = sorted(set(members[0].fold_of.values()), key=int)
    first, *others = [load_model(member.folder, folds=folds) for member in members]
    model = replace(first, partners=tuple(others), postprocessing=rules)
    if not others:
        return model  # it knows what its folds have learnt
    model = replace(model, calibration=kind.calibrated(members))
    return replace(model, confidence=learnt.confidence) if learnt else model
