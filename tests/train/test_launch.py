"""Several processes for one fold: which devices, what is said, and one that dies."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from autoseg.cli.main import main
from autoseg.errors import UsageError
from autoseg.train.launch import devices_of
from autoseg.train.setup.ranks import Ranks, device_here
from autoseg.train.stage import train
from tests import forked
from tests.forked import Forked

REPOSITORY = Path(__file__).parents[2]
NUMBERS = {"iterations": 60, "checkpoint_seconds": 0, "validation": False}


@pytest.mark.parametrize(
    ("device", "processes", "expected"),
    [
        ("cuda:0,cuda:2", None, ["cuda:0", "cuda:2"]),
        ("cuda:0,cuda:2", 2, ["cuda:0", "cuda:2"]),
        ("cuda:1", 2, ["cuda:1", "cuda:1"]),
        ("cuda", 3, ["cuda:0", "cuda:1", "cuda:2"]),
        ("cpu", 2, ["cpu", "cpu"]),
        ("auto", None, ["auto"]),
        ("mps", 1, ["mps"]),
    ],
)
def test_each_process_has_a_device(device, processes, expected):
    assert devices_of(device, processes) == expected


@pytest.mark.parametrize(
    ("device", "processes", "words"),
    [
        ("cuda:0,cpu", None, "devices of one kind"),
        ("cuda:0,auto", None, "devices of one kind"),
        ("cuda:0,cuda:1", 3, "names 2 devices, and --processes is 3"),
        ("mps", 2, "Only one process"),
        ("cpu", 0, "give 1 or more"),
    ],
)
def test_what_does_not_fit_together_is_said(device, processes, words):
    with pytest.raises(UsageError, match=words):
        devices_of(device, processes)


@pytest.mark.parametrize(
    ("names", "gpus", "expected"),
    [
        (["auto"], 0, "auto"),
        (["auto"], 2, "cuda:1"),
        (["cuda"], 4, "cuda:1"),
        (["cuda:0"], 1, "cuda:0"),  # which both share
        (["cuda:2", "cuda:3"], 4, "cuda:3"),
        (["auto"], 1, "2 processes were started here, and torch sees 1"),
        (["cuda:0", "cuda:1", "cuda:2"], 4, "names 3 devices"),
    ],
)
def test_one_that_torchrun_started_takes_the_device_of_its_number(
    monkeypatch, names, gpus, expected
):
    place = {"RANK": "5", "LOCAL_RANK": "1", "WORLD_SIZE": "6", "LOCAL_WORLD_SIZE": "2"}
    for key, value in place.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)

    if " " not in expected:
        assert device_here(names) == expected
        return
    with pytest.raises(UsageError, match=expected):
        device_here(names)


def test_everybody_needs_a_sample_of_each_batch():
    Ranks(0, 3).check(3)

    with pytest.raises(UsageError, match="3 processes cannot share a batch of 2"):
        Ranks(0, 3).check(2)


SCRIPT = """
import sys, autoseg
from autoseg.cli.main import start_logging
from autoseg.errors import AutosegError
if __name__ == "__main__":
    start_logging()
    try:
        where = sys.argv[1], "3d_fullres", 0, sys.argv[2]
        autoseg.train(*where, processes=2, **{numbers})
    except AutosegError as error:
        sys.exit(f"said: {{error}}")
"""


def test_torchrun_trains_the_weights_of_one_process(toy_root, tmp_path):
    where = [str(toy_root.dataset), "3d_fullres", "0", "--root", str(toy_root.root)]
    how = "--recipe nnunet --precision fp32 --iterations 3 --device cpu --no-validation"
    settings = "--set train.iterations_per_epoch=3 train.validation_batches=1"
    words = ["train", *where, *how.split(), *settings.split()]
    ends = {}

    torchrun = ("--standalone", "--nproc_per_node", "2", "-m", "autoseg", *words)
    code, said = Forked(tmp_path / "said", forked.torchrun, torchrun, {}).wait(300)
    assert code == 0, said
    fold = toy_root.fold()
    assert json.loads((fold / "run.json").read_text())["processes"] == 2
    ends[2] = torch.load(fold / "checkpoint_final.pt", weights_only=True)["weights"]
    shutil.rmtree(fold)
    assert main(words) == 0
    ends[1] = torch.load(fold / "checkpoint_final.pt", weights_only=True)["weights"]

    assert said.count("Training Toy") == 1  # the first process speaks for both
    for name, weights in ends[1].items():
        torch.testing.assert_close(ends[2][name], weights, rtol=0, atol=1e-5)


def alive(process):
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_one_that_is_killed_ends_all_and_one_alone_goes_on(toy_root, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(numbers=NUMBERS))
    where = [str(toy_root.dataset), str(toy_root.root)]
    fold = toy_root.fold()
    parent = subprocess.Popen(
        [sys.executable, str(script), *where],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 300
    while not (fold / "checkpoint_latest.pt").exists() and time.monotonic() < until:
        assert parent.poll() is None, parent.communicate()[1]
        time.sleep(0.02)
    children = [
        child
        for child in psutil.Process(parent.pid).children()
        if "spawn_main" in " ".join(child.cmdline())
    ]
    assert len(children) == 2

    children[-1].send_signal(signal.SIGKILL)
    words = parent.communicate(timeout=120)[1]

    assert "was killed by SIGKILL, so all were ended" in words
    assert "Traceback" not in words
    assert not any(alive(child) for child in children)
    run = json.loads((fold / "run.json").read_text())
    assert (run["processes"], run["batch_size"]) == (2, 2)
    done = torch.load(fold / "checkpoint_latest.pt", weights_only=True)["clock"]

    train(*where[:1], "3d_fullres", 0, where[1], **NUMBERS)

    entries = [json.loads(row) for row in (fold / "log.jsonl").read_text().splitlines()]
    assert 0 < done["iteration"] < 60 and entries[-1]["iteration"] == 60
    assert (fold / "checkpoint_final.pt").is_file()
