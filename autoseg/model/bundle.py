"""One file that holds a model: plan, weights, description, card and checksums.

A zip without any pickle::

    manifest.json            what is inside, with a SHA-256 of every file
    MODEL_CARD.md            for people
    plan.json  dataset.json  fingerprint.json
    fold_0.safetensors       one for each fold
    previous/...             the stage before, of a cascade, in the same way
    partner_1/...            a model that it is averaged with, in the same way
    postprocessing.json      what is done to predictions in the end
    confidence.json          of landmarks: how far to trust them, by validation
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import autoseg
from autoseg.errors import ModelError, PlanError
from autoseg.landmarks.confidence import Confidence
from autoseg.model.archive import Archive
from autoseg.model.model import Model
from autoseg.model.postprocessing import Postprocessing
from autoseg.spec.json import dumps, from_json
from autoseg.spec.plan import Plan
from autoseg.workspace import CONFIDENCE

MANIFEST = "manifest.json"
CARD = "MODEL_CARD.md"
KIND = "autoseg model"
SCHEMA = 3  # 2: partners and postprocessing; 3: confidence; the lowest that will do
PREVIOUS = "previous/"
PARTNER = "partner_{}/"
POSTPROCESSING = "postprocessing.json"
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # the same model gives the same bytes


def write_bundle(
    model: Model, path: Path, *, license: str = "not stated", notes: str = ""
) -> Path:
    """Write a model as one file.

    Parameters
    ----------
    model : Model
        With all its folds and, of a cascade, the stage before.
    path : Path
        Where to; ends in ``.zip``.
    license : str
        Under which terms others may use the weights; stands in the card.
    notes : str
        More for the card, in Markdown.

    Returns
    -------
    Path
        ``path``; complete, or not there.
    """
    files = _files(model, "")
    files[CARD] = (_card(model, license) + notes).encode()
    manifest = {
        "kind": KIND,
        "schema": _schema(model),
        "autoseg": autoseg.__version__,
        "dataset": model.plan.dataset,
        "license": license,
        "stages": _stages(model, ""),
        "sha256": {n: hashlib.sha256(c).hexdigest() for n, c in files.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with zipfile.ZipFile(temporary, "w") as archive:
            for name, content in {MANIFEST: dumps(manifest).encode(), **files}.items():
                info = zipfile.ZipInfo(name, _FIXED_TIME)
                small = not name.endswith(".safetensors")
                info.compress_type = (
                    zipfile.ZIP_DEFLATED if small else zipfile.ZIP_STORED
                )
                archive.writestr(info, content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _schema(model: Model) -> int:
    """Return the lowest schema that can say what the model has."""
    if model.confidence is not None:
        return 3
    plain = not model.partners and model.postprocessing == Postprocessing()
    return 1 if plain else 2


def is_bundle(path: Path) -> bool:
    """Say whether a file is a bundle of ours."""
    if not path.is_file():
        return False
    try:
        with Archive(path) as archive:
            return MANIFEST in archive.names
    except ModelError:
        return False


def read_bundle(path: Path) -> Model:
    """Read a model from one file, after all of its checksums.

    Parameters
    ----------
    path : Path
        What `write_bundle` wrote.

    Returns
    -------
    Model
        Ready to predict.

    Raises
    ------
    ModelError
        If a part is missing or damaged (it is named), or of a newer schema.
    """
    with Archive(path) as archive:
        manifest = archive.read_json(MANIFEST)
        if manifest.get("kind") != KIND:
            raise ModelError(f"{archive.where(MANIFEST)}: this is no {KIND}.")
        if manifest.get("schema") not in range(1, SCHEMA + 1):
            raise ModelError(
                f"{path} has schema {manifest.get('schema')}; this autoseg "
                f"({autoseg.__version__}) reads up to {SCHEMA}. Update autoseg."
            )
        sums = manifest.get("sha256")
        if not isinstance(sums, dict):
            raise ModelError(f"{archive.where(MANIFEST)} holds no checksums.")
        stray = sorted(set(archive.names) - set(sums) - {MANIFEST})
        if stray:
            raise ModelError(f"{archive.where(stray[0])} is not in the manifest.")
        contents = {name: _verified(archive, name, sums[name]) for name in sums}
        try:
            return _stage(contents, manifest["stages"], "", path)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ModelError(
                f"{path}: {MANIFEST} or a file that it names is no part of a model "
                f"({type(error).__name__}: {error})."
            ) from None


def _verified(archive: Archive, name: str, wanted: str) -> bytes:
    content = archive.read(name)
    if hashlib.sha256(content).hexdigest() != wanted:
        raise ModelError(
            f"{archive.where(name)} is damaged: its checksum differs. Get the file "
            "again."
        )
    return content


def _stage(
    contents: Mapping[str, bytes], stages: Mapping[str, Any], prefix: str, path: Path
) -> Model:
    from safetensors import SafetensorError
    from safetensors.torch import load

    def weights(fold: str) -> dict[str, Any]:
        name = f"fold_{fold}.safetensors"
        try:
            return dict(load(need(name)))
        except SafetensorError as error:
            raise ModelError(f"{path}!/{prefix}{name} is damaged: {error}.") from None

    def need(name: str) -> bytes:
        if f"{prefix}{name}" not in contents:
            raise ModelError(f"{path}!/{prefix}{name} is missing; get the file again.")
        return contents[f"{prefix}{name}"]

    stage = stages[prefix]
    rules = contents.get(f"{prefix}{POSTPROCESSING}", b"{}")
    try:
        plan = from_json(
            Plan, json.loads(need("plan.json")), f"{path}!/{prefix}plan.json"
        )
        postprocessing = Postprocessing.from_json(
            json.loads(rules), f"{path}!/{prefix}{POSTPROCESSING}"
        )
        trust = contents.get(f"{prefix}{CONFIDENCE}")
        confidence = None
        if trust is not None:
            where = f"{path}!/{prefix}{CONFIDENCE}"
            confidence = from_json(Confidence, json.loads(trust), where)
    except PlanError as error:
        raise ModelError(str(error)) from None
    fingerprint = contents.get(f"{prefix}fingerprint.json")
    return Model(
        plan=plan,
        configuration=stage["configuration"],
        weights=tuple(weights(fold) for fold in stage["folds"]),
        folds=tuple(stage["folds"]),
        dataset=json.loads(need("dataset.json")),
        format=stage["format"],
        fingerprint=json.loads(fingerprint) if fingerprint else None,
        previous=(
            _stage(contents, stages, prefix + PREVIOUS, path)
            if prefix + PREVIOUS in stages
            else None
        ),
        source=str(path),
        origin=stage["origin"],
        partners=tuple(
            _stage(contents, stages, f"{prefix}{PARTNER.format(number)}", path)
            for number in range(1, stage.get("partners", 0) + 1)
        ),
        postprocessing=postprocessing,
        confidence=confidence,
    )


def _files(model: Model, prefix: str) -> dict[str, bytes]:
    from safetensors.torch import save

    files = {
        f"{prefix}plan.json": dumps(model.plan).encode(),
        f"{prefix}dataset.json": dumps(model.dataset).encode(),
    }
    if model.fingerprint is not None:
        files[f"{prefix}fingerprint.json"] = dumps(model.fingerprint).encode()
    for fold, weights in zip(model.folds, model.weights, strict=True):
        tensors = {name: tensor.contiguous() for name, tensor in weights.items()}
        files[f"{prefix}fold_{fold}.safetensors"] = save(tensors)
    if model.postprocessing != Postprocessing():
        files[f"{prefix}{POSTPROCESSING}"] = dumps(model.postprocessing).encode()
    if model.confidence is not None:
        files[f"{prefix}{CONFIDENCE}"] = dumps(model.confidence).encode()
    if model.previous is not None:
        files.update(_files(model.previous, prefix + PREVIOUS))
    for number, partner in enumerate(model.partners, start=1):
        files.update(_files(partner, prefix + PARTNER.format(number)))
    return files


def _stages(model: Model, prefix: str) -> dict[str, Any]:
    stage: dict[str, Any] = {
        "configuration": model.configuration,
        "folds": list(model.folds),
        "format": model.format,
        "origin": model.origin,
    }
    if model.partners:
        stage["partners"] = len(model.partners)
    stages = {prefix: stage}
    if model.previous is not None:
        stages.update(_stages(model.previous, prefix + PREVIOUS))
    for number, partner in enumerate(model.partners, start=1):
        stages.update(_stages(partner, prefix + PARTNER.format(number)))
    return stages


def _card(model: Model, license: str) -> str:
    plan, configuration = model.plan, model.plan.configuration(model.configuration)
    options = configuration.network.options
    channels = ", ".join(
        f"{c.name} ({c.normalizer.name}{', masked' if c.masked else ''})"
        for c in plan.channels
    )
    labels = model.dataset.get("labels", {})
    rows = [
        f"# {plan.dataset}, {_name(model)}",
        "",
        f"- Task: {plan.task.name}; classes: {', '.join(map(str, labels)) or 'none'}",
        f"- Input channels: {channels}",
        f"- Grid: spacing {configuration.spacing} {plan.unit}, patch "
        f"{configuration.patch_size}",
        f"- Network: {configuration.network.name}, features {options.get('features')}",
        f"- Folds: {', '.join(map(str, model.folds))}",
        f"- Trained on: {_trained_on(model)}",
        f"- Made with autoseg {autoseg.__version__}, from {Path(model.source).name}",
        f"- License of the weights: {license}",
        "",
        "Use: `autoseg predict -m THIS_FILE -i IMAGES -o OUT`",
    ]
    rows += _scores(model)
    return "\n".join(rows) + "\n"


def _name(model: Model) -> str:
    members = (model, *model.partners)
    return " averaged with ".join(member.configuration for member in members)


def _trained_on(model: Model) -> str:
    cases = (model.fingerprint or {}).get("num_cases")
    cases = cases or model.dataset.get("numTraining", "an unknown number of")
    return f"{cases} cases of {model.plan.dataset}"


def _scores(model: Model) -> list[str]:
    """Return the card's table of validation scores, when the folds have them."""
    rows = []
    for fold in model.folds:
        summary = Path(model.source) / f"fold_{fold}" / "validation" / "summary.json"
        if summary.is_file():
            numbers = json.loads(summary.read_text()).get("foreground", {})
            dice = numbers.get("dice", {})
            if isinstance(dice.get("mean"), float):
                rows.append(
                    f"| {fold} | {dice['mean']:.4f} | {dice['low']:.4f} to "
                    f"{dice['high']:.4f} | {dice['count']} |"
                )
    head = [
        "",
        "| fold | mean foreground Dice | 95 % confidence interval | validation cases |",
        "|---|---|---|---|",
    ]
    return head + rows if rows else []
