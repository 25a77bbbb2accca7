"""Make training cases of what a model, or an ensemble, is sure of.

Images that nobody annotated are predicted; what is unsure is left out, in the way that
partly annotated cases have (``ignore``, unknown points). A new data set has these cases
and the annotated ones, which stay where they are. Its folds hold out the same annotated
cases as before; what was taught is on the training side of each, but for images of a
group (a patient) that is held out.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from autoseg.datasets.files import cases_like
from autoseg.datasets.groups import folds_with, group_beside
from autoseg.datasets.identity import content_of, short_hash
from autoseg.datasets.layouts.bids import KEY as BIDS
from autoseg.datasets.layouts.names import is_bids
from autoseg.datasets.merge import place_of
from autoseg.datasets.read import load_dataset, open_dataset
from autoseg.errors import UsageError, amount, some_of
from autoseg.model.load import load_model
from autoseg.model.model import Model
from autoseg.outputs import must_be_folder
from autoseg.predict.cases import bids_cases, id_of, prediction_ending
from autoseg.predict.job import Job
from autoseg.predict.stage import predict
from autoseg.preprocess.folds import load_splits, make_splits
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.json import dumps, load_object, to_json, write_text
from autoseg.tasks import choose_task, make_task
from autoseg.train.setup.changed import HASHED, tell_of_model
from autoseg.train.start.initialize import hash_weights
from autoseg.train.teach.kinds import TEACH_KINDS
from autoseg.train.teach.kinds.base import TeachKind
from autoseg.workspace import Workspace

PathLike = str | os.PathLike[str]

SURE = 0.9
LABELS = "labelsTr"
TAUGHT = "taught"  # key of dataset.json: what it was made from
PARTIAL = ".partial"  # after the folder's name, until it is complete
TEACHER = "teacher.json"  # in it: whose predictions there are
OURS = (TEACHER, LABELS, "predicted", "dataset.json")

logger = logging.getLogger(__name__)


def teach(
    dataset: PathLike,
    images: PathLike,
    model: str | Path,
    output: PathLike,
    root: PathLike | None = None,
    *,
    folds: Sequence[str | int] | None = None,
    configuration: str | None = None,
    sure: float = SURE,
    device: str = "auto",
) -> Path:
    """Make a data set with pseudo-labels for images that nobody annotated.

    Parameters
    ----------
    dataset : str or path
        The annotated cases: a folder, or the name or number of one in ``ROOT/raw``.
    images : path
        Folder of images, named as those of the data set. Cases that it has already are
        left out.
    model : path
        What predicts them: a trained model's folder, a bundle, such as the one that
        `find_best` writes, or a name.
    output : path
        The folder of the new data set. What it holds is not overwritten; one that was
        finished before in the same way is returned as it is.
    root : path, optional
        ROOT.
    folds, configuration
        Which part of the model; see `autoseg.model.load.load_model`.
    sure : float
        From which probability on a voxel's label is taught, or from which score on an
        object, between 0 and 1. Of landmarks, `low_confidence` decides, and this only
        where validation taught nothing.
    device : str
        Where to predict.

    Returns
    -------
    Path
        The folder: dataset.json, which names the places of all files, and the new
        annotations in ``labelsTr``.

    Raises
    ------
    UsageError, DatasetError
        If the model has other classes, nothing is sure, or the folder holds something
        else.
    CaseErrors
        If some images could not be predicted; the same call goes on.
    """
    if not 0 < sure <= 1:
        raise UsageError(f"sure is {sure}; give more than 0 and at most 1.")
    described, workspace = open_dataset(dataset, root)
    folder = Path(os.path.abspath(output))
    before = _made_before(folder)
    must_be_folder(folder)
    teacher = load_model(model, configuration=configuration, folds=folds)
    for line in tell_of_model(Path(model), HASHED):
        logger.warning("%s", line)
    kind = _kind_of(teacher, described, sure)
    cases = _unannotated(Path(os.path.abspath(images)), described, teacher)
    origin = _origin(teacher, described, cases, sure)
    if before is not None:
        _refuse_other(folder, before, origin)
        logger.info("%s is finished already.", folder)
        return folder
    work = folder.with_name(folder.name + PARTIAL)
    _begin(work, teacher)
    jobs = _jobs(cases, teacher, work / "predicted")
    predict(
        teacher,
        [job.case.images for job in jobs],
        work / "predicted",
        save_probabilities=kind.needs_outputs,
        continue_prediction=True,
        device=device,
    )
    taught = _annotated(kind, jobs, work)
    raw = _described(
        kind.described(described.raw), described, taught, workspace, folder
    )
    write_text(work / "dataset.json", dumps({**raw, TAUGHT: origin}))
    shutil.rmtree(work / "predicted")
    (work / TEACHER).unlink()
    if folder.exists():
        folder.rmdir()
    work.rename(folder)
    load_dataset(folder)  # whatever is wrong with it is said here
    return folder


def _made_before(folder: Path) -> dict[str, Any] | None:
    """Return what a folder was taught from, None if there is none or it is empty.

    Raises
    ------
    UsageError
        If it holds anything else.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    path = folder / "dataset.json"
    raw = load_object(path) if path.is_file() else {}
    if not isinstance(raw.get(TAUGHT), dict):
        raise UsageError(
            f"{folder} holds something that was not taught, and nothing is "
            "overwritten. Give another folder (-o)."
        )
    return dict(raw[TAUGHT])


def _origin(
    teacher: Model, dataset: Dataset, cases: Sequence[Case], sure: float
) -> dict[str, Any]:
    """Return what pseudo-labels are made from, in few words, for dataset.json."""
    known = short_hash(dumps(_known(teacher)))
    annotated = [case.id for case in dataset.training if case.annotation is not None]
    images = {case.id: content_of(case) for case in cases}
    return {"model": known, "sure": sure, "images": images, "annotated": annotated}


def _refuse_other(
    folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]
) -> None:
    """Raise UsageError if a folder was taught from something else."""
    others = {"model": "model", "sure": "--sure", "images": "images"}
    others["annotated"] = "annotated cases"
    wrong = [word for key, word in others.items() if before.get(key) != now[key]]
    if wrong:
        raise UsageError(
            f"{folder} is finished, but was taught with other {' and '.join(wrong)}; "
            "nothing is overwritten. Give another folder (-o), or delete this one."
        )


def _known(teacher: Model) -> dict[str, Any]:
    models = (teacher, *teacher.partners)
    weights = [hash_weights(one) for model in models for one in model.weights]
    return {"weights": weights, "postprocessing": to_json(teacher.postprocessing)}


def _begin(work: Path, teacher: Model) -> None:
    """Throw away what another model began to teach there."""
    known, said = _known(teacher), work / TEACHER
    mine = said.is_file() and load_object(said) == known
    if mine:
        logger.info("Going on in %s, where it was stopped.", work)
    if work.exists() and not mine:
        refuse = any(path.name not in OURS for path in work.iterdir())
        if refuse:
            raise UsageError(
                f"{work} is in the way: it is where {work.stem} is made, and holds "
                "something else. Move it away."
            )
        shutil.rmtree(work)
    write_text(said, dumps(known))


def _kind_of(teacher: Model, dataset: Dataset, sure: float) -> TeachKind:
    """Return what makes annotations; raises UsageError if classes are others."""
    theirs, ours = make_task(teacher.plan.task), make_task(choose_task(dataset))
    known = [(task.kind, task.classes) for task in (theirs, ours)]
    if known[0] != known[1]:
        raise UsageError(
            f"{teacher.source} finds {', '.join(theirs.classes)}, and {dataset.name} "
            f"has {', '.join(ours.classes)}. Teach with a model of the same classes."
        )
    return TEACH_KINDS[theirs.kind](
        theirs.for_axes(teacher.settings.dim), dataset, sure
    )


def _unannotated(folder: Path, dataset: Dataset, teacher: Model) -> list[Case]:
    """Return the images of a folder, or of a BIDS data set, that are no case yet."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder of images.")
    bids = is_bids(folder)
    if bids:
        found = bids_cases(folder, teacher)
    else:
        found = cases_like(folder, dataset)
    there = {case.id for case in dataset.training}
    files = {os.path.realpath(p) for case in dataset.training for p in case.images}
    known = {
        case.id
        for case in found
        if case.id in there or os.path.realpath(case.images[0]) in files
    }
    if known:
        logger.info(
            "%s of %s are annotated already and are not taught.",
            amount(len(known), "image"),
            folder,
        )
    new = [case for case in found if case.id not in known]
    if not new:
        raise UsageError(
            f"{folder} has no image that ends in {dataset.image_ending} and is not a "
            f"case of {dataset.name} already."
        )
    # Files that are given one by one are predicted by their own names.
    return [replace(case, id=id_of(case.images[0])) for case in new] if bids else new


def _jobs(cases: Sequence[Case], teacher: Model, folder: Path) -> list[Job]:
    return [
        Job(case=case, output=folder / f"{case.id}{prediction_ending(case, teacher)}")
        for case in cases
    ]


def _annotated(
    kind: TeachKind, jobs: Sequence[Job], work: Path
) -> list[tuple[Case, Path]]:
    """Write annotations; return the cases that have one, with its file."""
    folder = work / LABELS
    folder.mkdir(parents=True, exist_ok=True)
    found, shares, empty = [], [], []
    for job in jobs:
        made = kind.annotate(job, folder)
        if made is None:
            empty.append(job.case.id)
            continue
        found.append((job.case, made[0]))
        shares.append(made[1])
    if empty:
        logger.warning(
            "Left out, since nothing was found there surely: %s (%s of %d).",
            some_of(empty),
            len(empty),
            len(jobs),
        )
    if not found:
        raise UsageError(
            "The model is sure of nothing in these images. Give a lower --sure, or a "
            "better model."
        )
    logger.info(
        "%s taught; on average %.0f %% of a prediction was sure.",
        amount(len(found), "case"),
        100 * sum(shares) / len(shares),
    )
    return found


def _described(
    raw: dict[str, Any],
    dataset: Dataset,
    taught: Sequence[tuple[Case, Path]],
    workspace: Workspace,
    folder: Path,
) -> dict[str, Any]:
    """Return the new dataset.json, with the folds that there were."""
    listed: dict[str, Any] = {
        case.id: {
            "images": [place_of(path, folder) for path in case.images],
            "label": place_of(case.annotation, folder),
        }
        for case in dataset.training
        if case.annotation is not None
    }
    for case, path in taught:
        listed[case.id] = {
            "images": [place_of(image, folder) for image in case.images],
            "label": f"{LABELS}/{path.name}",
        }
    made = workspace.splits.is_file()
    splits = load_splits(workspace, dataset) if made else make_splits(dataset)
    new = [case.id for case, _ in taught]
    kept = {key: value for key, value in raw.items() if key != BIDS}  # all are listed
    found = {case_id: group_beside(case_id, raw.get("groups")) for case_id in new}
    groups = {case_id: group for case_id, group in found.items() if group is not None}
    if isinstance(raw.get("groups"), dict):
        kept["groups"] = {**raw["groups"], **groups}
    own = {case.id: case.group for case in dataset.training}
    folds, left = folds_with(splits, own, new, groups)
    if left:
        logger.info(
            "%s of the group (patient) of annotated ones: no fold that holds out one "
            "of these learns from them.",
            amount(len(left), "taught case"),
        )
    return {**kept, "dataset": listed, "numTraining": len(listed), "splits": folds}
