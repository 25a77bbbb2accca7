"""A trained model: its plan, its weights, and what it was trained on."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autoseg import workspace
from autoseg.datasets.description import Description
from autoseg.errors import ModelError, UsageError
from autoseg.landmarks.confidence import Confidence
from autoseg.landmarks.decoders import DECODERS
from autoseg.landmarks.shape import ShapePrior
from autoseg.model.archive import Archive
from autoseg.model.confidence import load_confidence
from autoseg.model.decoding import Decoding, task_options
from autoseg.model.postprocessing import Postprocessing
from autoseg.spec.dataset import Dataset
from autoseg.spec.json import load_object
from autoseg.spec.plan import Configuration, Plan
from autoseg.tasks import TASKS

# Loaders of other tools' models live in a layer above this one, so they are named here
# and imported when a path is no model of ours: module, test, loader.
FOREIGN = (("autoseg.interop.nnunet", "is_nnunet", "load_nnunet"),)

# Keys of dataset.json, the first that is there counts.
ANNOTATION_ENDINGS = ("label_ending", "annotation_ending", "file_ending")


@dataclass(frozen=True, kw_only=True)
class Model:
    """Everything that prediction needs to know.

    Parameters
    ----------
    plan : Plan
        How images are prepared and networks built.
    configuration : str
        Which of the plan's configurations it is.
    weights : tuple of mapping of str to tensor
        State dictionaries, one for each fold, on the CPU.
    folds : tuple of str
        Names of the folds, in the same order.
    dataset : mapping
        The training data's dataset.json.
    format : str or None
        A file in ``autoseg/formats`` to read images with; None: by their ending.
    fingerprint : mapping or None
        The training data in numbers, to notice images that are unlike them.
    previous : Model or None
        In a cascade, the model whose prediction is an extra input.
    source : str
        Where it was read from, for messages.
    origin : str
        Which program trained it, ``"autoseg"`` or ``"nnunet"``: a model of nnU-Net is
        predicted with sums that round as its own do.
    partners : tuple of Model
        Models of other configurations whose outputs are averaged with this one's.
    postprocessing : Postprocessing
        What is done to predictions in the end.
    confidence : Confidence or None
        Of landmarks: what validation taught about how far to trust them.
    """

    plan: Plan
    configuration: str
    weights: tuple[Mapping[str, Any], ...]
    folds: tuple[str, ...]
    dataset: Mapping[str, Any]
    format: str | None = None
    fingerprint: Mapping[str, Any] | None = None
    previous: Model | None = None
    source: str = ""
    origin: str = "autoseg"
    partners: tuple[Model, ...] = ()
    postprocessing: Postprocessing = Postprocessing()
    confidence: Confidence | None = None

    @property
    def shapes(self) -> ShapePrior | None:
        """Which shapes of landmarks are usual, as far as that was learnt."""
        return None if self.confidence is None else self.confidence.shape

    @property
    def settings(self) -> Configuration:
        """The configuration."""
        return self.plan.configuration(self.configuration)

    def describe(self) -> Dataset:
        """Return the training data's description, without any case.

        Raises
        ------
        ModelError
            If the model's dataset.json cannot be understood.
        """
        folder = Path(self.source or ".")
        said = Description(folder, self.dataset)
        wanted = said.ending("image_ending", "file_ending")
        dataset = Dataset(
            name=self.plan.dataset,
            folder=folder,
            task=self.plan.task.name,
            channel_names=self.channels,
            image_ending=wanted or "",
            annotation_ending=said.ending(*ANNOTATION_ENDINGS) or "",
            spacing=said.spacing(),
            unit=said.unit(),
            format=self.format or said.format(),
            raw=self.dataset,
        )
        if said.problems:
            raise ModelError(
                f"dataset.json of {folder}: {'; '.join(dict.fromkeys(said.problems))}."
            )
        return dataset

    def task_options(self, decoder: str | None = None) -> dict[str, Any]:
        """Return the options of the task as it predicts.

        Parameters
        ----------
        decoder : str, optional
            Of landmarks: another one than the plan's.

        Returns
        -------
        dict of str to JSON value
            Of the plan, of what validation taught, and this.

        Raises
        ------
        UsageError
            If the task has no such option, or there is no such decoder.
        """
        options = {**self.plan.task.options, **self.postprocessing.task}
        if decoder is None:
            return options
        if TASKS[self.plan.task.name].kind != "points":
            raise UsageError(f"Decoder {decoder!r}: this model predicts no points.")
        if decoder not in DECODERS:
            raise UsageError(
                f"There is no decoder {decoder!r}; there are {', '.join(DECODERS)}."
            )
        return {**options, "decoder": decoder}

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the image channels, in order."""
        return tuple(channel.name for channel in self.plan.channels)


def load_model(
    path: str | Path,
    *,
    configuration: str | None = None,
    folds: Sequence[str | int] | None = None,
    checkpoint: str = "final",
) -> Model:
    """Read a model from wherever it is.

    Parameters
    ----------
    path : str or Path
        A folder that `autoseg train` made (``results/DATASET/PLAN/CONFIGURATION``), a
        bundle, or a folder or zip of nnU-Net v2.
    configuration : str, optional
        Which one, where there are several.
    folds : sequence of int or str, optional
        Default: all that are there.
    checkpoint : str
        ``"final"`` or ``"best"``; names of files such as ``checkpoint_final.pth`` are
        understood.

    Returns
    -------
    Model
        With one set of weights for each fold.

    Raises
    ------
    ModelError
        If there is no model, or it is incomplete or damaged.
    """
    path = Path(path)
    checkpoint = checkpoint_name(checkpoint)
    if not path.exists():
        raise ModelError(f"There is no model {path}: no such file or folder.")
    folder = path / configuration if configuration else path
    for candidate in (folder, path):
        if (candidate / workspace.MODEL_PLAN).is_file():
            return _load_folder(candidate, folds, checkpoint)
    if path.is_file():
        with Archive(
            path
        ):  # what is unsafe or damaged says so, and is not tried further
            pass
    bundles = importlib.import_module("autoseg.model.bundle")
    if bundles.is_bundle(path):
        return _only_folds(bundles.read_bundle(path), folds)
    for module, test, load in FOREIGN:
        loader = importlib.import_module(module)
        if getattr(loader, test)(path):
            found: Model = getattr(loader, load)(
                path, configuration=configuration, folds=folds, checkpoint=checkpoint
            )
            return found
    inside = sorted(str(p.parent) for p in path.rglob(workspace.MODEL_PLAN))
    hint = f" Models in it: {', '.join(inside)}." if inside else ""
    raise ModelError(
        f"{path} is no model: neither a folder with {workspace.MODEL_PLAN} and folds, "
        f"nor a bundle, nor a model of nnU-Net v2.{hint}"
    )


def checkpoint_name(given: str) -> str:
    """Return ``"final"`` or ``"best"`` from any usual way to say it.

    Parameters
    ----------
    given : str
        ``final``, ``checkpoint_final``, ``checkpoint_final.pth`` and the like.

    Returns
    -------
    str
        What stands between.

    Examples
    --------
    >>> checkpoint_name("checkpoint_final.pth")
    'final'
    """
    for ending in (".pth", ".pt"):
        given = given.removesuffix(ending)
    return given.removeprefix("checkpoint_")


def choose_folds(
    there: Sequence[str], wanted: Sequence[str | int] | None, where: str
) -> list[str]:
    """Return the folds to use: those wanted, or all.

    Parameters
    ----------
    there : sequence of str
        Folds that have a checkpoint.
    wanted : sequence of str or int, optional
        What was asked for; None: the numbered ones, or ``all`` if there is no other.
    where : str
        The model, for messages.

    Returns
    -------
    list of str
        Names of folds.

    Raises
    ------
    ModelError
        If one that is wanted is not there.
    """
    if wanted is None:
        numbered = sorted((f for f in there if f.isdigit()), key=int)
        names = numbered or list(there)
    else:
        names = [str(fold) for fold in wanted]
    missing = [name for name in names if name not in there]
    if missing or not names:
        raise ModelError(
            f"{where} has no finished fold {', '.join(missing)}".rstrip()
            + f"; it has {', '.join(there) or 'none'}. Choose with -f, or train it."
        )
    return names


def _only_folds(model: Model, folds: Sequence[str | int] | None) -> Model:
    if folds is None:
        return model
    if model.partners:
        raise ModelError(
            f"{model.source} averages several configurations, each with folds of its "
            "own; leave -f out."
        )
    names = choose_folds(model.folds, folds, model.source)
    weights = tuple(model.weights[model.folds.index(name)] for name in names)
    return replace(model, weights=weights, folds=tuple(names))


def _load_folder(
    folder: Path, folds: Sequence[str | int] | None, checkpoint: str
) -> Model:
    plan = Plan.load(folder / workspace.MODEL_PLAN)
    file = f"checkpoint_{checkpoint}.pt"
    there = sorted(p.parent.name[5:] for p in folder.glob(f"fold_*/{file}"))
    names = choose_folds(there, folds, f"{folder} ({file})")
    contents = [_read_checkpoint(folder / f"fold_{name}" / file) for name in names]
    configuration = contents[0].get("configuration", folder.name)
    settings = plan.configuration(configuration)
    fingerprint = folder / workspace.MODEL_FINGERPRINT
    dataset = folder / workspace.MODEL_DATASET
    return Model(
        plan=plan,
        configuration=configuration,
        weights=tuple(content["weights"] for content in contents),
        folds=tuple(names),
        dataset=load_object(dataset) if dataset.is_file() else {},
        fingerprint=load_object(fingerprint) if fingerprint.is_file() else None,
        previous=_load_previous(folder, settings.previous, folds, checkpoint),
        source=str(folder),
        # It was learnt from what the final weights say.
        confidence=load_confidence(folder, names) if checkpoint == "final" else None,
        postprocessing=Postprocessing(task=_tuned(folder, plan, names)),
    )


def _tuned(folder: Path, plan: Plan, names: Sequence[str]) -> Mapping[str, Any]:
    """Return what the folds have tuned; the fold that has no cases to, as others."""
    files = [folder / f"fold_{name}" / workspace.DECODING for name in names]
    if names == ["all"] and not files[0].is_file():
        files = sorted(folder.glob(f"fold_*/{workspace.DECODING}"))
    found = [Decoding.load(file) for file in files if file.is_file()]
    return task_options(plan.task, found, str(folder))


def _load_previous(
    folder: Path,
    previous: str | None,
    folds: Sequence[str | int] | None,
    checkpoint: str,
) -> Model | None:
    """Load the stage before, from the folder beside; None where it is not there."""
    if previous is None or not (folder.parent / previous).is_dir():
        return None
    try:
        return _load_folder(folder.parent / previous, folds, checkpoint)
    except ModelError:
        if folds is None:
            raise
        # The first stage need not have been trained on the same folds.
        return _load_folder(folder.parent / previous, None, checkpoint)


def _read_checkpoint(path: Path) -> dict[str, Any]:
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # torch raises many kinds, by kind of damage
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelError(
            f"{path} is damaged, or is no checkpoint of autoseg ({first[:160]})."
        ) from None
    if not isinstance(content, dict) or not isinstance(content.get("weights"), Mapping):
        raise ModelError(f"{path} holds no weights; it is no checkpoint of autoseg.")
    return content
