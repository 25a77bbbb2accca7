"""Models that nnU-Net v2 trained, run as they are.

A model folder (``Trainer__Plans__Configuration`` with ``fold_*``), a results folder or
an exported zip becomes a `Model` of ours. Nothing in it is executed: plans are JSON,
checkpoints are opened with ``weights_only=True`` (`checkpoint.py`), zips are read
member by member and never unpacked. ``postprocessing.pkl`` is not opened.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from autoseg.errors import ModelError
from autoseg.model.loaders.nnunet.checkpoint import load_checkpoint
from autoseg.model.loaders.nnunet.plans import convert_plans, reader_of
from autoseg.model.loaders.nnunet.weights import (
    as_float32,
    check_weights,
    rename_weights,
)
from autoseg.model.model import Model
from autoseg.model.tensors import most_bytes
from autoseg.spec.choice import Choice
from autoseg.spec.configuration import Configuration
from autoseg.spec.dataset import Dataset
from autoseg.spec.foreign.archive import Archive
from autoseg.spec.plan import Plan
from autoseg.tasks import choose_task, make_task

_log = logging.getLogger(__name__)

CHECKPOINTS = {"final": "checkpoint_final", "best": "checkpoint_best"}
CHECKPOINTS["latest"] = "checkpoint_latest"
# Trainers whose networks are those of the plan but for the normalization layer.
BATCH_NORM_TRAINERS = ("nnUNetTrainerBN",)
MOST_COPIES = 4  # of the weights in a checkpoint, with what its optimizer keeps
MOST_LOG = 64 * 2**20  # bytes


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One trained configuration somewhere in a folder or zip.

    Parameters
    ----------
    prefix : str
        Its folder inside, with a slash at the end, or ``""``.
    trainer, plans, configuration : str
        From the folder's name; empty where the name does not say.
    folds : tuple of str
        Names of folds that hold a checkpoint.
    """

    prefix: str
    trainer: str
    plans: str
    configuration: str
    folds: tuple[str, ...]


def is_nnunet(path: Path) -> bool:
    """Say whether a folder or zip holds a model of nnU-Net v2."""
    try:
        with Archive(path) as archive:
            return bool(_candidates(archive))
    except ModelError:
        return False


def load_nnunet(
    path: Path,
    *,
    configuration: str | None = None,
    folds: Sequence[str | int] | None = None,
    checkpoint: str = "final",
) -> Model:
    """Read a model of nnU-Net v2.

    Parameters
    ----------
    path : Path
        Model folder, results folder, or exported zip.
    configuration : str, optional
        Which one, when there are several.
    folds : sequence of int or str, optional
        Default: all that are there.
    checkpoint : str
        ``"final"``, ``"best"`` or ``"latest"``.

    Returns
    -------
    Model
        With one set of weights for each fold.

    Raises
    ------
    ModelError
        If it is incomplete, damaged or unsafe, or its network cannot be built from
        its plans; the message says why.
    """
    with Archive(path) as archive:
        candidates = _candidates(archive)
        if not candidates:
            raise ModelError(
                f"{path} holds no model of nnU-Net v2: no folder with plans.json, "
                "dataset.json and fold_*/checkpoint_*.pth."
            )
        chosen = _choose(candidates, configuration, path)
        return _load(archive, chosen, candidates, folds, checkpoint)


def _candidates(archive: Archive) -> list[Candidate]:
    found = []
    for name in archive.names:
        if PurePosixPath(name).name != "plans.json":
            continue
        prefix = name[: -len("plans.json")]
        folds = {
            match.group(1)
            for other in archive.names
            if other.startswith(prefix)
            and (
                match := re.fullmatch(
                    r"fold_([^/]+)/checkpoint_\w+\.pth", other[len(prefix) :]
                )
            )
        }
        if folds and f"{prefix}dataset.json" in archive.names:
            folder = prefix.rstrip("/") or archive.path.name
            parts = [*PurePosixPath(folder).name.split("__"), "", "", ""]
            known = parts[:3] if parts[2] else ["", "", ""]
            found.append(
                Candidate(
                    prefix=prefix,
                    trainer=known[0],
                    plans=known[1],
                    configuration=known[2],
                    folds=tuple(sorted(folds)),
                )
            )
    return found


def _choose(
    candidates: Sequence[Candidate], configuration: str | None, path: Path
) -> Candidate:
    fitting = [
        c
        for c in candidates
        if configuration in (None, c.configuration) or not c.configuration
    ]
    if len(fitting) > 1 and configuration is None:
        # The last stage of a cascade brings the stages before with it.
        last = [c for c in fitting if c.configuration == "3d_cascade_fullres"]
        others = {c.configuration for c in fitting} - {"3d_lowres"}
        if len(last) == 1 and others == {"3d_cascade_fullres"}:
            return last[0]
    if len(fitting) != 1:
        there = "\n".join(
            f"  {c.prefix or c.configuration or '.'} (folds {', '.join(c.folds)})"
            for c in candidates
        )
        wanted = f" with configuration {configuration!r}" if configuration else ""
        raise ModelError(
            f"{path} holds {len(fitting)} models{wanted}; choose one with -c, or give "
            f"its folder:\n{there}"
        )
    return fitting[0]


def _load(
    archive: Archive,
    chosen: Candidate,
    candidates: Sequence[Candidate],
    folds: Sequence[str | int] | None,
    checkpoint: str,
) -> Model:
    plans = archive.read_json(f"{chosen.prefix}plans.json")
    dataset = archive.read_json(f"{chosen.prefix}dataset.json")
    task = _task(dataset, archive.where(f"{chosen.prefix}dataset.json"))
    names = _fold_names(chosen, folds, archive)
    plan = convert_plans(plans, dataset, task)
    most = _most_bytes(plan, chosen.configuration) if archive.is_zip else 0
    checkpoints = [_read(archive, chosen, name, checkpoint, most) for name in names]
    configuration = _configuration_name(checkpoints[0], chosen)
    if configuration not in plan.configurations:
        kind = plans["configurations"].get(configuration, {}).get("architecture", {})
        network = kind.get("network_class_name", "unknown")
        raise ModelError(
            f"{archive.where(chosen.prefix)}: configuration {configuration!r} uses the "
            f"network {network}, which autoseg cannot build."
        )
    plan = _adapt(plan, configuration, checkpoints)
    head = make_task(task).heads[0].name
    named = [rename_weights(c["network_weights"], head) for c in checkpoints]
    _check(plan, configuration, named, names, archive, chosen)
    weights = tuple(map(as_float32, named))
    previous = plan.configuration(configuration).previous
    model = Model(
        plan=plan,
        configuration=configuration,
        weights=weights,
        folds=tuple(names),
        dataset=dataset,
        format=reader_of(plans, dataset),
        previous=_previous(archive, chosen, candidates, previous, folds, checkpoint),
        source=str(archive.path),
        origin="nnunet",
    )
    return model


def _task(dataset: Mapping[str, Any], where: str) -> Choice:
    described = Dataset(
        name="",
        folder=Path(where).parent,
        task="semantic",
        channel_names=(),
        image_ending="",
        annotation_ending="",
        raw=dataset,
    )
    return choose_task(described)


def _fold_names(
    chosen: Candidate, folds: Sequence[str | int] | None, archive: Archive
) -> list[str]:
    if folds is None:
        numbered = [f for f in chosen.folds if f != "all"]
        return numbered or list(chosen.folds)
    names = [str(fold) for fold in folds]
    missing = [name for name in names if name not in chosen.folds]
    if missing:
        raise ModelError(
            f"{archive.where(chosen.prefix)} has no fold {', '.join(missing)}; there "
            f"is {', '.join(chosen.folds)}. Choose with -f."
        )
    return names


def _most_bytes(plan: Plan, configuration: str) -> int:
    """Return how long a checkpoint can be: weights, what an optimizer keeps, a log."""
    known = configuration in plan.configurations
    names = [configuration] if known else list(plan.configurations)
    return MOST_COPIES * max(most_bytes(plan, name) for name in names) + MOST_LOG


def _read(
    archive: Archive, chosen: Candidate, fold: str, checkpoint: str, most: int
) -> dict[str, Any]:
    stem = CHECKPOINTS.get(checkpoint, checkpoint.removesuffix(".pth"))
    name = f"{chosen.prefix}fold_{fold}/{stem}.pth"
    content = load_checkpoint(archive.read(name, most), archive.where(name))
    if not isinstance(content.get("network_weights"), Mapping):
        raise ModelError(f"{archive.where(name)} holds no network weights.")
    return content


def _configuration_name(checkpoint: Mapping[str, Any], chosen: Candidate) -> str:
    given = checkpoint.get("init_args")
    recorded = given.get("configuration") if isinstance(given, Mapping) else None
    if isinstance(recorded, str):
        return recorded
    if chosen.configuration:
        return chosen.configuration
    raise ModelError(
        "neither the folder's name nor the checkpoint says which configuration it is."
    )


def _adapt(
    plan: Plan, configuration: str, checkpoints: Sequence[Mapping[str, Any]]
) -> Plan:
    """Put into the plan what nnU-Net keeps in the trainer and the checkpoint."""
    axes = checkpoints[0].get("inference_allowed_mirroring_axes") or ()
    if not all(isinstance(axis, int) for axis in axes):
        raise ModelError(f"the checkpoint allows mirroring along {axes!r}: no axes.")
    trainer = str(checkpoints[0].get("trainer_name", ""))
    adapted: Configuration = replace(
        plan.configuration(configuration), mirror_axes=tuple(axes)
    )
    if trainer in BATCH_NORM_TRAINERS:
        options = {**adapted.network.options, "norm": "batch"}
        network = Choice(name=adapted.network.name, options=options)
        adapted = replace(adapted, network=network)
    return replace(plan, configurations={**plan.configurations, configuration: adapted})


def _check(
    plan: Plan,
    configuration: str,
    weights: Sequence[Mapping[str, Any]],
    folds: Sequence[str],
    archive: Archive,
    chosen: Candidate,
) -> None:
    import torch

    from autoseg.networks.build import build_network

    with torch.device("meta"):
        network = build_network(plan, configuration)
    for fold, state in zip(folds, weights, strict=True):
        check_weights(state, network, archive.where(f"{chosen.prefix}fold_{fold}"))


def _previous(
    archive: Archive,
    chosen: Candidate,
    candidates: Sequence[Candidate],
    previous: str | None,
    folds: Sequence[str | int] | None,
    checkpoint: str,
) -> Model | None:
    """Load the stage before, of a cascade, when it stands beside the last."""
    if previous is None:
        return None
    beside = [
        c
        for c in candidates
        if c.configuration == previous
        and (c.trainer, c.plans) == (chosen.trainer, chosen.plans)
        and PurePosixPath(c.prefix).parent == PurePosixPath(chosen.prefix).parent
    ]
    if beside:
        return _load(archive, beside[0], candidates, folds, checkpoint)
    if not chosen.prefix and chosen.trainer:
        folder = archive.path.parent / "__".join(
            (chosen.trainer, chosen.plans, previous)
        )
        if folder.is_dir():
            return load_nnunet(folder, folds=folds, checkpoint=checkpoint)
    _log.info("the stage before, %s, is not beside the model", previous)
    return None
