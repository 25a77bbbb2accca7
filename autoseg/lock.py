"""Keep a second process from writing into the same folder at the same time.

Where the system locks files, its lock is used: it goes with its process, however that
ends. Where it does not (some network file systems, Windows), a file beside says who
holds the lock and is touched again and again while that process lives.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

BUSY = (errno.EAGAIN, errno.EACCES)  # what POSIX lets a lock that is held answer
# What file systems without locks answer.
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL)
BEAT = 10.0  # seconds between two signs of life of a lock by file
STALE = 60.0  # without one, its process of another machine is taken for dead
PAUSE = 0.2  # seconds between two tries to get a lock
OWNER = ".owner"  # ending of the file that says who holds a lock

log = logging.getLogger(__name__)


class Held(Exception):
    """Somebody else holds the lock.

    Parameters
    ----------
    who : str
        Who, as far as that is known.
    """

    def __init__(self, who: str = "another process") -> None:
        super().__init__(who)
        self.who = who


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock; nothing of it is left behind.

    Parameters
    ----------
    path : Path
        A file for the lock alone. Its folder has to exist.

    Raises
    ------
    Held
        If somebody else holds it now.
    OSError
        If the file cannot be made.
    """
    release = _lock_by_system(path)
    if release is None:
        release = _lock_by_file(path.with_name(path.name + OWNER))
    try:
        yield
    finally:
        release()


@contextmanager
def waiting_for(path: Path, stage: str) -> Iterator[None]:
    """Hold a lock, as `locked`, once nobody else does.

    Parameters
    ----------
    path : Path
        As of `locked`; its folder is made.
    stage : str
        What others do that hold it, for the message.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    said = False
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(locked(path))
                break
            except Held as held:
                if not said:
                    log.info("%s: waiting for %s, which does the same.", stage, held)
                said = True
                time.sleep(PAUSE)
        yield


def is_held(path: Path) -> bool:
    """Return whether somebody, this process included, holds a lock now."""
    if not path.parent.is_dir():
        return False
    if not path.exists() and not path.with_name(path.name + OWNER).exists():
        return False
    try:
        with locked(path):
            return False
    except Held:
        return True


def _lock_by_system(path: Path) -> Callable[[], None] | None:
    """Take the system's lock and return what ends it; None where there are no locks."""
    if fcntl is None:
        return None
    while True:
        file = path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            if error.errno in BUSY:
                raise Held from None
            if error.errno not in NO_LOCKS:
                raise
            path.unlink(missing_ok=True)
            return None
        if _is_at(file.fileno(), path):
            break
        file.close()  # whoever held it before has removed it just now

    def release() -> None:
        # Removed while it is held: who waits for the old file sees that it is gone.
        path.unlink(missing_ok=True)
        file.close()

    return release


def _is_at(number: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(number)
    return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)


def _lock_by_file(path: Path) -> Callable[[], None]:
    """Make the file that says who holds the lock, and return what ends it."""
    mine = {**_me(), "token": secrets.token_hex(8)}
    for _ in range(2):
        if _created(path, mine):
            break
        _remove_if_stale(path)
    else:
        raise Held(_said(_owner(path)))
    ended = threading.Event()

    def live() -> None:
        while not ended.wait(BEAT):
            with contextlib.suppress(OSError):
                if _owner(path).get("token") == mine["token"]:
                    os.utime(path)

    threading.Thread(target=live, name="autoseg-lock", daemon=True).start()

    def release() -> None:
        ended.set()
        if _owner(path).get("token") == mine["token"]:
            path.unlink(missing_ok=True)

    return release


def _created(path: Path, owner: dict[str, Any]) -> bool:
    """Make a file that nobody has made before; say whether that went well."""
    try:
        number = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return False
    with os.fdopen(number, "w", encoding="utf-8") as file:
        json.dump(owner, file)
    return True


def _remove_if_stale(path: Path) -> None:
    """Remove the file of a process that is dead; raise Held if it may live.

    Of several that find it stale, one removes it: the one whose folder was made.
    """
    if not _is_stale(path):
        raise Held(_said(_owner(path)))
    alone = path.with_name(f"{path.name}.removing")
    try:
        alone.mkdir()
    except FileExistsError:
        if _age(alone) > STALE:
            alone.rmdir()  # its process was killed in between
        raise Held(_said(_owner(path))) from None
    try:
        if _is_stale(path):  # nobody has taken it over in the meantime
            path.unlink(missing_ok=True)
    finally:
        alone.rmdir()


def _is_stale(path: Path) -> bool:
    owner = _owner(path)
    me = _me()
    if owner.get("host") == me["host"] and "pid" in owner:
        return owner.get("started") != _started(owner["pid"])
    return _age(path) > STALE


def _age(path: Path) -> float:
    """Return how long ago a file was changed, by the clock of its own disk."""
    probe = path.with_name(f".{secrets.token_hex(8)}.now")
    try:
        probe.touch()
        return probe.stat().st_mtime - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
    finally:
        probe.unlink(missing_ok=True)


def _owner(path: Path) -> dict[str, Any]:
    """Return what a file says about who holds the lock; empty if it says nothing."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # gone, or just being written
    return found if isinstance(found, dict) else {}


def _me() -> dict[str, Any]:
    pid = os.getpid()
    return {"host": socket.gethostname(), "pid": pid, "started": _started(pid)}


def _started(pid: Any) -> float | None:
    """Return when a process of this machine began; None if there is none."""
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except (psutil.Error, TypeError, ValueError):
        return None


def _said(owner: dict[str, Any]) -> str:
    if not owner:
        return "another process"
    return f"process {owner.get('pid')} of {owner.get('host')}"
