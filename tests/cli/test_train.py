"""The command train: every flag reaches the record of the run."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from autoseg.cli import train as command
from autoseg.cli._settings import parse_settings
from autoseg.cli.main import main
from autoseg.errors import UsageError
from autoseg.stopping import answering, interrupt


def test_train_and_plan_read_settings_alike():
    from autoseg.cli._arguments import parse_settings as of_plan

    assert of_plan is command.parse_settings


def test_settings_are_json_or_text():
    texts = ["train.momentum=0.9", "patch_size=[4,8,8]", "network=plain_unet", "a=true"]

    assert parse_settings(texts) == {
        "train.momentum": 0.9,
        "patch_size": [4, 8, 8],
        "network": "plain_unet",
        "a": True,
    }


@pytest.mark.parametrize("texts", [["momentum"], ["=3"], ["a=1", "a=2"]])
def test_settings_that_say_nothing_or_twice_are_refused(texts):
    with pytest.raises(UsageError, match="--set"):
        parse_settings(texts)


@pytest.fixture
def called(monkeypatch, tmp_path):
    """What the stage is called with, for a data set D with images to predict."""
    seen = {}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "D" / "imagesTs").mkdir(parents=True)
    (tmp_path / "D" / "imagesTs" / "new_0000.png").touch()
    (tmp_path / "D" / "dataset.json").write_text("{}")

    def train(dataset, configuration, fold, root, **options):
        seen.update(dataset=dataset, configuration=configuration, fold=fold, **options)
        return Path("results", "2d", f"fold_{fold}")

    monkeypatch.setattr("autoseg.train.stage.train", train)
    return seen


def test_it_says_how_to_predict_with_what_was_trained(called, capsys):
    assert main(["train", "D", "2d", "3"]) == 0

    said = capsys.readouterr().out.splitlines()
    assert said[0] == "results/2d/fold_3"
    assert said[1].startswith("Next: autoseg predict -i ")
    assert said[1].endswith("D/imagesTs -o predictions -m results/2d -f 3")

    Path("D/imagesTs/new_0000.png").unlink()
    assert main(["train", "D", "2d", "3"]) == 0
    assert "Next" not in capsys.readouterr().out


def test_every_flag_reaches_the_stage(called):
    words = (
        "train D 3d_fullres 0 -p mine --recipe fast --epochs 3 --patience 0.5 --lr 0.1"
    )
    words += " --batch-size 4 --seed 7 --device cpu --precision fp32 --compile off"
    words += " --threads 1 -np 0 --max-memory 2.5"
    words += " --set train.momentum=0.8 --set patch_size=[4,8,8]"
    words += " --init-from other.pt --keep-network --overwrite --no-validation"
    words += " --freeze encoder --retrain-changed --extend-splits train"
    words += " --network segnet --processes 2 --cluster local:2"

    assert main(words.split()) == 0

    assert called == {
        "dataset": "D",
        "configuration": "3d_fullres",
        "fold": "0",
        "plan": "mine",
        "network": "segnet",
        "recipe": "fast",
        "epochs": 3,
        "iterations": None,
        "time_budget": None,
        "patience": 0.5,
        "log": (),
        "lr": 0.1,
        "batch_size": 4,
        "seed": 7,
        "settings": {"train.momentum": 0.8, "patch_size": [4, 8, 8]},
        "device": "cpu",
        "precision": "fp32",
        "compile": "off",
        "processes": 2,
        "threads": 1,
        "workers": 0,
        "max_memory": 2.5,
        "init_from": "other.pt",
        "freeze": "encoder",
        "keep_network": True,
        "overwrite": True,
        "retrain_changed": True,
        "extend_splits": "train",
        "validation": False,
        "cluster": "local:2",
    }


def test_a_time_budget_is_read_as_a_time(called):
    assert main(["train", "D", "2d", "all", "--time-budget", "45m"]) == 0

    assert (called["time_budget"], called["fold"]) == (2700.0, "all")


@pytest.mark.parametrize(
    "words",
    [
        ["D", "2d", "0", "--time-budget", "soon"],
        ["D", "2d", "0", "--epochs", "2", "--iterations", "5"],
        ["/no/such/folder", "2d", "0"],
    ],
)
def test_what_cannot_be_gives_one_line_and_exit_code_2(words, capsys):
    assert main(["train", *words]) == 2

    assert "Traceback" not in capsys.readouterr().err


def test_help_is_there_without_waiting_for_torch():
    code = (
        "import sys; from autoseg.cli.main import main\n"
        "try: main(['train', '-h'])\n"
        "except SystemExit: pass\n"
        "print('torch' in sys.modules)"
    )

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert out.stdout.splitlines()[-1] == "False", out.stderr
    assert "--time-budget" in out.stdout
    assert command.__doc__.splitlines()[0] in out.stdout


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGUSR1, 0), (signal.SIGTERM, 0), (signal.SIGINT, 130)],
    ids=["SIGUSR1", "SIGTERM", "SIGINT"],
)
def test_a_stop_that_a_batch_system_wished_is_no_failure(monkeypatch, number, code):
    def stopped(*_, **__):
        with answering(interrupt):
            os.kill(os.getpid(), number)

    monkeypatch.setattr("autoseg.train.stage.train", stopped)

    assert main(["train", "DATASET", "3d_fullres", "0"]) == code
