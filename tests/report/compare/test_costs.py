"""What trainings cost stands beside what they reached, and may be asked to be equal."""

import json
import shutil

import pytest

from autoseg.errors import UsageError
from autoseg.report.compare.comparison import compare
from autoseg.report.compare.page import write_comparison
from autoseg.report.compare.runs import read_runs
from autoseg.spec.run import Run
from autoseg.spec.settings.recipes import RECIPES
from autoseg.workspace import Workspace
from tests.report import browser, results_folder


def record(fold, **changes):
    """Return the record of a training, as `train` writes it."""
    numbers = {
        "dataset": "Toy",
        "plan": "unet",
        "configuration": "3d_fullres",
        "fold": fold,
        "recipe": dict(RECIPES["fast"].__dict__),
        "because": "",
        "iterations": 40,
        "batch_size": 2,
        "seed": 0,
        "device": "cpu",
        "precision": "fp32",
        "channels_last": False,
        "compiled": False,
        "threads": 1,
        "loader_threads": 1,
    }
    return Run(**{**numbers, **changes})


def write(folder, *, seconds, iterations, **changes):
    """Let a fold have taken so long."""
    name = folder.name.removeprefix("fold_")
    record(name, **changes).save(folder / "run.json")
    line = {"iteration": iterations, "progress": 1.0, "seconds": seconds, "loss": 1.0}
    (folder / "log.jsonl").write_text(json.dumps(line))


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two configurations of two folds; the second has a batch twice as large."""
    root = tmp_path_factory.mktemp("costs")
    results_folder.prepare(root, folds=2)
    one = root / "results" / "Toy" / "unet" / "3d_fullres"
    space = Workspace(root=root, dataset="Toy")
    shutil.copy(space.plan("unet"), one / "plan.json")
    other = root / "other"
    shutil.copytree(one, other)
    for fold, seconds in (("0", 100.0), ("1", 120.0)):
        write(one / f"fold_{fold}", seconds=seconds, iterations=40)
        write(other / f"fold_{fold}", seconds=2 * seconds, iterations=41, batch_size=4)
    return one, other


@pytest.fixture
def runs(models, tmp_path):
    one, other = models
    return read_runs([f"one={one}", f"other={other}"], tmp_path)


def test_costs_are_means_of_folds(runs):
    costs = compare(runs).costs

    assert costs["one"].folds == 2
    assert costs["one"].seconds == 110 and costs["other"].seconds == 220
    assert costs["one"].iterations == 40
    assert costs["one"].network == "plain_unet"
    # The same network on twice as many patches.
    assert costs["other"].parameters == costs["one"].parameters > 0
    assert costs["other"].operations == 2 * costs["one"].operations
    assert costs["one"].memory < costs["other"].memory < 2.01 * costs["one"].memory


def test_a_fold_that_is_still_trained_does_not_count(models, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(models[0], model)
    begun = model / "fold_2"
    begun.mkdir()
    write(begun, seconds=1.0, iterations=2)
    runs = read_runs([str(models[0]), f"begun={model}"], tmp_path)

    cost = compare(runs).costs["begun"]

    assert (cost.folds, cost.seconds, cost.iterations) == (2, 110, 40)


def test_what_is_equal_and_what_is_not_is_said(runs):
    last = compare(runs).sentences()[-1]

    # 40 and 41 iterations differ by less than 5 %, 110 and 220 s do not.
    assert "equal iterations" in last
    assert "other time (one: 1 min 50 s, other: 3 min 40 s)" in last


def test_runs_that_cost_the_same_may_be_asked_for(runs):
    assert compare(runs, equal="iterations").costs

    with pytest.raises(UsageError, match="3 min 40 s.*same --time-budget"):
        compare(runs, equal="time")
    with pytest.raises(UsageError, match="memory.*--gpu-memory"):
        compare(runs, equal="memory")


def test_predictions_have_no_costs(models, tmp_path):
    scores = tmp_path / "summary.json"
    shutil.copy(models[0] / "fold_0" / "validation" / "summary.json", scores)
    mixed = read_runs([f"one={models[0]}", f"file={scores}"], tmp_path)

    assert list(compare(mixed).costs) == ["one"]
    with pytest.raises(UsageError, match="nobody knows the time of file"):
        compare(mixed, equal="time")


def test_a_record_of_another_version_leaves_out_what_is_not_known(runs, models):
    path = models[0] / "fold_0" / "run.json"
    before = path.read_text()
    path.write_text('{"old": 1}')
    try:
        cost = compare(runs).costs["one"]
    finally:
        path.write_text(before)

    assert cost.seconds == 110
    assert (cost.memory, cost.operations, cost.parameters) == (None, None, None)


def test_the_page_draws_what_was_reached_over_what_it_cost(runs, tmp_path):
    page = tmp_path / "c.html"

    write_comparison(compare(runs), page)

    content = json.loads(page.with_suffix(".json").read_text())
    assert [run["cost"]["seconds"] for run in content["runs"]] == [110, 220]
    text = page.read_text()
    for name in ("minutes of training", "operations a step", "GB of a step"):
        assert name in text
    assert browser.picture(page, tmp_path / "c.png") == []
