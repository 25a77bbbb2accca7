"""Loggers are told of a training, of all of it, and cannot cost it."""

import json
import sys
from types import SimpleNamespace

import pytest

from autoseg.errors import PluginError, TrainingError, UsageError
from autoseg.train.loggers import LOGGERS
from autoseg.train.loggers.base import Logger
from autoseg.train.setup.options import Options
from autoseg.train.stage import train
from autoseg.train.telling import check_loggers, scalars, telling

FAST = {
    "recipe": "fast",
    "device": "cpu",
    "precision": "fp32",
    "threads": 1,
    "workers": 1,
    "settings": {"train.iterations_per_epoch": 4, "train.validation_batches": 1},
}


class Toy(Logger):
    """Notes everything in a file of the fold's folder."""

    package = "json"

    def begin(self, subject, known):
        self.path = subject.folder / "toy.txt"
        self.say(f"begin {subject.name} at {subject.iteration}, known {known}")
        return known or "run 7"

    def say(self, text):
        with self.path.open("a") as file:
            file.write(f"{text}\n")

    def log(self, iteration, numbers):
        self.say(f"{iteration}: {' '.join(sorted(numbers))}")

    def close(self, finished):
        self.say(f"finished {finished}")


class Failing(Toy):
    """Cannot reach its server from the second number on."""

    def log(self, iteration, numbers):
        super().log(iteration, numbers)
        raise OSError("no server")


def test_a_training_tells_its_curves_and_scores_and_goes_on_in_the_same_run(
    toy_root, monkeypatch
):
    def stopped(*_):
        raise KeyboardInterrupt

    where = (toy_root.dataset, "3d_fullres", 0, toy_root.root)
    with LOGGERS.holding("toy", Toy):
        with monkeypatch.context() as patch:
            patch.setattr("autoseg.train.stage.validate_fold", stopped)
            patch.setattr("autoseg.train.stage.remove_state", lambda _: None)
            with pytest.raises(KeyboardInterrupt):
                train(*where, iterations=4, log=["toy"], checkpoint_seconds=0, **FAST)
        folder = toy_root.fold()
        (folder / "checkpoint_final.pt").unlink()  # as if it was stopped before
        train(*where, **FAST)  # nobody asks again

    told = (folder / "toy.txt").read_text().splitlines()
    curves = "dice/one dice/two learning_rate"
    assert json.loads((folder / "loggers.json").read_text()) == {"toy": "run 7"}
    assert told[0] == "begin unet 3d_fullres fold 0 at 0, known None"
    assert told[1].startswith("4: ")
    assert {*curves.split(), "loss", "validation_loss"} <= set(told[1].split())
    assert told[2:4] == [
        "finished False",
        "begin unet 3d_fullres fold 0 at 4, known run 7",
    ]
    assert told[-2].startswith("4: ") and "validation/dice" in told[-2].split()
    assert told[-1] == "finished True"


def test_a_logger_that_fails_later_is_told_no_more(tmp_path, caplog):
    subject = SimpleNamespace(folder=tmp_path, name="it", iteration=0)
    with LOGGERS.holding("failing", Failing):
        with telling(subject, ["failing"]) as told:
            told.entry({"iteration": 50, "loss": 1.0})
            told.entry({"iteration": 100, "loss": 1.0})

    said = (tmp_path / "toy.txt").read_text().splitlines()
    assert said == ["begin it at 0, known None", "50: loss"]
    assert "failing is told no more" in caplog.text


def test_a_logger_that_cannot_begin_is_named(tmp_path, monkeypatch):
    def begin(*_):
        raise OSError("no server")

    monkeypatch.setattr(Toy, "begin", begin)
    subject = SimpleNamespace(folder=tmp_path, name="it", iteration=0)
    with LOGGERS.holding("toy", Toy):
        with pytest.raises(TrainingError, match="--log toy could not begin: no server"):
            with telling(subject, ["toy"]):
                pass


def test_a_missing_package_is_one_sentence_before_anything_is_trained(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    wanted = r'--log wandb needs the package wandb: pip install "autoseg\[wandb\]"'
    with pytest.raises(UsageError, match=wanted):
        train("nowhere", "2d", 0, log=["wandb"])


def test_an_unknown_logger_is_answered_with_the_nearest():
    with pytest.raises(PluginError, match="tensorboard"):
        check_loggers(["tensorbord"])


@pytest.mark.parametrize(("value", "asked"), [("1", ("wandb",)), ("False", ())])
def test_nnunets_variable_asks_for_wandb(monkeypatch, value, asked):
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(__spec__="there"))
    monkeypatch.setenv("nnUNet_wandb_enabled", value)

    assert check_loggers([]) == asked


def test_nnunets_variable_is_1_or_0(monkeypatch):
    monkeypatch.setenv("nnUNet_wandb_enabled", "maybe")
    with pytest.raises(UsageError, match="'maybe'; set it to 1 or 0"):
        check_loggers([])


def test_numbers_that_are_not_finite_are_left_out():
    nested = {"score": None, "a": {"b": float("nan"), "c": 1, "d": True}}

    assert scalars(nested) == {"a/c": 1.0}
    assert Options().log == ()
