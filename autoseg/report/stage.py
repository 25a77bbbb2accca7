"""A page about a data set, its plans and everything that was trained on it.

Reads what the other stages have written and the images of the cases that it shows;
writes ``report.html``, which needs no other file and no network, and ``report.json``.
"""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from autoseg import __version__
from autoseg.datasets.files import cases_like
from autoseg.datasets.read import open_dataset
from autoseg.errors import AutosegError, DatasetError, UsageError
from autoseg.evaluate.numbers import plain
from autoseg.find_best.candidates import held_out, quote
from autoseg.find_best.outputs import ensure_outputs
from autoseg.lock import is_held
from autoseg.outputs import refuse_foreign
from autoseg.preprocess.folds import load_splits
from autoseg.report.artist import Artist
from autoseg.report.calibration import Checked
from autoseg.report.kinds.base import ReportKind
from autoseg.report.page import sections
from autoseg.report.page.cases import draw_cases
from autoseg.report.page.charts import charts
from autoseg.report.page.content import (
    SCHEMA,
    describe_data,
    describe_plan,
    describe_selection,
    describe_stages,
)
from autoseg.report.page.html import render
from autoseg.report.page.predictions import describe_predictions
from autoseg.report.page.trained import describe_trained, stale_folds
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.fingerprint import Fingerprint
from autoseg.spec.json import dumps, to_json, write_text
from autoseg.spec.plan import Plan
from autoseg.train.after.results import Trained, find_trained, only
from autoseg.train.setup.job import lock_of
from autoseg.workspace import REPORT, Workspace

PathLike = str | os.PathLike[str]

RELOAD = 60  # seconds after which a browser reads a page that is written anew

log = logging.getLogger(__name__)


def report(
    dataset: PathLike,
    root: PathLike | None = None,
    *,
    configuration: str | None = None,
    fold: int | str | None = None,
    output: PathLike | None = None,
    pictures: bool = True,
    predictions: PathLike | None = None,
    images: PathLike | None = None,
    outputs: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    workers: int | None = None,
) -> Path:
    """Write a page about a data set and what was trained on it.

    Parameters
    ----------
    dataset : path, name or number
        The data set; its fingerprint must be there.
    root : path, optional
        ROOT.
    configuration : str, optional
        What is shown of what was trained; by default everything. The page has its name
        then, beside that of everything.
    fold : int or str, optional
        Of the configuration, this one alone.
    output : path, optional
        A folder, or a file name ending in ``.html``; by default
        ``ROOT/results/DATASET``.
    pictures : bool
        Show cases; without them no image is read for the page's other sections.
    predictions : path, optional
        A folder of predictions without annotation: their volumes, and warnings where
        images are unlike those of training.
    images : path, optional
        Folder of their images; by default those of the data set.
    outputs : bool
        Predict the probabilities of held-out cases that are not kept, to show their
        calibration; by default those are shown that `autoseg.find_best` has kept.
    overwrite : bool
        Replace also a page and a JSON file that autoseg did not write.
    device : str
        Where to predict them.
    workers : int, optional
        Cases looked at at a time.

    Returns
    -------
    Path
        The page. A JSON file of the same name with all its numbers is beside it.

    Raises
    ------
    UsageError, DatasetError, PlanError
        If there is no such data set, it has no fingerprint yet, a file is damaged, or
        one would be replaced that autoseg did not write.
    """
    described, workspace = open_dataset(dataset, root)
    file = _output_file(workspace, output, _page_name(configuration, fold))
    refuse_foreign([file, file.with_suffix(".json")], overwrite=overwrite)
    described, fingerprint = _measured(described, workspace)
    trained = _chosen(find_trained(workspace), configuration, fold)
    artist = _artist(described)
    content = _content(described, fingerprint, workspace, trained)
    if artist is not None:
        for one, said in zip(trained, content["trained"], strict=True):
            if outputs and artist.kind.keeps_outputs:
                _predict(one, workspace, described, device)
            checked = _checked(one, artist, workspace, workers)
            _look_closer(said, artist.kind, checked, pictures)
    cases = _images(described, images)
    if predictions is not None:
        content["predictions"] = describe_predictions(
            Path(predictions), cases, described, to_json(fingerprint)
        )
    content["failures"] = [f for one in content["trained"] for f in one["failures"]]
    shown = draw_cases(
        artist if pictures else None, content, trained, predictions, cases
    )
    page = render(
        "report.html",
        content=content,
        pictures=shown,
        charts=charts(content, trained),
        pictured={p["case"] for views in shown["shown"].values() for p in views},
        colors=artist.colors if artist else {},
        kind=artist.kind if artist else ReportKind,
        largest_share=sections.largest_share(content["data"]),
        scored=sections.scored(content),
        json_name=file.with_suffix(".json").name,
        reload=RELOAD if _in_progress(trained) else 0,
        calibration_missing=_no_calibration(artist, described, workspace),
        **sections.frame(content, bool(shown["shown"])),
    )
    write_text(file.with_suffix(".json"), dumps(plain(content)))
    write_text(file, page)
    return file


def _measured(dataset: Dataset, workspace: Workspace) -> tuple[Dataset, Fingerprint]:
    """Return a data set that counts in the unit of its fingerprint, and that."""
    fingerprint = Fingerprint.load(workspace.fingerprint)
    return replace(dataset, lengths=fingerprint.unit), fingerprint


def _content(
    dataset: Dataset,
    fingerprint: Fingerprint,
    workspace: Workspace,
    trained: list[Trained],
) -> dict[str, Any]:
    """Return all but what needs annotations, images or predictions."""
    count = _folds(workspace, dataset) if trained else None
    said = [
        describe_trained(one, count) | {"calibration": None, "confusion": None}
        for one in trained
    ]
    for one, known in zip(trained, said, strict=True):
        known["failures"] += stale_folds(one, dataset, workspace)
    return {
        "schema": SCHEMA,
        "autoseg": __version__,
        "data": describe_data(dataset, fingerprint),
        "plans": [describe_plan(plan) for plan in _plans(workspace, trained)],
        "trained": said,
        "selection": describe_selection(workspace.best, trained),
        "predictions": None,
        "stages": describe_stages(workspace.stages),
    }


def _checked(
    trained: Trained, artist: Artist, workspace: Workspace, workers: int | None
) -> Checked:
    return Checked(
        trained=trained,
        dataset=artist.dataset,
        task=artist.task,
        find=artist.predictions,
        workspace=workspace,
        workers=workers,
    )


def _look_closer(
    said: dict[str, Any], kind: ReportKind, checked: Checked, pictures: bool
) -> None:
    """Add what annotations and predictions say that scores do not."""
    said["calibration"] = kind.calibration(checked)
    if pictures:
        said["confusion"] = kind.confusion(checked)


def _in_progress(trained: list[Trained]) -> bool:
    """Return whether a fold is being trained now, by this process or another."""
    folds = (fold for one in trained for fold in one.folds if not fold.finished)
    return any(is_held(lock_of(fold.folder)) for fold in folds)


def _folds(workspace: Workspace, dataset: Dataset) -> int | None:
    """Return of how many folds the cross-validation is; None if nothing says it."""
    if not workspace.splits.is_file():
        return None
    try:
        return len(load_splits(workspace, dataset))
    except DatasetError as error:  # no reason not to show what was trained
        log.warning("%s", error)
        return None


def _predict(
    trained: Trained, workspace: Workspace, dataset: Dataset, device: str
) -> None:
    candidate = held_out(trained)
    if candidate is not None:
        ensure_outputs(candidate, workspace, dataset, device)


def _no_calibration(
    artist: Artist | None, dataset: Dataset, workspace: Workspace
) -> str:
    """Return why there may be no calibration, and what to do."""
    if artist is None:
        return "its task is not known."
    where = f"{quote(dataset.folder)} --root {quote(workspace.root)}"
    return artist.kind.no_calibration(where)


def _images(dataset: Dataset, folder: PathLike | None) -> list[Case]:
    if folder is None:
        return [*dataset.training, *dataset.test]
    return cases_like(Path(folder), dataset)


def _chosen(
    trained: list[Trained], configuration: str | None, fold: int | str | None
) -> list[Trained]:
    """Return what the page is about."""
    if configuration is None:
        if fold is not None:
            raise UsageError(f"fold {fold} of what? Name the configuration, too.")
        return trained
    found = only(trained, [configuration])
    if fold is None:
        return found
    found = [
        replace(one, folds=tuple(f for f in one.folds if f.name == str(fold)))
        for one in found
    ]
    if not any(one.folds for one in found):
        raise UsageError(f"Fold {fold} of {configuration} is not trained.")
    return [one for one in found if one.folds]


def _page_name(configuration: str | None, fold: int | str | None) -> str:
    """Return the page's name; one about a part does not replace that of everything."""
    if configuration is None:
        return REPORT
    part = configuration if fold is None else f"{configuration}_fold_{fold}"
    return REPORT.replace(".html", f"_{part}.html")


def _output_file(workspace: Workspace, output: PathLike | None, name: str) -> Path:
    path = workspace.results if output is None else Path(output)
    if path.suffix == ".html":
        return path
    if path.is_file():
        raise UsageError(f"{path} is a file; give a folder, or a name ending in .html.")
    return path / name


def _plans(workspace: Workspace, trained: list[Trained]) -> list[Plan]:
    """Return the plans that there are, those that were trained first."""
    files = [one.folder / "plan.json" for one in trained]
    files += sorted(workspace.plan("any").parent.glob("*.json"))
    found: dict[str, Plan] = {}
    for file in files:
        if file.is_file():
            plan = Plan.load(file)
            found.setdefault(plan.name, plan)
    return list(found.values())


def _artist(dataset: Dataset) -> Artist | None:
    try:
        return Artist(dataset=dataset)
    except AutosegError as error:
        log.warning("No pictures of cases: %s", error)
        return None
