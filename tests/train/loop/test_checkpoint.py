"""Checkpoints are whole or not there, and damage is said and survived."""

import errno

import pytest
import torch

from autoseg.errors import TrainingError
from autoseg.train.loop import checkpoint
from autoseg.train.loop.checkpoint import (
    PREVIOUS,
    Saver,
    load_state,
    load_weights,
    remove_state,
    save_state,
    save_weights,
)
from autoseg.workspace import CHECKPOINT_LATEST

from ..conftest import tiny_plan


def test_a_state_comes_back_as_it_was(tmp_path):
    state = {"weights": {"a": torch.arange(3.0)}, "clock": {"pace": None, "used": 1.5}}

    save_state(tmp_path, state)
    found = load_state(tmp_path)

    assert torch.equal(found["weights"]["a"], torch.arange(3.0))
    assert found["clock"] == state["clock"]


def test_where_there_is_none_nothing_is_found(tmp_path):
    assert load_state(tmp_path) is None


@pytest.mark.parametrize("damage", ["cut", "zeros", "empty", "other"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, caplog, damage):
    save_state(tmp_path, {"iteration": 1})
    save_state(tmp_path, {"iteration": 2})
    latest = tmp_path / CHECKPOINT_LATEST
    whole = latest.read_bytes()
    latest.write_bytes(
        {
            "cut": whole[: len(whole) // 2],
            "zeros": bytes(len(whole)),
            "empty": b"",
            "other": b"no checkpoint at all",
        }[damage]
    )

    assert load_state(tmp_path)["iteration"] == 1
    assert str(latest) in caplog.text


def test_when_no_checkpoint_can_be_read_the_error_says_what_to_do(tmp_path):
    (tmp_path / CHECKPOINT_LATEST).write_bytes(b"rubbish")

    with pytest.raises(TrainingError, match="--overwrite"):
        load_state(tmp_path)


def test_being_stopped_while_writing_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    save_state(tmp_path, {"iteration": 1})

    def dies(value, file):
        file.write(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.torch, "save", dies)
    with pytest.raises(KeyboardInterrupt):
        save_state(tmp_path, {"iteration": 2})
    monkeypatch.undo()

    assert load_state(tmp_path)["iteration"] == 1
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_LATEST]


def test_a_disk_that_is_full_is_said_as_such_and_the_last_checkpoint_stays(tmp_path):
    resource = pytest.importorskip("resource")
    save_state(tmp_path, {"iteration": 1})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**14, limits[1]))
    try:
        with pytest.raises(OSError) as raised:
            save_state(tmp_path, {"iteration": 2, "weights": torch.zeros(2**16)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert raised.value.errno == errno.EFBIG
    assert load_state(tmp_path)["iteration"] == 1
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_LATEST]


def test_being_stopped_between_the_two_files_loses_nothing(tmp_path):
    save_state(tmp_path, {"iteration": 1})
    (tmp_path / CHECKPOINT_LATEST).rename(tmp_path / PREVIOUS)

    assert load_state(tmp_path)["iteration"] == 1


def test_a_checkpoint_that_would_run_code_is_not_opened(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("executed",))

    torch.save({"format": 1, "x": Evil()}, tmp_path / CHECKPOINT_LATEST)

    with pytest.raises(TrainingError):
        load_state(tmp_path)


def test_what_only_going_on_needs_can_be_removed(tmp_path):
    save_state(tmp_path, {"iteration": 1})
    save_state(tmp_path, {"iteration": 2})

    remove_state(tmp_path)

    assert not list(tmp_path.iterdir())


def test_a_saver_writes_when_it_is_due(tmp_path):
    never = Saver(tmp_path / "a", lambda: {"iteration": 1}, seconds=1e6)
    always = Saver(tmp_path / "b", lambda: {"iteration": 2}, seconds=0)

    for saver in (never, always):
        if saver.is_due():
            saver.write()

    assert load_state(tmp_path / "a") is None
    assert load_state(tmp_path / "b")["iteration"] == 2


def test_weights_carry_their_plan_and_open_safely(tmp_path):
    path = tmp_path / "checkpoint_final.pt"
    save_weights(path, {"a": torch.ones(2)}, tiny_plan(), "3d_fullres", "0")

    content = torch.load(path, weights_only=True)

    assert (content["configuration"], content["fold"]) == ("3d_fullres", "0")
    assert content["plan"]["configurations"]["3d_fullres"]["patch_size"] == [8, 16, 16]
    assert torch.equal(load_weights(path)["a"], torch.ones(2))


def test_a_file_without_weights_is_refused_by_name(tmp_path):
    torch.save({"something": 1}, tmp_path / "x.pt")

    with pytest.raises(TrainingError, match="x.pt holds no weights"):
        load_weights(tmp_path / "x.pt")
