"""The record of a run: strict on disk, and it says where two of them differ."""

import pytest

from autoseg.errors import PlanError
from autoseg.spec.run import Run, differences

VALUES = {
    "dataset": "Toy",
    "plan": "unet",
    "configuration": "2d",
    "fold": "all",
    "recipe": {"name": "fast", "learning_rate": 0.1},
    "because": "asked for",
    "iterations": 10,
    "batch_size": 2,
    "seed": 0,
    "device": "cpu",
    "precision": "fp32",
    "channels_last": True,
    "compiled": False,
    "threads": 2,
    "loader_threads": 1,
}


def test_a_run_comes_back_from_disk(tmp_path):
    run = Run(**VALUES, overrides={"network.features": [4, 8]})

    run.save(tmp_path / "run.json")

    assert Run.load(tmp_path / "run.json") == run


def test_a_run_has_one_length():
    with pytest.raises(PlanError, match="not both"):
        Run(**VALUES, time_budget=60.0)
    with pytest.raises(PlanError, match="either"):
        Run(**{**VALUES, "iterations": None})


def test_a_newer_schema_is_refused(tmp_path):
    with pytest.raises(PlanError, match="schema 2"):
        Run(**VALUES, schema=2)


def test_differences_name_the_place_and_both_values():
    other = Run(
        **{**VALUES, "recipe": {"name": "fast", "learning_rate": 0.2}, "seed": 4}
    )

    assert differences(Run(**VALUES), other) == [
        "recipe.learning_rate: 0.1 is recorded, 0.2 is asked for",
        "seed: 0 is recorded, 4 is asked for",
    ]
    assert differences(Run(**VALUES), Run(**VALUES)) == []
