"""The plan: checked when made, strict when read."""

import dataclasses
import json

import pytest

from autoseg.errors import PlanError
from autoseg.spec.choice import Choice
from autoseg.spec.configuration import Resampling
from autoseg.spec.plan import Channel, Plan
from tests.spec.toy_configuration import configuration


def plan(**changes):
    values = {
        "name": "mine",
        "dataset": "Dataset001_Test",
        "planner": "unet",
        "task": Choice(name="semantic", options={"labels": {"background": 0, "a": 1}}),
        "unit": "mm",
        "transpose": (0, 1),
        "channels": (Channel(name="MRI", normalizer=Choice(name="zscore")),),
        "configurations": {"2d": configuration()},
    }
    return Plan(**{**values, **changes})


def test_a_plan_comes_back_from_disk_as_it_was(tmp_path):
    plan().save(tmp_path / "plan.json")

    assert Plan.load(tmp_path / "plan.json") == plan()


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"transpose": (0, 2)}, "is no order of axes"),
        ({"schema": 99}, "schema 99"),
        (
            {"configurations": {"2d": configuration(previous="3d_lowres")}},
            "names '3d_lowres', which is missing",
        ),
    ],
)
def test_a_plan_that_contradicts_itself_is_refused(changes, message):
    with pytest.raises(PlanError, match=message):
        plan(**changes)


def test_every_fault_of_a_file_is_said_at_once(tmp_path):
    path = tmp_path / "plan.json"
    plan().save(path)
    raw = json.loads(path.read_text())
    raw["colour"] = "red"
    del raw["unit"]
    raw["transpose"] = [0, "one"]
    raw["configurations"]["2d"]["batch_size"] = "many"
    raw["channels"][0]["masked"] = 1
    path.write_text(json.dumps(raw))

    with pytest.raises(PlanError) as error:
        Plan.load(path)

    first, *faults = str(error.value).splitlines()
    assert first == f"{path} cannot be read:"
    assert sorted(faults) == [
        "  channels[0].masked: 1 is not a truth",
        "  colour: unknown field",
        '  configurations.2d.batch_size: "many" is not a whole number',
        '  transpose[1]: "one" is not a whole number',
        "  unit: missing",
    ]


def test_faults_of_the_plan_are_said_beside_those_of_its_parts(tmp_path):
    path = tmp_path / "plan.json"
    plan().save(path)
    raw = json.loads(path.read_text())
    raw["transpose"] = [0, 0, 1]
    raw["configurations"]["2d"]["batch_size"] = "many"
    path.write_text(json.dumps(raw))

    with pytest.raises(PlanError) as error:
        Plan.load(path)

    _, *faults = str(error.value).splitlines()
    assert sorted(faults) == [
        "  Plan: transpose (0, 0, 1) is no order of axes",
        '  configurations.2d.batch_size: "many" is not a whole number',
    ]


def test_an_editors_schema_line_is_allowed(tmp_path):
    path = tmp_path / "plan.json"
    plan().save(path)
    raw = json.loads(path.read_text())
    path.write_text(json.dumps({"$schema": "plan.schema.json", **raw}))

    assert Plan.load(path) == plan()


def test_a_missing_file_says_what_to_run(tmp_path):
    with pytest.raises(PlanError, match="autoseg plan DATASET"):
        Plan.load(tmp_path / "plan.json")


def test_a_missing_configuration_names_those_there_are():
    with pytest.raises(PlanError, match="no configuration '3d'. It has: 2d"):
        plan().configuration("3d")


def test_plans_share_data_that_are_equal():
    other = dataclasses.replace(
        plan(), name="other", configurations={"2d": configuration(batch_size=9)}
    )

    assert other.data_id("2d") == plan().data_id("2d")


@pytest.mark.parametrize(
    "changes",
    [
        {"configurations": {"2d": configuration(spacing=(1.0, 1.1))}},
        {"configurations": {"2d": configuration(resampling=Resampling(image_order=1))}},
        {"orientation": "LPS"},
        {"transpose": (1, 0)},
        {"channels": (Channel(name="MRI", normalizer=Choice(name="none")),)},
        {"task": Choice(name="semantic", options={"labels": {"background": 0}})},
    ],
)
def test_what_changes_a_voxel_changes_the_data(changes):
    assert plan(**changes).data_id("2d") != plan().data_id("2d")
