"""The stage: from fingerprint.json to plans/NAME.json."""

import dataclasses
import json

import pytest

import autoseg
from autoseg.errors import PlanError, UsageError
from autoseg.spec.plan import Plan
from autoseg.workspace import Workspace
from planners.base import Budget
from planners.stage import plan


@pytest.fixture
def root(tmp_path, fingerprint, task):
    """A root with a data set that has a fingerprint."""
    raw = tmp_path / "raw" / "Dataset001_Test"
    raw.mkdir(parents=True)
    (raw / "dataset.json").write_text("{}")
    found = fingerprint((60, 128, 128), (1, 1, 1), task=task(2))
    found.save(Workspace(root=tmp_path, dataset="Dataset001_Test").fingerprint)
    return tmp_path


def _file(root, name="unet"):
    return Workspace(root=root, dataset="Dataset001_Test").plan(name)


def test_a_plan_is_written_and_returned(root):
    made = plan("Dataset001_Test", root)

    assert Plan.load(_file(root)) == made
    assert made.task.options["labels"]["class2"] == 2


def test_the_package_offers_it(root):
    assert autoseg.plan("1", root).name == "unet"


def test_planner_preset_and_name(root):
    budget = Budget(preset="L")

    made = plan("1", root, planner="residual_unet", budget=budget)
    named = plan("1", root, planner="residual_unet", budget=budget, name="mine")

    assert made.name == "residual_unet_l"
    assert _file(root, "residual_unet_l").is_file()
    assert Plan.load(_file(root, "mine")) == named
    assert dataclasses.replace(named, name=made.name) == made


def test_gpus_that_share_a_batch_have_its_share_of_memory(root):
    one = plan("Dataset001_Test", root, settings={"batch_size": 4})

    two = plan("Dataset001_Test", root, settings={"batch_size": 4}, gpus=2)

    name = next(iter(one.configurations))
    before, after = (sum(p.configurations[name].memory.values()) for p in (one, two))
    assert two.configurations[name].batch_size == 4 and after < before
    assert two.budget.options["gpus"] == 2 and "gpus" not in one.budget.options
    reasons = [d.because for d in two.decisions if d.field == f"{name}.batch_size"]
    assert "2 GPUs share it, up to 2 patches" in reasons[0]


def test_a_plan_that_was_edited_is_kept(root):
    plan("1", root)
    raw = json.loads(_file(root).read_text())
    raw["configurations"]["2d"]["batch_size"] = 17
    _file(root).write_text(json.dumps(raw))

    plan("1", root)

    kept = Plan.load(_file(root, "unet.previous"))
    assert kept.configuration("2d").batch_size == 17
    assert Plan.load(_file(root)).configuration("2d").batch_size != 17


def test_few_operations_make_a_network_narrow(root):
    usual = plan("1", root, network="light_unet")

    few = plan("1", root, network="light_unet", operations=4e9)

    made = (one.configuration("3d_fullres").network for one in (few, usual))
    narrow, wide = (network.options["features"] for network in made)
    assert max(narrow) < max(wide)


@pytest.mark.parametrize("more", [{"operations": 1e9}, {"gpus": 2}])
def test_a_budget_holds_operations_and_gpus_already(root, more):
    with pytest.raises(UsageError, match="operations or gpus beside it"):
        plan("1", root, budget=Budget(), **more)


def test_the_same_plan_again_leaves_no_previous_one(root):
    plan("1", root)
    plan("1", root)

    assert [path.name for path in _file(root).parent.iterdir()] == ["unet.json"]


def test_without_a_fingerprint_the_error_says_what_to_run(tmp_path):
    raw = tmp_path / "raw" / "Dataset002_New"
    raw.mkdir(parents=True)
    (raw / "dataset.json").write_text("{}")

    with pytest.raises(PlanError, match="autoseg fingerprint"):
        plan("Dataset002_New", tmp_path)


@pytest.mark.parametrize("name", ["", "..", "a/b", "a:b"])
def test_a_name_that_is_no_file_name_is_refused(root, name):
    with pytest.raises(UsageError, match="cannot be called"):
        plan("1", root, name=name)
