"""One process holds a lock; nobody else's error is taken for that."""

import errno
import json
import os
import socket
import subprocess
import sys
import time

import pytest

from autoseg import lock
from autoseg.lock import OWNER, Held, is_held, locked

fcntl = pytest.importorskip("fcntl")


@pytest.fixture(params=["by the system", "by file"])
def path(request, tmp_path, monkeypatch):
    """Return a lock's file where the system locks files, and where it does not."""
    if request.param == "by file":
        monkeypatch.setattr(lock, "fcntl", None)
    return tmp_path / ".fold_0.lock"


def _answer(monkeypatch, number):
    def flock(file, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(lock.fcntl, "flock", flock)


def test_a_second_one_is_refused_until_the_first_is_done(path):
    with locked(path):
        assert is_held(path)
        with pytest.raises(Held), locked(path):
            pass
    assert not is_held(path)
    with locked(path):
        assert is_held(path)


def test_nothing_is_left_behind(path):
    with locked(path):
        pass

    assert not list(path.parent.iterdir())


def test_it_ends_with_an_error_inside(path):
    with pytest.raises(ZeroDivisionError), locked(path):
        raise ZeroDivisionError

    assert not is_held(path)


def test_a_folder_that_is_not_there_holds_no_lock(tmp_path):
    assert not is_held(tmp_path / "nothing" / ".fold_0.lock")


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EACCES])
def test_only_what_means_busy_is_called_so(tmp_path, monkeypatch, number):
    _answer(monkeypatch, number)

    with pytest.raises(Held, match="another process"), locked(tmp_path / "lock"):
        pass


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_a_disk_that_fails_is_not_called_busy(tmp_path, monkeypatch, number):
    _answer(monkeypatch, number)

    with pytest.raises(OSError) as error, locked(tmp_path / "lock"):
        pass
    assert error.value.errno == number


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_gets_a_lock_by_file(tmp_path, monkeypatch, number):
    _answer(monkeypatch, number)
    path = tmp_path / "lock"

    with locked(path):
        owner = json.loads((tmp_path / f"lock{OWNER}").read_text())
        assert (owner["host"], owner["pid"]) == (socket.gethostname(), os.getpid())
        with pytest.raises(Held, match=f"process {os.getpid()} of"), locked(path):
            pass
    assert not list(tmp_path.iterdir())


def _write(path, age=0.0, **owner):
    file = path.with_name(path.name + OWNER)
    file.write_text(json.dumps(owner))
    then = time.time() - age
    os.utime(file, (then, then))
    return file


def test_the_lock_of_a_dead_process_of_this_machine_is_taken_over(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(lock, "fcntl", None)
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    path = tmp_path / "lock"
    file = _write(path, host=socket.gethostname(), pid=process.pid, started=1.0)

    with locked(path):
        assert json.loads(file.read_text())["pid"] == os.getpid()


def test_a_process_that_has_the_number_of_a_dead_one_does_not_hold_its_lock(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(lock, "fcntl", None)
    path = tmp_path / "lock"
    _write(path, host=socket.gethostname(), pid=os.getpid(), started=1.0)

    assert not is_held(path)


def test_another_machine_lives_as_long_as_it_gives_signs(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "fcntl", None)
    path = tmp_path / "lock"

    _write(path, age=lock.STALE / 2, host="elsewhere", pid=1, started=1.0)
    with pytest.raises(Held, match="process 1 of elsewhere"), locked(path):
        pass
    _write(path, age=lock.STALE + 30, host="elsewhere", pid=1, started=1.0)
    with locked(path):
        assert is_held(path)


def test_signs_of_life_are_given(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "fcntl", None)
    monkeypatch.setattr(lock, "BEAT", 0.01)
    path = tmp_path / "lock"

    with locked(path):
        file = path.with_name(path.name + OWNER)
        os.utime(file, (1.0, 1.0))
        deadline = time.monotonic() + 30
        while file.stat().st_mtime == 1.0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert file.stat().st_mtime > 1.0
