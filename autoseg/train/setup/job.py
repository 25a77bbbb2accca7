"""Everything that a training needs, found and checked before it starts."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from autoseg.augmentations.pipeline import check_policy
from autoseg.datasets.read import open_dataset
from autoseg.errors import (
    TrainingError,
    UsageError,
    amount,
    did_you_mean,
    some_of,
)
from autoseg.lock import Held, is_held, locked
from autoseg.preprocess.extend import extend_splits
from autoseg.preprocess.folds import load_fold
from autoseg.preprocess.meaning import measured_in, must_fit
from autoseg.preprocess.sources import changed_in_store
from autoseg.preprocess.store import CaseStore
from autoseg.spec.configuration import Configuration
from autoseg.spec.dataset import Dataset
from autoseg.spec.json import dumps, load_object, to_json, write_text
from autoseg.spec.plan import Plan
from autoseg.spec.run import differences
from autoseg.tasks import make_task
from autoseg.tasks.base import Task
from autoseg.train.setup.options import Options, resolve_recipe, with_changes
from autoseg.workspace import (
    CHECKPOINT_BEST,
    CHECKPOINT_FINAL,
    CHECKPOINT_LATEST,
    MODEL_DATASET,
    MODEL_FINGERPRINT,
    MODEL_PLAN,
    Workspace,
)

logger = logging.getLogger(__name__)

DATA_FIELDS = ("spacing", "resampling")  # change what is preprocessed
CHECKPOINTS = (CHECKPOINT_LATEST, CHECKPOINT_BEST, CHECKPOINT_FINAL)
PLAN_FIELDS = ("task", "unit", "orientation", "transpose", "channels")

_told: set[str] = set()


@dataclass(frozen=True, kw_only=True)
class Job:
    """One fold to be trained.

    Parameters
    ----------
    dataset : Dataset
        With its cases.
    workspace : Workspace
        Where everything is.
    plan : Plan
        As it is trained.
    configuration : str
        Name of one of its configurations.
    fold : str
        A number, or ``"all"``.
    training, validation : tuple of str
        Case ids.
    data : str or None
        Name of the folder of preprocessed data; by default the plan's. A task may mean
        its outputs as a model does that the training starts from: its data are those
        of the plan before.
    max_memory : float or None
        GB that preparing and predicting its cases may take.
    orientation : str or None
        To which images are turned where the plan turns none; see `Plan.as_they_lay`.
    """

    dataset: Dataset
    workspace: Workspace
    plan: Plan
    configuration: str
    fold: str
    training: tuple[str, ...]
    validation: tuple[str, ...]
    data: str | None = None
    max_memory: float | None = None
    orientation: str | None = None

    @property
    def preparing(self) -> Plan:
        """The plan by which images are prepared, those that lie otherwise too."""
        if self.orientation is None:
            return self.plan
        return dataclasses.replace(self.plan, orientation=self.orientation)

    @property
    def settings(self) -> Configuration:
        """The configuration."""
        return self.plan.configuration(self.configuration)

    @property
    def task(self) -> Task:
        """The task."""
        return make_task(self.plan.task).for_axes(self.settings.dim)

    @property
    def is_fine(self) -> bool:
        """Whether it is a fine stage, which looks where the one before it finds."""
        return self.settings.previous is not None and self.task.fine_reach > 0

    @property
    def store(self) -> CaseStore:
        """The preprocessed cases."""
        name = self.data or self.plan.data_id(self.configuration)
        return CaseStore(self.workspace.data(name))

    @property
    def model_folder(self) -> Path:
        """Folder of all folds."""
        return self.workspace.model(self.plan.name, self.configuration)

    @property
    def folder(self) -> Path:
        """Folder of this fold."""
        return self.workspace.fold(self.plan.name, self.configuration, self.fold)


def find_job(
    dataset: str | os.PathLike[str],
    configuration: str,
    fold: int | str,
    root: str | os.PathLike[str] | None,
    plan: str,
    options: Options,
) -> Job:
    """Find data set, plan and fold.

    Raises
    ------
    UsageError, PlanError, DatasetError
        If one of them is missing or contradicts itself; the message says which
        command makes it.
    """
    described, workspace = open_dataset(dataset, root)
    path = workspace.plan(plan)
    if not path.is_file():
        there = sorted(p.stem for p in path.parent.glob("*.json"))
        near = did_you_mean(plan, there)
        hint = f"{near} There are plans {', '.join(there)}." if there else ""
        raise UsageError(
            f"There is no plan {plan!r} for {described.name} ({path}).{hint} Run "
            f"`autoseg plan_and_preprocess {dataset}` first."
        )
    # The file's name counts: a plan that was copied to be edited is another plan.
    loaded = dataclasses.replace(Plan.load(path), name=plan)
    loaded.configuration(configuration)  # says which there are if this is not
    measured = measured_in(workspace)
    told = must_fit(loaded, described, measured)
    if told and (known := f"{told}{described.raw}") not in _told:
        _told.add(known)  # not again for each fold
        logger.warning("%s", told)
    changed = with_changes(loaded, configuration, options)
    recipe, *_ = resolve_recipe(options, changed, configuration, 1)
    check_policy(recipe.augmentation)
    if changed.data_id(configuration) != loaded.data_id(configuration):
        raise UsageError(
            f"--set {' '.join(options.plan_changes)}: {', '.join(DATA_FIELDS)} change "
            "the preprocessed data, so they belong to a plan of its own: give them to "
            "`autoseg plan --set ... --name NAME`, and train with --plan NAME."
        )
    if options.extend_splits is not None:
        extend_splits(workspace, described, options.extend_splits)
    training, validation = load_fold(workspace, described, fold)
    lay = loaded if measured is None else loaded.as_they_lay(measured.orientations)
    return Job(
        dataset=dataclasses.replace(described, lengths=loaded.unit),
        workspace=workspace,
        plan=changed,
        configuration=configuration,
        fold=str(int(fold)) if str(fold).isdigit() else str(fold),
        training=tuple(training),
        validation=tuple(validation),
        data=loaded.data_id(configuration),
        max_memory=options.max_memory,
        orientation=lay.orientation,
    )


def ensure_preprocessed(job: Job) -> None:
    """Preprocess the cases of a fold that are not there yet, or changed since."""
    store = job.store
    wanted = {*job.training, *job.validation}
    missing = {c for c in wanted if c not in store}
    changed = changed_in_store(store, job.dataset, wanted)
    if not missing and not changed:
        return
    from autoseg.preprocess.stage import preprocess

    if changed:
        logger.warning(
            "The files of %s changed since they were preprocessed: %s. They are "
            "prepared again; `autoseg plan_and_preprocess` also plans anew.",
            amount(len(changed), "case"),
            some_of(changed),
        )
    if missing:
        logger.info(
            "%d of %d cases are not preprocessed for %s yet; doing that first.",
            len(missing),
            len(wanted),
            job.configuration,
        )
    there = sorted(wanted - missing - set(changed))
    kept = store.open(there[0]).properties.get("precision") if there else None
    preprocess(
        job.dataset.folder,
        job.workspace.root,
        plan=job.plan.name,
        configurations=(job.configuration,),
        precision=kept or "auto",
        max_memory=job.max_memory,
    )


def has_checkpoint(folder: Path) -> bool:
    """Return whether a fold was trained for a while."""
    return any((folder / name).is_file() for name in CHECKPOINTS)


def is_trained(folder: Path) -> bool:
    """Return whether a fold was trained for a while, or is being trained now."""
    return has_checkpoint(folder) or is_held(lock_of(folder))


def check_other_folds(job: Job) -> None:
    """Raise unless a fold can be used together with those that were trained before.

    Raises
    ------
    TrainingError
        If other folds were trained with a plan that gives other weights or other
        inputs.
    """
    folder = job.model_folder
    path = folder / MODEL_PLAN
    folds = [p for p in folder.glob("fold_*") if p.is_dir() and p != job.folder]
    others = sorted(fold.name for fold in folds if is_trained(fold))
    if not path.is_file() or not others:
        return
    known = folder / MODEL_FINGERPRINT
    lay = load_object(known).get("orientations") if known.is_file() else None
    found = differences(
        _relevant(Plan.load(path).as_they_lay(lay), job.configuration),
        _relevant(job.preparing, job.configuration),
    )
    if found:
        listed = "\n".join(f"  {line}" for line in found[:12])
        raise TrainingError(
            f"{', '.join(others)} in {folder} {'were' if others[1:] else 'was'} "
            "trained with another plan:\n"
            f"{listed}\nGive the same --set, or make a plan of another name with "
            "`autoseg plan --name`."
        )


def write_model_files(job: Job) -> None:
    """Write plan, data set and fingerprint beside the folds, for prediction.

    Raises
    ------
    TrainingError
        As `check_other_folds`.
    """
    check_other_folds(job)
    folder = job.model_folder
    path = folder / MODEL_PLAN
    job.plan.save(path)
    described = dict(job.dataset.raw)
    described.pop("dataset", None)  # where the training cases are is nobody's business
    described.setdefault("channel_names", list(job.dataset.channel_names))
    described.setdefault("image_ending", job.dataset.image_ending)
    described.setdefault("annotation_ending", job.dataset.annotation_ending)
    if "numTraining" not in described:
        described["numTraining"] = len(job.dataset.training)
    write_text(folder / MODEL_DATASET, dumps(described))
    if job.workspace.fingerprint.is_file():
        text = job.workspace.fingerprint.read_text(encoding="utf-8")
        write_text(folder / MODEL_FINGERPRINT, text)


def _relevant(plan: Plan, configuration: str) -> dict[str, object]:
    """Return what all folds of a model must have in common."""
    raw = to_json(plan)
    settings = raw["configurations"].get(configuration, {})
    for name in ("memory", "batch_size", "median_shape"):
        settings.pop(name, None)
    return {name: raw[name] for name in PLAN_FIELDS} | {configuration: settings}


def start_again(folder: Path) -> None:
    """Remove everything that an earlier training left in a fold's folder."""
    if folder.is_dir():
        logger.info("Removing the earlier training in %s.", folder)
        shutil.rmtree(folder)


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Keep a second process from training the same fold at the same time.

    Folders that had to be made for it are gone afterwards, if they are empty still.

    Raises
    ------
    TrainingError
        If there is one. The lock goes with its process, however that ends.
    """
    made = [p for p in folder.parents if not p.exists()]
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with locked(lock_of(folder)):
            yield
    except Held as error:
        raise TrainingError(
            f"{error.who[0].upper()}{error.who[1:]} is training {folder} right now. "
            "Wait for it or stop it; then the same command goes on from its last "
            "checkpoint."
        ) from None
    finally:
        for empty in made:
            with contextlib.suppress(OSError):
                empty.rmdir()


def lock_of(folder: Path) -> Path:
    """Return the file of the lock that a fold's training holds."""
    return folder.parent / f".{folder.name}.lock"
