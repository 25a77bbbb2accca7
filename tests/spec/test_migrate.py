"""Files of older schemas."""

import json
from pathlib import Path

import pytest

from autoseg.errors import PlanError
from autoseg.spec._migrate import STEPS, migrate
from autoseg.spec.fingerprint import SCHEMA as FINGERPRINT_SCHEMA
from autoseg.spec.plan import SCHEMA, Plan

# Written by the first version that planned.
OLD = Path(__file__).with_name("plan_schema_1.json")


def test_a_plan_of_schema_1_is_read():
    raw = json.loads(OLD.read_text())
    assert raw["schema"] == 1 and "budget" not in raw

    plan = Plan.load(OLD)

    assert plan.schema == SCHEMA
    assert plan.budget.name == "unknown"
    assert plan.configuration("3d_fullres").patch_size == (64, 160, 160)
    assert plan.data_id("3d_fullres").startswith("3d_")


def test_an_old_plan_is_written_in_the_new_schema(tmp_path):
    Plan.load(OLD).save(tmp_path / "plan.json")

    assert json.loads((tmp_path / "plan.json").read_text())["schema"] == SCHEMA
    assert Plan.load(tmp_path / "plan.json") == Plan.load(OLD)


def test_there_is_a_step_from_every_older_schema():
    assert sorted(STEPS["plan"]) == list(range(1, SCHEMA))
    assert sorted(STEPS["fingerprint"]) == list(range(1, FINGERPRINT_SCHEMA))


def test_a_file_goes_through_all_steps_that_it_is_behind():
    steps = {
        "plan": {
            1: lambda raw: {**raw, "path": raw["path"] + "a"},
            2: lambda raw: {**raw, "path": raw["path"] + "b"},
            3: lambda raw: {**raw, "path": raw["path"] + "c"},
        }
    }

    found = migrate(
        {"schema": 2, "path": ""}, kind="plan", newest=4, where="x", steps=steps
    )

    assert found == {"schema": 4, "path": "bc"}


def test_a_file_of_the_newest_schema_is_left_alone():
    raw = {"schema": SCHEMA}

    assert migrate(raw, kind="plan", newest=SCHEMA, where="x") is raw


def test_a_file_of_a_newer_schema_asks_for_an_update():
    with pytest.raises(PlanError, match="schema 99; this autoseg reads up to"):
        migrate({"schema": 99}, kind="plan", newest=SCHEMA, where="x")


def test_a_file_that_is_too_old_asks_to_be_made_again():
    with pytest.raises(PlanError, match="too old to be read; make the plan again"):
        migrate({"schema": 0}, kind="plan", newest=SCHEMA, where="x")


def test_a_schema_that_is_no_number_is_refused():
    with pytest.raises(PlanError, match="schema is '2'; write"):
        migrate({"schema": "2"}, kind="plan", newest=SCHEMA, where="x")
