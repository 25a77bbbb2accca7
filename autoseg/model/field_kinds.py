"""The ways in which a field of a model is kept: a file, an entry, other models.

`autoseg.model.fields` says which field is kept in which way.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from autoseg.errors import ModelError
from autoseg.model.model import Model
from autoseg.model.packed import MANIFEST, Packed
from autoseg.model.tensors import check_fits, check_real, most_bytes_of, shapes_of
from autoseg.model.trained import TrainedFolder
from autoseg.spec.json import dumps

Known = Mapping[str, Any]  # fields that were read before
DEFAULTS: Mapping[str, Any] = {
    field.name: field.default
    for field in dataclasses.fields(Model)
    if field.default is not dataclasses.MISSING
}


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
    """Tensors of each fold, in a file of safetensors.

    Small files hold them in half precision; networks compute in single precision.
    """

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

        shapes = shapes_of(known["plan"], known["configuration"])
        most = most_bytes_of(shapes)
        found = []
        for fold in known["folds"]:
            file = _weights_file(fold)
            try:
                tensors = load(packed.read(file, most))
            except SafetensorError as error:
                where = packed.where(file)
                raise ModelError(f"{where} is damaged: {error}.") from None
            where = f"{packed.archive.path}, fold {fold}"
            check_real(tensors, where)
            check_fits(tensors, shapes, where)
            found.append({name: _as_computed(one) for name, one in tensors.items()})
        return tuple(found)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part(Field):
    """Another model, or none.

    Parameters
    ----------
    prefix : str
        Before the names of its files.
    read : callable
        Makes it of its part of the bundle.
    since : int
        See `Field`.
    folder : callable or None
        See `Field`.
    """

    prefix: str
    read: Callable[[Packed], Model]

    def parts(self, name: str, model: Model) -> Iterator[tuple[str, Model]]:
        if getattr(model, name) is not None:
            yield self.prefix, getattr(model, name)

    def unpack(self, name: str, packed: Packed, known: Known) -> Any:
        below = packed.below(self.prefix)
        return None if below is None else self.read(below)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parts(Field):
    """Any number of models.

    Parameters
    ----------
    prefix : str
        Before the names of their files, with a place for the number, from 1.
    read : callable
        Makes one of its part of the bundle.
    since : int
        See `Field`.
    folder : callable or None
        See `Field`.
    """

    prefix: str
    read: Callable[[Packed], Model]

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
            found.append(self.read(below))
        return tuple(found)


def _as_computed(tensor: Any) -> Any:
    """Return numbers of half precision in single precision, others as they are."""
    half = tensor.is_floating_point() and tensor.element_size() < 4
    return tensor.float() if half else tensor


def _weights_file(fold: str) -> str:
    return f"fold_{fold}.safetensors"
