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
    scores.json              of instances: what their scores mean, by validation
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import autoseg
from autoseg.atomic import sweep_temporaries, temporary_of
from autoseg.errors import ModelError, amount
from autoseg.model.fields import FIELDS, SCHEMA, parts, schema_of, unpack
from autoseg.model.model import Model
from autoseg.model.packed import MANIFEST, open_parts
from autoseg.outputs import refuse_foreign
from autoseg.spec.foreign.archive import Archive
from autoseg.spec.json import dumps, load_object
from autoseg.workspace import SUMMARY, VALIDATION

CARD = "MODEL_CARD.md"
KIND = "autoseg model"
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # the same model gives the same bytes


def write_bundle(
    model: Model,
    path: Path,
    *,
    license: str = "not stated",
    notes: str = "",
    overwrite: bool = False,
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
    overwrite : bool
        Replace also a file that is no bundle.

    Returns
    -------
    Path
        ``path``; complete, or not there.

    Raises
    ------
    UsageError
        If a file is there that autoseg did not write.
    """
    source = Path(model.source)
    refuse_foreign([path], inputs=[source] * source.is_file(), overwrite=overwrite)
    files = {
        prefix + file: content
        for prefix, part in parts(model)
        for name, field in FIELDS.items()
        for file, content in field.files(name, part).items()
    }
    files[CARD] = (_card(model, license) + notes).encode()
    manifest = {
        "kind": KIND,
        "schema": schema_of(model),
        "autoseg": autoseg.__version__,
        "dataset": model.plan.dataset,
        "license": license,
        "stages": {prefix: _entries(part) for prefix, part in parts(model)},
        "sha256": {n: hashlib.sha256(c).hexdigest() for n, c in files.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep_temporaries(path.parent, (path.name,))
    temporary = temporary_of(path)
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


def _entries(model: Model) -> dict[str, Any]:
    """Return what the manifest says of a model."""
    return {
        key: value
        for name, field in FIELDS.items()
        for key, value in field.entries(name, model).items()
    }


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
        packed = open_parts(archive, manifest)
        model = unpack(packed)
        if packed.has(CARD):
            packed.read(CARD)
        unknown = sorted(set(packed.sums) - packed.looked_at)
        if unknown:
            raise ModelError(f"{archive.where(unknown[0])} belongs to no part of it.")
    return model


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
    return f"{amount(cases, 'case')} of {model.plan.dataset}"


def _scores(model: Model) -> list[str]:
    """Return the card's table of validation scores, when the folds have them."""
    rows = []
    for fold in model.folds:
        summary = Path(model.source) / f"fold_{fold}" / VALIDATION / SUMMARY
        if summary.is_file():
            dice = load_object(summary).get("foreground", {}).get("dice", {})
            if isinstance(dice.get("mean"), float):
                rows.append(
                    f"| {fold} | {dice['mean']:.4f} | {_interval(dice)} | "
                    f"{dice['count']} |"
                )
    head = [
        "",
        "| fold | mean foreground Dice | 95 % confidence interval | validation cases |",
        "|---|---|---|---|",
    ]
    return head + rows if rows else []


def _interval(numbers: Mapping[str, Any]) -> str:
    low, high = numbers.get("low"), numbers.get("high")
    if low is None or high is None:
        return "unknown"  # one case says nothing about how cases differ
    return f"{low:.4f} to {high:.4f}"
