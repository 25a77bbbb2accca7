"""The command `plan_and_preprocess`."""

import argparse
import json
import math
import threading
import time

import pytest

import autoseg
from autoseg.cli.main import main
from autoseg.cli.plan_and_preprocess import _next
from autoseg.lock import locked
from autoseg.preprocess.store import CaseStore
from autoseg.spec.fingerprint import Fingerprint
from autoseg.spec.plan import Plan
from planners.base import Budget
from planners.unet import unet
from tests import toy
from tests.planners.test_landmarks import TASK, XRAY


@pytest.fixture
def folder(tmp_path):
    return toy.volumes(tmp_path / "Toy", cases=3, test=0, spacing=(1.0, 1.0, 1.0))


def _run(folder, *more) -> int:
    root = folder.parent / "root"
    return main(["plan_and_preprocess", str(folder), "--root", str(root), *more])


def _prepared(folder):
    return folder.parent / "root" / "preprocessed" / "Toy"


def test_it_does_all_that_comes_before_training(folder, capsys):
    assert _run(folder) == 0

    prepared = _prepared(folder)
    assert Fingerprint.load(prepared / "fingerprint.json").num_cases == 3
    plan = Plan.load(prepared / "plans" / "unet.json")
    assert len(json.loads((prepared / "splits.json").read_text())) == 3
    for name in plan.configurations:
        assert len(CaseStore(prepared / plan.data_id(name)).ids()) == 3
    text = capsys.readouterr().out
    patch = " x ".join(map(str, plan.configurations["3d_fullres"].patch_size))
    assert f"3d_fullres: patch {patch}" in text
    assert f"Next: autoseg train {folder} 3d_fullres 0 --root" in text
    for name in plan.configurations:
        assert f"  autoseg train {folder} {name} all-folds --root" in text


def test_a_second_run_finds_everything_done(folder, capsys):
    _run(folder)
    before = {
        path: path.stat().st_mtime_ns for path in _prepared(folder).rglob("*.b2nd")
    }
    capsys.readouterr()

    assert _run(folder) == 0

    error = capsys.readouterr().err
    assert "fingerprint.json is up to date" in error
    assert "3 of 3 cases are there already" in error
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_it_can_stop_after_planning(folder):
    assert _run(folder, "--no_pp") == 0

    assert (_prepared(folder) / "plans" / "unet.json").is_file()
    assert not list(_prepared(folder).rglob("*.b2nd"))


def test_a_plan_of_another_planner_and_name_is_what_is_preprocessed(folder, capsys):
    code = _run(
        folder,
        "--planner",
        "residual_unet",
        "--preset",
        "M",
        "--name",
        "big",
        "-c",
        "2d",
    )

    assert code == 0
    plan = Plan.load(_prepared(folder) / "plans" / "big.json")
    assert plan.configurations["2d"].network.name == "residual_unet"
    assert CaseStore(_prepared(folder) / plan.data_id("2d")).ids()
    assert not CaseStore(_prepared(folder) / plan.data_id("3d_fullres")).ids()
    assert "train" in (text := capsys.readouterr().out)
    assert " 2d 0 --plan big" in text


@pytest.fixture
def large(folder):
    """A data set whose images are larger than a patch can be."""
    labels = toy.labels_of(0, (130, 130, 130))
    for number in range(3):
        for kind, end, array in (
            ("images", "_0000", labels + 1),
            ("labels", "", labels),
        ):
            path = folder / f"{kind}Tr" / f"case_{number:02d}{end}.nii.gz"
            toy.write_nifti(path, array, (1.0, 1.0, 1.0))
    return folder


def test_the_memory_of_the_device_reaches_the_plan(large):
    voxels = []
    for gigabytes in ("3", "12"):
        assert _run(large, "-gpu_memory_target", gigabytes, "--no_pp") == 0
        plan = Plan.load(_prepared(large) / "plans" / "unet.json")
        chosen = plan.configurations["3d_fullres"]
        voxels.append(math.prod(chosen.patch_size) * chosen.batch_size)

    assert voxels[0] < voxels[1]


def test_it_verifies_first_when_asked(folder, capsys):
    (folder / "labelsTr" / "case_01.nii.gz").unlink()

    assert _run(folder, "--verify_dataset_integrity") == 2

    assert "case_01" in capsys.readouterr().err
    assert not _prepared(folder).exists()


def test_clean_makes_the_fingerprint_again(folder, capsys):
    _run(folder, "--no_pp")
    capsys.readouterr()

    assert _run(folder, "--no_pp", "--clean", "-npfp", "1") == 0

    assert "up to date" not in capsys.readouterr().err


def test_what_to_type_next_fits_the_data_set(tmp_path, capsys):
    folder = toy.volumes(tmp_path / "one case" / "Toy", cases=1, test=0)

    assert _run(folder, "-c", "3d_fullres") == 0

    # One case cannot be split, and the path has a blank.
    text = capsys.readouterr().out
    assert f"train '{folder}' 3d_fullres all --root" in text
    assert "all-folds" not in text


def test_the_fine_stage_of_landmarks_comes_after_the_coarse_one(tmp_path):
    # X-rays of 2400 x 1935 pixels: 1 GB holds the points at 0.5 mm, not at 0.1.
    made = unet(XRAY, TASK, Budget(memory_gb=1, rule="bytes"))
    arguments = argparse.Namespace(
        configurations=None, root=tmp_path, no_preprocessing=True
    )
    first, then, *_ = _next(made, "XRAYS", arguments).splitlines()
    assert first == f"Next: autoseg train XRAYS 2d 0 --root {tmp_path}"
    assert then == f"then: autoseg train XRAYS 2d_fine 0 --root {tmp_path}"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "patchsize=8x8x8"], "Did you mean 'patch_size'?"),
        (["--set", "task.represent=flow_distance"], "no task.represent"),
        (["--set", "training.momentm=0.9"], "Did you mean 'train.momentum'?"),
        (["--set", "network=plain_unett"], "Did you mean 'plain_unet'?"),
        (["--planner", "unett"], "Did you mean 'unet'?"),
    ],
)
def test_settings_are_checked_before_anything_is_written(
    folder, capsys, words, message
):
    assert _run(folder, *words) == 2

    assert message in capsys.readouterr().err
    assert not _prepared(folder).exists()


def test_parts_one_after_the_other_leave_the_rest_to_the_last(folder, capsys):
    assert _run(folder, "--num-parts", "2", "--part-id", "0") == 0
    assert "this part is done; 1 of 3 cases are left" in capsys.readouterr().err
    assert not (_prepared(folder) / "plans").exists()

    assert _run(folder, "--num-parts", "2", "--part-id", "1") == 0

    plan = Plan.load(_prepared(folder) / "plans" / "unet.json")
    for name in plan.configurations:
        assert len(CaseStore(_prepared(folder) / plan.data_id(name)).ids()) == 3


def test_a_part_waits_for_the_measures_of_one_that_is_at_work(folder, caplog):
    caplog.set_level("INFO")
    root = folder.parent / "root"
    begun = threading.Event()

    def other():
        with locked(_prepared(folder) / "measure-1-of-2.lock"):
            begun.set()
            while "Waiting for what other parts measure" not in caplog.text:
                time.sleep(0.01)
            autoseg.fingerprint(folder, root, num_parts=2, part_id=1)

    _prepared(folder).mkdir(parents=True)
    thread = threading.Thread(target=other)
    thread.start()
    assert begun.wait(60)
    made = autoseg.plan_and_preprocess(folder, root, num_parts=2, part_id=0)
    thread.join()

    data = _prepared(folder) / made.data_id("3d_fullres")
    assert len(CaseStore(data).ids()) == 3  # nobody else is at work any more


def test_a_part_that_is_at_work_already_is_not_started_twice(folder, capsys):
    _prepared(folder).mkdir(parents=True)
    with locked(_prepared(folder) / "measure-1-of-2.lock"):
        assert _run(folder, "--num-parts", "2", "--part-id", "1") == 2

    assert "part 1 of 2 of Toy is at work already" in capsys.readouterr().err


def test_the_parts_of_an_array_are_found_by_what_slurm_says(
    folder, monkeypatch, capsys
):
    # Of `sbatch --array=3-7:2`: the tasks 3, 5, 7.
    said = {"COUNT": "3", "ID": "5", "MIN": "3", "STEP": "2", "MAX": "7"}
    for name, value in said.items():
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", value)

    assert _run(folder, "--num-parts", "auto") == 0

    journal = _prepared(folder) / "fingerprint.partial"
    assert [path.name for path in journal.iterdir()] == ["case_01.json"]


def test_outside_of_an_array_there_are_no_parts_to_find(folder, monkeypatch, capsys):
    monkeypatch.delenv("SLURM_ARRAY_TASK_COUNT", raising=False)

    assert _run(folder, "--num-parts", "auto") == 2

    assert "SLURM_ARRAY_TASK_COUNT is not set" in capsys.readouterr().err
