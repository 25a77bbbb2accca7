"""The command `next`: which images to annotate next, with drafts to begin from."""

from __future__ import annotations

import logging
import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from autoseg import __version__
from autoseg.atomic import atomically
from autoseg.datasets.read import open_dataset
from autoseg.errors import UsageError, amount, some_of
from autoseg.evaluate.files import is_in_dataset
from autoseg.formats.base import read_image
from autoseg.model.load import load_model
from autoseg.model.locate import find_model
from autoseg.model.model import Model
from autoseg.outputs import is_ours, refuse_foreign, writing
from autoseg.parallel import map_cases
from autoseg.predict.cases import find_jobs
from autoseg.predict.job import Job
from autoseg.predict.readouts.uncertainty import load_qualities
from autoseg.predict.stage import predict
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.json import dumps
from autoseg.teaching.features import Vector, features_of
from autoseg.teaching.ranking import Ranked, rank
from autoseg.train.setup.changed import HASHED, tell_of_model
from autoseg.workspace import UNCERTAINTY, Workspace

logger = logging.getLogger(__name__)

DRAFTS, IMAGES, LIST = "drafts", "images", "next.json"  # in the folder that is written
MOST = 200  # annotated images that others are compared with, evenly spread
TAKE = 10
SHOWN = 5  # files that a message names


def next(
    dataset: str | os.PathLike[str],
    images: str | os.PathLike[str],
    output: str | os.PathLike[str],
    root: str | os.PathLike[str] | None = None,
    *,
    model: str | os.PathLike[str] | None = None,
    configuration: str | None = None,
    plan: str | None = None,
    take: int = TAKE,
    device: str = "auto",
    workers: int | None = None,
) -> list[Ranked]:
    """Rank images by what annotating them would teach, and draft their annotations.

    Parameters
    ----------
    dataset : str or path
        A folder, or the name or number of a data set in ``ROOT/raw``.
    images : path
        A folder of images without annotations, as `predict` takes it.
    output : path
        A folder. ``drafts/`` gets a prediction of each image, ``images/`` links to
        those that come first, ``next.json`` the list. What is there and not
        autoseg's, or was changed since, is not touched.
    root : str or path, optional
        ROOT; see `autoseg.workspace.find_root`.
    model : path, optional
        What predicts; by default what `find_best` chose, or the only model that is
        trained.
    configuration, plan : str, optional
        Which trained model of the data set, if there are several.
    take : int
        How many come first.
    device : str
        Where to predict.
    workers : int, optional
        Threads that read images.

    Returns
    -------
    list of Ranked
        All images, those to annotate first in the front.

    Raises
    ------
    UsageError
        If there is no model or no image, a file would be replaced, or lie among images.
    DatasetError
        If ROOT has results of another data set of the same name.
    """
    if take < 1:
        raise UsageError(f"--take is {take}; give 1 or more.")
    described, workspace = open_dataset(dataset, root)
    folder, path = Path(output), Path(model) if model else None
    _refuse_place(folder, Path(images), described)
    path = path or _trained(described, configuration, workspace, plan)
    for line in tell_of_model(path, HASHED):
        logger.warning("%s", line)
    loaded = load_model(path, configuration=configuration if model else None)
    jobs = find_jobs(Path(images), folder / DRAFTS, loaded)
    refuse_foreign([folder / LIST])
    _refuse_corrected(jobs)
    new = _new(jobs, described)  # before anything is predicted in vain
    predict(loaded, Path(images), folder / DRAFTS, device=device, uncertainty=True)
    qualities = load_qualities(folder / DRAFTS / UNCERTAINTY)
    candidates = _features([job.case for job in new], described, loaded, workers)
    known = [c for c in described.training if c.annotation and c.annotation.exists()]
    step = max(1, math.ceil(len(known) / MOST))
    annotated = _features(known[::step], described, loaded, workers)
    if not annotated:
        raise UsageError(f"{described.folder} has no annotated case to compare with.")
    ranked = rank(
        {case: qualities.get(case, math.nan) for case in candidates},
        candidates,
        list(annotated.values()),
    )
    _prepare(folder, ranked, {job.case.id: job for job in new}, take)
    return ranked


def _trained(
    described: Dataset,
    configuration: str | None,
    workspace: Workspace,
    plan: str | None,
) -> Path:
    """Return the model of a data set."""
    best = workspace.results / "best" / "model.zip"
    if configuration is None and plan is None and best.is_file():
        return best
    where = str(described.folder), configuration, workspace.root
    return find_model(*where, plan=plan)


def _refuse_place(folder: Path, images: Path, described: Dataset) -> None:
    """Raise if what is written would lie among images, or in the data set."""
    there, given = folder.resolve(), images.resolve()
    if given in (there, there / IMAGES):
        where = "is" if given == there else "holds"
        raise UsageError(
            f"{folder} {where} the folder of the images, and {DRAFTS}, {IMAGES} and "
            f"{LIST} would lie among your files. Give another folder (-o)."
        )
    own = described.folder.resolve() in (there, there.parent)
    if own or is_in_dataset(folder):
        name = described.name if own else there.parent
        raise UsageError(
            f"{folder} belongs to the data set {name}, whose images and "
            "annotations are yours. Give another folder (-o)."
        )


def _refuse_corrected(jobs: Sequence[Job]) -> None:
    """Raise if drafts are there that somebody has worked on."""
    changed = [j.output for j in jobs if j.output.exists() and not is_ours(j.output)]
    if changed:
        raise UsageError(
            f"{some_of(changed, SHOWN)}: corrected, or not written by autoseg, so it "
            "is not replaced. Nothing was done. Give another folder (-o)."
        )


def _new(jobs: Sequence[Job], described: Dataset) -> list[Job]:
    """Return the images that are not annotated yet; say which are."""
    known = {
        os.path.realpath(path)
        for case in described.training
        if case.annotation and case.annotation.exists()
        for path in case.images
    }
    new = [j for j in jobs if os.path.realpath(j.case.images[0]) not in known]
    if len(new) < len(jobs):
        there = amount(len(jobs) - len(new), "image")
        logger.info("%s of %d: annotated in the data set already.", there, len(jobs))
    if not new:
        raise UsageError("All of these images are annotated in the data set already.")
    return new


def _features(
    cases: Sequence[Case], described: Dataset, model: Model, workers: int | None
) -> dict[str, Vector]:
    """Return what images are like, by case."""

    def look(case: Case) -> Vector:
        image = read_image(case, described, lazily=True)
        return features_of(image, model.plan.channels)

    return map_cases(
        look, cases, stage="look", workers=workers, name=lambda case: case.id
    )


def _prepare(
    folder: Path, ranked: Sequence[Ranked], jobs: dict[str, Job], take: int
) -> None:
    """Link the images that come first, and write the list."""
    for one in ranked[:take]:
        for path in jobs[one.case].case.images:
            _link(folder / IMAGES / path.name, path)
    rows = [
        {
            "rank": number,
            "case": one.case,
            "score": one.score,
            "quality": None if math.isnan(one.quality) else one.quality,
            "unlike": one.unlike,
            "because": list(one.because),
            "images": [str(path) for path in jobs[one.case].case.images],
            "draft": os.path.relpath(jobs[one.case].output, folder),
            "taken": number <= take,
        }
        for number, one in enumerate(ranked, 1)
    ]
    with writing([folder / LIST]), atomically(folder / LIST) as file:
        file.write_text(
            dumps({"autoseg": __version__, "schema": 1, "images": rows}),
            encoding="utf-8",
        )


def _link(link: Path, path: Path) -> None:
    """Let a link lead to an image, or copy it where there are no links."""
    if link.exists() or link.is_symlink():
        if os.path.realpath(link) == os.path.realpath(path):
            return
        raise UsageError(f"{link} is there, and is not {path}. Give another folder.")
    link.parent.mkdir(parents=True, exist_ok=True)
    try:
        link.symlink_to(path.absolute())
    except OSError:  # a file system or user without links
        if path.is_dir():
            shutil.copytree(path, link)
        else:
            shutil.copy2(path, link)
