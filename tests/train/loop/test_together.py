"""Two processes train as one does: equal weights, and one mind about everything."""

import json
import shutil
import socket

import pytest
import torch

from autoseg.train.setup.ranks import ONE
from autoseg.train.stage import train
from tests.forked import Forked

from . import together


@pytest.fixture(scope="module")
def shared(tmp_path_factory, prepared):
    """Folder with what came of trainings that two processes shared."""
    folder = tmp_path_factory.mktemp("shared")
    root = folder / "root"
    shutil.copytree(prepared.root, root)
    numbers = {"settings": {"train.validation_batches": 0}, "validation": False}
    train(root / "raw" / "Toy", "3d_fullres", "all", root, iterations=1, **numbers)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    running = [
        Forked(
            folder / f"said_{number}.txt",
            together.main,
            (folder, root),
            {**place, "RANK": str(number)},
        )
        for number in range(2)
    ]
    said = [process.wait(600) for process in running]
    assert [code for code, _ in said] == [0, 0], "\n".join(words for _, words in said)
    return folder


def told(shared, scene):
    return [json.loads((shared / f"{scene}_{n}.json").read_text()) for n in range(2)]


@pytest.mark.parametrize("name", [*together.CASES, "single"])
def test_two_processes_train_the_weights_of_one(shared, tmp_path, name):
    single = name == "single"
    case, kind = ("three", torch.float32) if single else (name, torch.float64)
    start = together.make_trainer(case, ONE, kind=kind).network.state_dict()
    book = together.book(tmp_path, name, ONE)

    one, *_ = together.train(case, ONE, book, kind=kind)

    first, second = (torch.load(shared / f"{name}_{n}.pt") for n in range(2))
    # Adam divides a gradient that should be 0 by its own size, but for 1e-8.
    fast = together.CASES[case][4] == "fast"
    most = 1e-5 if single else 1e-8 if fast else 1e-9
    for key, weights in one.items():
        torch.testing.assert_close(first[key], weights, rtol=0, atol=most)
        assert torch.equal(first[key], second[key])
    assert max(float((one[key] - start[key]).abs().max()) for key in one) > 0.05


def test_the_log_is_that_of_one_process(shared, tmp_path):
    book = together.book(tmp_path, "one", ONE)
    *_, expected = together.train("three", ONE, book, kind=torch.float32)
    same = ("iteration", "loss", "validation_loss", "score", "learning_rate")

    first, second = told(shared, "equal_weights")

    assert len(expected) == 2 and second["entries"] == []
    for found, entry in zip(first["entries"], expected, strict=True):
        for field in same:
            assert found[field] == pytest.approx(entry[field], rel=1e-3)


def test_all_stop_if_one_is_asked_to_and_the_first_writes(shared):
    first, second = told(shared, "wishes")

    assert first == {"finished": False, "iteration": 7, "written": 1}
    assert second == {"finished": False, "iteration": 7, "written": 0}


def test_all_see_a_loss_that_is_no_number_and_whose_image_it_was(shared):
    first, second = told(shared, "no_number")

    assert first == second
    assert "iteration 3 is nan" in first["error"]
    assert "came from case case0, case1, case2, case3" in first["error"]
    assert "images of case1 hold" in first["error"]


def test_the_first_ones_clock_decides_when_time_is_over(shared):
    first, second = told(shared, "by_time")

    # By its own clock, the second one would have stopped after one iteration.
    assert first["iteration"] == second["iteration"] > 1
    assert second["used"] < 100


def test_they_talk(shared):
    first, second = told(shared, "talk")

    same = {
        "texts": ["I am 0", "I am 1"],
        "told": "by 0",
        "sums": [2.0, 1.0],
        "whole": [0, 1, 0],  # in the order of samples, of unequal shares
        "gradient": [[3.0, 3.0]],
        "none": True,
        "spread": [0, 1, 2],
    }
    assert first == {**same, "share": ["a", "c", "e"]}
    assert second == {**same, "share": ["b", "d"]}


def test_validation_cases_are_shared_out_and_a_failure_is_known_to_all(shared):
    first, second = told(shared, "validation")
    folder = shared / "root" / "results" / "Toy" / "unet" / "3d_fullres" / "fold_all"
    cases = {f"case_{number:02d}" for number in range(5)}

    assert first["error"] == second["error"]
    assert "predict: 1 of 5 cases failed" in first["error"]
    assert "case_01" in first["error"]
    assert set(first["before"]) == {f"{case}.nii.gz" for case in cases - {"case_01"}}
    assert first["predicted"] == ["case_01"] and second["predicted"] == []
    sure = json.loads((folder / "validation" / "uncertainty.json").read_text())
    assert set(sure["quality"]) == cases and not list(folder.glob("*.uncertainty.json"))
    summary = json.loads((folder / "validation" / "summary.json").read_text())
    assert set(summary["cases"]) == cases
