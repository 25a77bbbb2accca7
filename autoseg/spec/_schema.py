"""JSON Schema of a plan, for editors: written from the dataclasses.

``python -m autoseg.spec._schema > docs/plan.schema.json`` writes it again; a test holds
the file equal.
"""

from __future__ import annotations

import inspect
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from autoseg.spec.plan import SCHEMA, Plan

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}


def plan_schema() -> dict[str, Any]:
    """Return the JSON Schema of a plan file."""
    definitions: dict[str, Any] = {}
    schema = _object(Plan, definitions)
    schema["properties"]["schema"] = {
        "const": SCHEMA,
        "description": "Number of this schema.",
    }
    # Editors write it into the file.
    schema["properties"]["$schema"] = {"type": "string"}
    return {
        "$schema": DIALECT,
        "title": "autoseg plan",
        **schema,
        "$defs": dict(sorted(definitions.items())),
    }


def _object(cls: type[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    hints, told = typing.get_type_hints(cls), _descriptions(cls)
    properties: dict[str, Any] = {}
    required = []
    for entry in fields(cls):
        properties[entry.name] = _value(hints[entry.name], definitions)
        if entry.name in told:
            properties[entry.name]["description"] = told[entry.name]
        if entry.default is MISSING and entry.default_factory is MISSING:
            required.append(entry.name)
    return {
        "type": "object",
        "description": (inspect.getdoc(cls) or "").partition("\n")[0],
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _value(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return {}
    if is_dataclass(hint):
        name = typing.cast(type, hint).__name__
        if name not in definitions:
            definitions[name] = {}  # a dataclass may hold itself
            definitions[name] = _object(typing.cast(type, hint), definitions)
        return {"$ref": f"#/$defs/{name}"}
    if origin in (typing.Union, types.UnionType):
        parts = [_value(a, definitions) for a in arguments if a is not type(None)]
        return {"anyOf": [*parts, {"type": "null"}]}
    if origin is tuple:
        return {"type": "array", "items": _value(arguments[0], definitions)}
    if origin is not None and issubclass(origin, Mapping):
        return {
            "type": "object",
            "additionalProperties": _value(arguments[1], definitions),
        }
    return {"type": SCALARS[hint]}


def _descriptions(cls: type[Any]) -> dict[str, str]:
    """Return what a numpydoc docstring says about each field."""
    lines = (inspect.getdoc(cls) or "").partition("Parameters\n----------\n")[2]
    found: dict[str, list[str]] = {}
    names: list[str] = []
    for line in lines.splitlines():
        if line and not line[0].isspace():
            names = [name.strip() for name in line.partition(" : ")[0].split(",")]
            kind = line.partition(" : ")[2]
            if not kind:
                break  # another section
            for name in names:
                found[name] = [f"({kind})"]
        elif line.strip():
            for name in names:
                found[name].append(line.strip())
    return {name: " ".join(words) for name, words in found.items()}


def dumps_schema() -> str:
    """Return the text of docs/plan.schema.json."""
    return json.dumps(plan_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(dumps_schema(), end="")
