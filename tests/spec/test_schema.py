"""The JSON Schema of a plan, for editors."""

import copy
import json
from pathlib import Path

import pytest

from autoseg.spec._schema import dumps_schema, plan_schema
from autoseg.spec.json import to_json
from autoseg.spec.plan import Plan

HERE = Path(__file__)
FILE = HERE.parents[2] / "docs" / "plan.schema.json"
OLD = HERE.with_name("plan_schema_1.json")


def faults(value, schema, root, path="plan"):
    """What a JSON value breaks of a schema; the keywords that ours uses."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    if "anyOf" in schema:
        options = [faults(value, part, root, path) for part in schema["anyOf"]]
        return [] if not all(options) else options[0]
    if "const" in schema:
        return [] if value == schema["const"] else [path]
    kinds = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "number": (int, float),
        "boolean": bool,
        "null": type(None),
    }
    kind = schema.get("type")
    if kind and (
        not isinstance(value, kinds[kind])
        or (isinstance(value, bool) and kind in ("integer", "number"))
    ):
        return [path]
    found = []
    if kind == "array":
        for number, entry in enumerate(value):
            found += faults(entry, schema["items"], root, f"{path}[{number}]")
    if kind == "object":
        known = schema.get("properties", {})
        found += [f"{path}.{k}" for k in schema.get("required", []) if k not in value]
        for key, entry in value.items():
            rest = schema.get("additionalProperties", {})
            part = known.get(key, rest)
            found += (
                [f"{path}.{key}"]
                if part is False
                else faults(entry, part, root, f"{path}.{key}")
            )
    return found


@pytest.fixture
def plan():
    return to_json(Plan.load(OLD))


def test_the_file_in_docs_is_up_to_date():
    assert FILE.read_text() == dumps_schema()


def test_a_plan_follows_the_schema(plan):
    schema = json.loads(FILE.read_text())

    assert faults(plan, schema, schema) == []
    assert faults({**plan, "$schema": "plan.schema.json"}, schema, schema) == []


@pytest.mark.parametrize(
    "where, value, fault",
    [
        (("unit",), 3, "plan.unit"),
        (("colour",), "red", "plan.colour"),
        (("transpose",), [0, "1", 2], "plan.transpose[1]"),
        (
            ("configurations", "2d", "batch_size"),
            2.5,
            "plan.configurations.2d.batch_size",
        ),
        (("configurations", "2d", "network"), "x", "plan.configurations.2d.network"),
        (("schema",), 1, "plan.schema"),
    ],
)
def test_a_fault_is_found(plan, where, value, fault):
    schema, broken = plan_schema(), copy.deepcopy(plan)
    place = broken
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = value

    assert faults(broken, schema, schema) == [fault]


def test_what_must_be_there_is_required(plan):
    schema = plan_schema()
    del plan["task"]

    assert faults(plan, schema, schema) == ["plan.task"]


def test_every_field_is_explained():
    schema = plan_schema()

    for part in (schema, *schema["$defs"].values()):
        for name, entry in part["properties"].items():
            if name != "$schema":
                assert entry.get("description"), name
