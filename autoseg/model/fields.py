"""Where each field of a model lies: the one table that writing and reading follow.

A bundle has JSON files, tensors of each fold, entries of its manifest, and other models
below a prefix; a folder that training made has files and folds. A new field of `Model`
is one row of `FIELDS`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from autoseg.errors import ModelError, PlanError
from autoseg.landmarks.confidence import Confidence
from autoseg.model.model import Model
from autoseg.model.packed import MANIFEST, Packed
from autoseg.model.postprocessing import Postprocessing
from autoseg.model.trained import TrainedFolder
from autoseg.spec.fingerprint import Fingerprint
from autoseg.spec.json import dumps, from_json
from autoseg.spec.plan import Plan
from autoseg.workspace import (
    CONFIDENCE,
    MODEL_DATASET,
    MODEL_FINGERPRINT,
    MODEL_PLAN,
    POSTPROCESSING,
)

LARGEST_NUMBER = 8  # bytes of a weight
HEADER = 2**20  # bytes before the tensors of a file: names and shapes
HEADER_ROW = 2**10  # and for each tensor

Known = Mapping[str, Any]  # fields that were read before


@dataclasses.dataclass(frozen=True, kw_only=True)
class Field:
    """How a field of `Model` is kept; this one: not at all.

    Parameters
    ----------
    since : int
        The first schema of bundles that has it.
    folder : callable or None
        Gives its value from a folder that training made; None: its default.
    """

    since: int = 1
    folder: Callable[[TrainedFolder], Any] | None = None

    def files(self, name: str, model: Model) -> dict[str, bytes]:
        """Return its files in a bundle, by name without prefix."""
        return {}

    def entries(self, name: str, model: Model) -> dict[str, Any]:
        """Return what the manifest says of it."""
        return {}

    def parts(self, name: str, model: Model) -> Iterator[tuple[str, Model]]:
        """Give the models that it holds, each with its prefix."""
        yield from ()

    def unpack(self, name: str, packed: Packed, known: Known) -> Any:
        """Return its value from a bundle; raises ModelError and PlanError."""
        return DEFAULTS[name]


@dataclasses.dataclass(frozen=True, kw_only=True)
class JsonFile(Field):
    """A JSON object in a file of its own.

    Parameters
    ----------
    file : str
        Name of the file.
    load : callable
        Makes the value of what the file holds and of the file's name for messages.
    needed : bool
        A bundle without it is damaged. Otherwise a default is not written.
    since : int
        See `Field`.
    folder : callable or None
        See `Field`.
    """

    file: str
    load: Callable[[dict[str, Any], str], Any]
    needed: bool = False

    def files(self, name: str, model: Model) -> dict[str, bytes]:
        value = getattr(model, name)
        if not self.needed and value == DEFAULTS[name]:
            return {}
        return {self.file: dumps(value).encode()}

    def unpack(self, name: str, packed: Packed, known: Known) -> Any:
        if not self.needed and not packed.has(self.file):
            return DEFAULTS[name]
        return self.load(packed.json(self.file), packed.where(self.file))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry(Field):
    """A plain value in the manifest.

    Parameters
    ----------
    kind : type or types
        Of the JSON value.
    since : int
        See `Field`.
    folder : callable or None
        See `Field`.
    """

    kind: Any = str

    def entries(self, name: str, model: Model) -> dict[str, Any]:
        return {name: getattr(model, name)}

    def unpack(self, name: str, packed: Packed, known: Known) -> Any:
        return packed.entry(name, self.kind)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Folds(Field):
    """Names of folds, in the manifest."""

    def entries(self, name: str, model: Model) -> dict[str, Any]:
        return {name: list(getattr(model, name))}

    def unpack(self, name: str, packed: Packed, known: Known) -> Any:
        folds = tuple(map(str, packed.entry(name, list)))
        if not folds or len(set(folds)) < len(folds):
            raise ModelError(f"{packed.where(MANIFEST)}: folds are {folds}.")
        return folds


@dataclasses.dataclass(frozen=True, kw_only=True)
class Weights(Field):
    """Tensors of each fold, in a file of safetensors."""

    def files(self, name: str, model: Model) -> dict[str, bytes]:
        from safetensors.torch import save

        return {
            _weights_file(fold): save(
                {key: tensor.contiguous() for key, tensor in weights.items()}
            )
            for fold, weights in zip(model.folds, model.weights, strict=True)
        }

    def unpack(self, name: str, packed: Packed, known: Known) -> Any:
        from safetensors import SafetensorError
        from safetensors.torch import load

        most = most_bytes(known["plan"], known["configuration"])
        found = []
        for fold in known["folds"]:
            file = _weights_file(fold)
            try:
                found.append(dict(load(packed.read(file, most))))
            except SafetensorError as error:
                where = packed.where(file)
                raise ModelError(f"{where} is damaged: {error}.") from None
        return tuple(found)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part(Field):
    """Another model, or none.

    Parameters
    ----------
    prefix : str
        Before the names of its files.
    since : int
        See `Field`.
    folder : callable or None
        See `Field`.
    """

    prefix: str

    def parts(self, name: str, model: Model) -> Iterator[tuple[str, Model]]:
        if getattr(model, name) is not None:
            yield self.prefix, getattr(model, name)

    def unpack(self, name: str, packed: Packed, known: Known) -> Any:
        below = packed.below(self.prefix)
        return None if below is None else unpack(below)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parts(Field):
    """Any number of models.

    Parameters
    ----------
    prefix : str
        Before the names of their files, with a place for the number, from 1.
    since : int
        See `Field`.
    folder : callable or None
        See `Field`.
    """

    prefix: str

    def entries(self, name: str, model: Model) -> dict[str, Any]:
        count = len(getattr(model, name))
        return {name: count} if count else {}

    def parts(self, name: str, model: Model) -> Iterator[tuple[str, Model]]:
        for number, part in enumerate(getattr(model, name), start=1):
            yield self.prefix.format(number), part

    def unpack(self, name: str, packed: Packed, known: Known) -> Any:
        found = []
        for number in range(1, packed.entry(name, int, 0) + 1):
            prefix = self.prefix.format(number)
            below = packed.below(prefix)
            if below is None:
                raise ModelError(
                    f"{packed.where(prefix)} is missing; get the file again."
                )
            found.append(unpack(below))
        return tuple(found)


def parts(model: Model, prefix: str = "") -> Iterator[tuple[str, Model]]:
    """Give a model and all that belong to it, each with its prefix in a bundle.

    Parameters
    ----------
    model : Model
        Comes first; then the stage before, with what belongs to it, then partners.
    prefix : str
        Its own.
    """
    yield prefix, model
    for name, row in FIELDS.items():
        for below, part in row.parts(name, model):
            yield from parts(part, prefix + below)


def schema_of(model: Model) -> int:
    """Return the lowest schema of bundles that can say what a model has."""
    return max(
        row.since
        for _, part in parts(model)
        for name, row in FIELDS.items()
        if row.since == 1 or getattr(part, name) != DEFAULTS[name]
    )


def unpack(packed: Packed) -> Model:
    """Return a model of a bundle.

    Raises
    ------
    ModelError
        If a file is missing, damaged or no part of a model; it is named.
    """
    known: dict[str, Any] = {}
    try:
        for name, row in FIELDS.items():
            known[name] = row.unpack(name, packed, known)
    except PlanError as error:
        raise ModelError(str(error)) from None
    return Model(**known, source=str(packed.archive.path))


def collect(folder: TrainedFolder) -> Model:
    """Return the model in a folder that training made.

    Raises
    ------
    ModelError, PlanError
        If a file is damaged; it is named.
    """
    known = {
        name: DEFAULTS[name] if row.folder is None else row.folder(folder)
        for name, row in FIELDS.items()
    }
    return Model(**known, source=str(folder.path))


def most_bytes(plan: Plan, configuration: str) -> int:
    """Return how long a file with the weights of a network can be.

    Raises
    ------
    PlanError, PluginError
        If the plan does not describe a network.
    """
    import torch

    from autoseg.networks.build import build_network

    with torch.device("meta"):
        tensors = build_network(plan, configuration).state_dict().values()
    numbers = sum(tensor.numel() for tensor in tensors)
    result: int = LARGEST_NUMBER * numbers + HEADER_ROW * len(tensors) + HEADER
    return result


def _weights_file(fold: str) -> str:
    return f"fold_{fold}.safetensors"


def _as_it_is(raw: dict[str, Any], where: str) -> dict[str, Any]:
    return raw


def _numbers(raw: dict[str, Any], where: str) -> dict[str, Any]:
    """Return a fingerprint as the file has it, if it is one."""
    rows = {k: list(v) for k, v in raw.items() if isinstance(v, list)}
    Fingerprint.from_object({**raw, **rows}, where)
    return raw


def _fingerprint(folder: TrainedFolder) -> dict[str, Any] | None:
    raw = folder.json(MODEL_FINGERPRINT)
    return None if raw is None else _numbers(raw, str(folder.path / MODEL_FINGERPRINT))


def _before(folder: TrainedFolder) -> Model | None:
    return None if folder.before is None else collect(folder.before)


# In the order in which they are written and read: weights need plan and folds.
FIELDS: Mapping[str, Field] = {
    "plan": JsonFile(
        file=MODEL_PLAN, load=Plan.from_object, needed=True, folder=lambda f: f.plan
    ),
    "dataset": JsonFile(
        file=MODEL_DATASET,
        load=_as_it_is,
        needed=True,
        folder=lambda f: f.json(MODEL_DATASET) or {},
    ),
    "fingerprint": JsonFile(file=MODEL_FINGERPRINT, load=_numbers, folder=_fingerprint),
    "configuration": Entry(folder=lambda f: f.configuration),
    "folds": Folds(folder=lambda f: f.folds),
    "format": Entry(kind=(str, type(None))),
    "origin": Entry(),
    "weights": Weights(folder=lambda f: tuple(c["weights"] for c in f.checkpoints)),
    "postprocessing": JsonFile(
        file=POSTPROCESSING,
        load=Postprocessing.from_json,
        since=2,
        folder=lambda f: f.postprocessing,
    ),
    "confidence": JsonFile(
        file=CONFIDENCE,
        load=partial(from_json, Confidence),
        since=3,
        folder=lambda f: f.confidence,
    ),
    "previous": Part(prefix="previous/", folder=_before),
    "partners": Parts(prefix="partner_{}/", since=2),
}
NOT_STORED = ("source",)
SCHEMA = max(row.since for row in FIELDS.values())
DEFAULTS: Mapping[str, Any] = {
    field.name: field.default
    for field in dataclasses.fields(Model)
    if field.default is not dataclasses.MISSING
}
