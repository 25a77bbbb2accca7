"""The command `autoseg plan`."""

import ctypes
import json
import subprocess
import sys

import pytest

from autoseg import gpu as _device
from autoseg.cli._settings import parse_settings
from autoseg.cli.main import main
from autoseg.errors import UsageError
from autoseg.spec.choice import Choice
from autoseg.spec.fingerprint import Fingerprint
from autoseg.spec.plan import Plan
from autoseg.workspace import Workspace
from tests.each import each

NAME = "Dataset001_Test"
PLACE = ("-d", NAME, "--root")


@pytest.fixture
def root(tmp_path):
    """A root with a small data set that has a fingerprint."""
    raw = tmp_path / "raw" / NAME
    raw.mkdir(parents=True)
    (raw / "dataset.json").write_text("{}")
    labels = {"background": 0, "liver": 1}
    Fingerprint(
        dataset=NAME,
        unit="mm",
        channel_names=("MRI",),
        num_cases=20,
        shapes=((24, 32, 32),) * 20,
        spacings=((2.0, 1.0, 1.0),) * 20,
        task=Choice(name="semantic", options={"labels": labels}),
    ).save(Workspace(root=tmp_path, dataset=NAME).fingerprint)
    return tmp_path


def _plan(root, name="unet"):
    return Plan.load(Workspace(root=root, dataset=NAME).plan(name))


def test_each_decision_is_printed_with_its_reason(root, capsys):
    assert main(["plan", NAME, "--root", str(root)]) == 0

    printed = " ".join(capsys.readouterr().out.split())
    for decision in _plan(root).decisions:
        assert f"{decision.field} = {decision.value}" in printed
        assert f"because {' '.join(decision.because.split())}" in printed


def test_the_file_that_was_written_is_named(root, capsys):
    main(["plan", NAME, "--root", str(root)])

    assert str(root / "preprocessed" / NAME / "plans" / "unet.json") in (
        capsys.readouterr().out
    )


def test_options_reach_the_planner(root):
    words = ["--planner", "residual_unet", "--preset", "L", "--gpu-memory", "5"]
    words += ["--budget-rule", "bytes", "--name", "mine"]
    words += ["--set", "patch_size=16x32x32", "2d.batch_size=3"]

    assert main(["plan", NAME, "--root", str(root), *words]) == 0

    plan = _plan(root, "mine")
    assert plan.planner == "residual_unet"
    assert plan.budget == Choice(
        name="bytes",
        options={
            "memory_gb": 5.0,
            "precision": "bf16",
            "preset": "L",
            "overrides": {"patch_size": [16, 32, 32], "2d.batch_size": 3},
        },
    )
    assert plan.configuration("3d_fullres").patch_size == (16, 32, 32)
    assert plan.configuration("2d").batch_size == 3


def test_explain_prints_a_page(root, capsys):
    assert main(["plan", NAME, "--root", str(root), "--explain"]) == 0

    text = capsys.readouterr().out
    for title in (
        "The data in numbers",
        "Decisions",
        "Memory of a training step",
        "Work and room",
        "Time",
    ):
        assert f"{title}\n{'-' * len(title)}" in text


def test_a_step_is_measured_and_remembered(root, capsys):
    small = ["--set", "network.features=[4,8]", "batch_size=2", "patch_size=[8,8,8]"]
    words = ["plan", NAME, "--root", str(root), *small]

    assert main([*words, "--measure", "--device", "cpu"]) == 0
    capsys.readouterr()
    assert main([*words, "--explain"]) == 0

    kept = root / "preprocessed" / NAME / "measurements" / "unet.json"
    found = json.loads(kept.read_text())["3d_fullres"]
    assert found["device"] == "cpu"
    assert found["seconds_per_step"] > 0
    assert found["predicted_bytes"] > 0
    assert "3d_fullres on cpu in" in capsys.readouterr().out


def test_a_measurement_of_another_patch_is_not_shown(root, capsys):
    kept = Workspace(root=root, dataset=NAME).measurement("unet")
    kept.parent.mkdir(parents=True)
    kept.write_text(json.dumps({"3d_fullres": {"patch": [1, 2, 3, 4]}, "4d": {}}))

    main(["plan", NAME, "--root", str(root), "--explain"])

    assert "not measured yet" in capsys.readouterr().out


def test_a_step_that_this_machine_cannot_hold_is_not_tried(root, capsys, monkeypatch):
    import psutil

    class Memory:
        available = 10**6

    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory)
    words = ["plan", NAME, "--root", str(root), "--measure", "--device", "cpu"]

    assert main(words) == 2

    assert "are free here: it is not tried" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words, message",
    [
        (["--set", "patch_size"], "write KEY=VALUE"),
        (["--set", "patch=3"], "no such key"),
        (["--gpu-memory", "-1"], "give a positive number"),
        (["--planner", "unett"], "Did you mean 'unet'"),
        (["--preset", "L"], "has no preset"),
        (["--budget-rule", "bytes", "--gpu-memory", "0.1"], "the smallest patch"),
        (["--set", "patch_size=[24,30,30]"], "Give 24 x 24 x 24 or 24 x 32 x 32"),
    ],
)
def test_what_cannot_be_is_an_error_of_one_message(root, capsys, words, message):
    assert main(["plan", NAME, "--root", str(root), *words]) == 2

    assert message in capsys.readouterr().err


def test_two_data_sets_are_refused(root, capsys):
    assert main(["plan", NAME, "-d", "other", "--root", str(root)]) == 2

    assert "One data set at a time" in capsys.readouterr().err


def test_planning_imports_no_torch(root):
    code = (
        "import sys\n"
        "from autoseg.cli.main import main\n"
        f"main(['plan', {NAME!r}, '--root', {str(root)!r}, '--explain'])\n"
        "print({'torch', 'scipy', 'SimpleITK', 'matplotlib'} & set(sys.modules))\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.stdout.splitlines()[-1] == "set()", done.stderr


class _Nvml:
    """Stands in for NVIDIA's library: two GPUs of 6 and 80 GB."""

    def __init__(self):
        self.open = 0

    def nvmlInit_v2(self):
        self.open += 1
        return 0

    def nvmlShutdown(self):
        self.open -= 1

    def nvmlDeviceGetHandleByIndex_v2(self, index, handle):
        handle._obj.value = index + 1
        return 0 if index < 2 else 6

    def nvmlDeviceGetHandleByUUID(self, name, handle):
        handle._obj.value = 2
        return 0 if name == b"GPU-abc" else 6

    def nvmlDeviceGetMemoryInfo(self, handle, memory):
        memory._obj.total = {1: 6, 2: 80}[handle.value] * 2**30
        return 0


@pytest.mark.parametrize(
    "visible, gb",
    [(None, 6), ("1,0", 80), ("GPU-abc", 80), ("7", None), ("", None), ("-1", None)],
)
def test_the_memory_of_the_first_gpu_is_found(monkeypatch, visible, gb):
    library = _Nvml()
    monkeypatch.setattr(_device, "_library", lambda: library)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert _device.gpu_memory_gb() == gb
    assert library.open == 0


def test_without_a_driver_there_is_no_gpu(monkeypatch):
    def missing(name):
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)

    assert _device.gpu_memory_gb() is None


def test_bytes_are_planned_for_the_gpu_that_is_there(root, monkeypatch):
    monkeypatch.setattr("planners.stage.gpu_memory_gb", lambda: 3.0)

    main(["plan", NAME, "--root", str(root), "--budget-rule", "bytes"])
    by_bytes = _plan(root).budget.options["memory_gb"]
    main(["plan", NAME, "--root", str(root)])

    assert by_bytes == 3.0
    assert _plan(root).budget.options["memory_gb"] == 8  # nnU-Net's, wherever it runs


def test_a_plan_that_the_gpu_here_cannot_hold_is_warned_of(root, monkeypatch, capsys):
    monkeypatch.setattr("autoseg.cli.plan.gpu_memory_gb", lambda: 0.6)

    main(["plan", NAME, "--root", str(root)])

    warnings = capsys.readouterr().err
    assert "3d_fullres needs" in warnings
    assert "the GPU here has 0.6: --budget-rule bytes" in warnings


@each(
    "text, value",
    [
        ("3", 3),
        ("0.5", 0.5),
        ("true", True),
        ("[40, 56, 40]", [40, 56, 40]),
        ("40x56x40", [40, 56, 40]),
        ("1,0.8,0.8", [1, 0.8, 0.8]),
        ("8,16", [8, 16]),
        ("8, 16", [8, 16]),
        ("8,", [8]),
        ("-1,1e-3", [-1, 0.001]),
        ("1x1,2x2", [[1, 1], [2, 2]]),
        ("True", True),
        ("none", "none"),
        ('{"a": [1]}', {"a": [1]}),
        ("nnunet,-mirror", "nnunet,-mirror"),
        ("residual_unet", "residual_unet"),
        ("", ""),
    ],
)
def test_values_are_read_as_json_lists_or_text(text, value):
    assert parse_settings([f"key={text}"]) == {"key": value}


@pytest.mark.parametrize("texts", [["key"], ["=3"], ["a=1", "a=2"]])
def test_settings_that_make_no_sense_are_refused(texts):
    with pytest.raises(UsageError, match="--set"):
        parse_settings(texts)
