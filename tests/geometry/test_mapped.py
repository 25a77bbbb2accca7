import os
import signal
import threading

import numpy as np
import pytest

from autoseg.errors import AutosegError
from autoseg.geometry import mapped
from autoseg.geometry.mapped import in_rows, is_mapped, let_go, zeros
from tests.forked import Forked


def test_few_numbers_are_in_memory_and_many_in_a_file_without_a_name(
    monkeypatch, tmp_path
):
    monkeypatch.setattr(mapped, "IN_MEMORY", 100)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    few, many = zeros((5, 5), np.int32), zeros((5, 6), np.int32)

    assert not is_mapped(few) and is_mapped(many)
    assert many.shape == (5, 6) and not many.any()
    assert list(tmp_path.iterdir()) == []


def _dies():
    """Fill an array in a file, and end without a chance to clean up."""
    mapped.IN_MEMORY = 0
    zeros((1000, 1000), np.int32)[:] = 1
    os.kill(os.getpid(), signal.SIGKILL)


def test_nothing_is_left_of_a_process_that_is_killed(tmp_path):
    folder = tmp_path / "temporary"
    folder.mkdir()

    code, said = Forked(tmp_path / "said.txt", _dies, (), {"TMPDIR": str(folder)}).wait(
        60
    )

    assert code == -signal.SIGKILL, said
    assert list(folder.iterdir()) == []


def test_what_was_written_comes_back_after_it_was_let_go(monkeypatch):
    monkeypatch.setattr(mapped, "IN_MEMORY", 0)
    array = zeros((40, 50), np.int32)
    array[:] = np.arange(2000).reshape(40, 50)

    let_go(array[3:].T)

    assert np.array_equal(array, np.arange(2000).reshape(40, 50))


def test_changes_that_exist_in_memory_only_are_kept(tmp_path):
    np.save(tmp_path / "array.npy", np.zeros(5000))
    private = np.load(tmp_path / "array.npy", mmap_mode="c")
    private[:] = 7

    let_go(private)

    assert not is_mapped(private) and np.all(private == 7)


def test_rows_cover_an_array_once():
    array = np.arange(70).reshape(10, 7)

    pieces = list(in_rows(array, 21))

    assert [len(piece) for _, piece in pieces] == [3, 3, 3, 1]
    assert np.array_equal(np.concatenate([array[rows] for rows, _ in pieces]), array)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="not on this system")
def test_a_full_disk_is_an_error_that_says_what_to_do(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mapped, "IN_MEMORY", 0)
    monkeypatch.setattr(os, "posix_fallocate", full)

    with pytest.raises(AutosegError, match=r"no space .* 0\.1 GB .*TMPDIR"):
        zeros((5000, 5000), np.int32)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="not on this system")
def test_a_disk_that_cannot_reserve_space_does(monkeypatch):
    def unable(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(mapped, "IN_MEMORY", 0)
    monkeypatch.setattr(os, "posix_fallocate", unable)

    assert is_mapped(zeros((5, 5), np.int32))


def test_pages_are_let_go_of_while_somebody_else_reads(monkeypatch):
    monkeypatch.setattr(mapped, "IN_MEMORY", 0)
    array = zeros((40, 50), np.int32)
    array[:] = 3
    forgotten = threading.Event()
    monkeypatch.setattr(mapped, "let_go", lambda one: forgotten.set())

    with mapped.forgetting(array, seconds=0.001):
        assert forgotten.wait(60)
        assert np.all(array == 3)

    assert all(thread.name != "forgetting" for thread in threading.enumerate())


def test_an_array_in_memory_needs_nobody_who_forgets_it():
    with mapped.forgetting(np.zeros(5)):
        assert all(thread.name != "forgetting" for thread in threading.enumerate())
