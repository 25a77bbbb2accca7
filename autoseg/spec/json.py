"""Frozen dataclasses to strict JSON and back; every error of a file at once."""

from __future__ import annotations

import functools
import json
import os
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from autoseg.atomic import temporary_of
from autoseg.errors import AutosegError, PlanError

T = TypeVar("T")
LARGEST = 1e300  # of numbers that are surely finite


def write_text(path: Path, text: str) -> None:
    """Write a file so that it is either complete or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_of(path)
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def to_json(value: Any) -> Any:
    """Return a dataclass, mapping or sequence as plain JSON values."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(entry) for entry in value]
    return value


def dumps(value: Any) -> str:
    """Return indented JSON in which short lists of plain values stay on one line."""
    return _dump(to_json(value), "") + "\n"


def _dump(value: Any, indent: str) -> str:
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or len(flat) + len(indent) <= 88:
        return flat
    inner = indent + "  "
    if isinstance(value, dict):
        rows = [
            f"{inner}{json.dumps(key, ensure_ascii=False)}: {_dump(entry, inner)}"
            for key, entry in value.items()
        ]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    rows = [inner + _dump(entry, inner) for entry in value]
    return "[\n" + ",\n".join(rows) + f"\n{indent}]"


def load_json(path: Path, hint: str = "", error: type[AutosegError] = PlanError) -> Any:
    """Read what a JSON file holds.

    Parameters
    ----------
    path : Path
        UTF-8 text, with or without a byte order mark.
    hint : str
        What to do if there is no such file.
    error : type of AutosegError
        What is raised.

    Returns
    -------
    JSON value
        Of any kind.

    Raises
    ------
    AutosegError
        If the file is missing, cannot be read or is no JSON; with the place.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise error(f"{path} does not exist.{' ' + hint if hint else ''}") from None
    except OSError as fault:
        raise error(f"{path} cannot be read ({fault}).") from None
    return parse_json(raw, str(path), error)


def parse_json(raw: bytes, where: str, error: type[AutosegError] = PlanError) -> Any:
    """Return what a file's content says, in JSON.

    Parameters
    ----------
    raw : bytes
        UTF-8 text, with or without a byte order mark.
    where : str
        The file, for messages.
    error : type of AutosegError
        What is raised.

    Returns
    -------
    JSON value
        Of any kind.

    Raises
    ------
    AutosegError
        If it is no JSON; with the place.
    """
    try:
        return json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as fault:
        raise error(f"{where} is not UTF-8 text ({fault}). Save it as UTF-8.") from None
    except json.JSONDecodeError as fault:
        raise error(
            f"{where} is no JSON: {fault.msg} in line {fault.lineno}, "
            f"column {fault.colno}."
        ) from None
    except RecursionError:
        raise error(f"{where} is no JSON: brackets without end.") from None
    except ValueError as fault:  # a number of thousands of digits
        raise error(f"{where} is no JSON: {fault}.") from None


def load_object(path: Path, hint: str = "") -> dict[str, Any]:
    """Read a JSON object from a file.

    Raises
    ------
    PlanError
        If the file is missing, no JSON, or no object; with the place.
    """
    return _object(load_json(path, hint), str(path))


def parse_object(raw: bytes, where: str) -> dict[str, Any]:
    """Return the JSON object that a file's content is.

    Parameters
    ----------
    raw : bytes
        UTF-8 text.
    where : str
        The file, for messages.

    Raises
    ------
    PlanError
        If it is no JSON, or no object; with the place.
    """
    return _object(parse_json(raw, where), where)


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PlanError(f"{where} holds a {type(value).__name__}, not a JSON object.")
    return value


def from_json(kind: type[T], raw: Any, where: str) -> T:
    """Build a dataclass from plain JSON values, by its type hints.

    Parameters
    ----------
    kind : type
        A frozen dataclass.
    raw : JSON value
        What to build it from.
    where : str
        File that ``raw`` came from, for messages.

    Returns
    -------
    object
        An instance of ``kind``.

    Raises
    ------
    PlanError
        With every unknown, missing and mistyped field, each with its path.
    """
    errors: list[str] = []
    value = _build(kind, raw, "", errors)
    if errors:
        listed = "\n".join(f"  {error}" for error in errors)
        raise PlanError(f"{where} cannot be read:\n{listed}")
    return typing.cast(T, value)


@functools.lru_cache(maxsize=256)
def hints_of(kind: type) -> dict[str, Any]:
    """Return the types of a class's fields, which takes long to find out, once."""
    return typing.get_type_hints(kind)


def _build(hint: Any, raw: Any, path: str, errors: list[str]) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return raw
    if origin in (typing.Union, types.UnionType):
        if raw is None and type(None) in arguments:
            return None
        return _build_union(arguments, raw, path, errors)
    if is_dataclass(hint):
        return _build_dataclass(hint, raw, path, errors)
    if origin is tuple:
        return _build_tuple(arguments, raw, path, errors)
    if origin is typing.Literal:
        if raw not in arguments:
            errors.append(
                f"{path}: {raw!r} is none of {', '.join(map(repr, arguments))}"
            )
        return raw
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(raw, dict):
            return _mistyped("an object", raw, path, errors)
        return {
            key: _build(arguments[1], entry, f"{path}.{key}".lstrip("."), errors)
            for key, entry in raw.items()
        }
    return _build_scalar(hint, raw, path, errors)


def _build_union(arguments: Any, raw: Any, path: str, errors: list[str]) -> Any:
    attempts: list[list[str]] = []
    for option in arguments:
        if option is type(None):
            continue
        found: list[str] = []
        value = _build(option, raw, path, found)
        if not found:
            return value
        attempts.append(found)
    errors.extend(attempts[0] if attempts else [f"{path}: {raw!r} does not fit"])
    return None


def _build_dataclass(hint: Any, raw: Any, path: str, errors: list[str]) -> Any:
    if not isinstance(raw, dict):
        return _mistyped("an object", raw, path, errors)
    hints = hints_of(hint)
    known = {f.name: f for f in fields(hint)}
    dot = f"{path}." if path else ""
    before = len(errors)
    errors += [f"{dot}{name}: unknown field" for name in sorted(raw.keys() - known)]
    values = {}
    sound = {}
    for name, entry in known.items():
        if name in raw:
            count = len(errors)
            values[name] = _build(hints[name], raw[name], f"{dot}{name}", errors)
            if len(errors) == count:
                sound[name] = values[name]
        elif entry.default is MISSING and entry.default_factory is MISSING:
            errors.append(f"{dot}{name}: missing")
    if len(errors) > before:
        # What can be said of the whole without the parts that are no good.
        if hasattr(hint, "faults_of"):
            faults = hint.faults_of(sound)
            errors += [f"{path or hint.__name__}: {fault}" for fault in faults]
        return None
    try:
        return hint(**values)
    except PlanError as error:
        errors.append(f"{path or hint.__name__}: {error}")
        return None


def _build_tuple(arguments: Any, raw: Any, path: str, errors: list[str]) -> Any:
    if not isinstance(raw, (list, tuple)):
        return _mistyped("a list", raw, path, errors)
    # Rows of a fingerprint: there may be many, and these are shared, not copied.
    found = tuple(set(map(type, raw)))
    if arguments == (int, Ellipsis) and found == (int,):
        return tuple(raw)
    if arguments == (float, Ellipsis) and found == (float,):
        if all(abs(v) < LARGEST for v in raw):
            return tuple(raw)
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        kinds = [arguments[0]] * len(raw)
    elif len(arguments) == len(raw):
        kinds = list(arguments)
    else:
        errors.append(f"{path}: {len(raw)} entries where {len(arguments)} belong")
        return None
    return tuple(
        _build(kind, entry, f"{path}[{i}]", errors)
        for i, (kind, entry) in enumerate(zip(kinds, raw, strict=True))
    )


def _build_scalar(hint: Any, raw: Any, path: str, errors: list[str]) -> Any:
    number = isinstance(raw, (int, float)) and not isinstance(raw, bool)
    if hint is float and number:
        if not abs(raw) < LARGEST:
            errors.append(f"{path}: {raw} is not finite")
            return None
        return float(raw)
    if hint is int and isinstance(raw, float) and raw.is_integer():
        return int(raw)
    if isinstance(raw, hint) and not (hint is int and isinstance(raw, bool)):
        return raw
    names = {str: "a text", int: "a whole number", float: "a number", bool: "a truth"}
    return _mistyped(
        names.get(hint, getattr(hint, "__name__", str(hint))), raw, path, errors
    )


def _mistyped(wanted: str, raw: Any, path: str, errors: list[str]) -> None:
    shown = json.dumps(raw, default=str)
    errors.append(f"{path or 'the file'}: {shown[:60]} is not {wanted}")
    return None
