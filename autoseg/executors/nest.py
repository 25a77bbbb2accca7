"""Workers of this machine, none of which imports anything that another has imported.

Dask starts each worker as a new program, which imports everything anew: of a small data
set that takes longer than its cases. Here one process, the nest, imports what workers
need and forks each of them; in the place of one that dies another is forked. The nest
is a fork of this process itself as long as nothing else runs here, and else a program
of its own.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

POLL_SECONDS = 0.5  # between looks at who has died
GRACE = 10.0  # seconds for the nest to end
# Of workers: nobody looks at their profile, nor often at how their event loop fares.
SETTINGS = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "2s",
}


def can_nest() -> bool:
    """Return whether this system forks processes that may go on as they are."""
    return sys.platform == "linux"


@contextmanager
def nest(
    count: int, needs: Sequence[str], place: Mapping[str, str], folder: Path
) -> Iterator[Nest]:
    """Have workers of a scheduler that is told later, as long as the context lasts.

    Parameters
    ----------
    count : int
        How many.
    needs : sequence of str
        Modules that all of them import.
    place : mapping of str to str
        Variables of their environment.
    folder : Path
        For what they put on the disk.
    """
    order = {
        "count": count,
        "needs": [*needs],
        "place": dict(place),
        "folder": str(folder),
        "path": sys.path,
    }
    made = _Fork() if is_alone() else _Program()
    try:
        made.tell(order)
        yield made
    finally:
        made.end()


def is_alone() -> bool:
    """Return whether nothing runs here beside this thread, which a fork would lack.

    Of torch nobody knows whether its threads have begun.
    """
    with suppress(RuntimeError):
        asyncio.get_running_loop()
        return False
    return threading.active_count() == 1 and "torch" not in sys.modules


class Nest(ABC):
    """The process that forks workers, as seen from outside; a pipe is its life line."""

    def __init__(self, line: int) -> None:
        self._line = line

    def tell(self, word: Any) -> None:
        """Tell it what it has to know: the order, then the scheduler's address."""
        os.write(self._line, json.dumps(word).encode() + b"\n")

    def end(self) -> None:
        """End it, and with it all workers, whatever they do."""
        os.close(self._line)
        self._wait()

    @abstractmethod
    def _wait(self) -> None:
        """Wait for its end; make it end if that takes too long."""


class _Fork(Nest):
    """A fork of this process."""

    def __init__(self) -> None:
        ear, mouth = os.pipe()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()  # or it would be written twice
        with warnings.catch_warnings():
            # Python counts threads of libraries, too; those of arrays begin anew.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._pid = os.fork()
        if not self._pid:
            os.close(mouth)
            _leave_behind()
            _serve(ear)
        os.close(ear)
        super().__init__(mouth)

    def _wait(self) -> None:
        until = time.monotonic() + GRACE
        with suppress(ChildProcessError):
            while os.waitpid(self._pid, os.WNOHANG)[0] == 0:
                if time.monotonic() > until:
                    os.kill(self._pid, signal.SIGKILL)
                time.sleep(0.005)


class _Program(Nest):
    """A program of its own."""

    def __init__(self) -> None:
        here = str(Path(__file__).parents[2])
        others = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
        ear, mouth = os.pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=ear,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([here, *others])},
            start_new_session=True,
        )
        os.close(ear)
        super().__init__(mouth)

    def _wait(self) -> None:
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _leave_behind() -> None:
    """Let go of what a fork has from its parent: terminal, signals, what is logged."""
    os.setsid()  # Ctrl-C reaches the parent only
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("SIGTERM", "SIGHUP", "SIGUSR1"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    # Workers send what they say to whoever asked; see `autoseg.executors.elsewhere`.
    for talks in (logging.getLogger(), logging.getLogger("autoseg")):
        talks.handlers.clear()
    logging.getLogger("autoseg").propagate = True


def _serve(line: int) -> NoReturn:
    """Fork workers until the life line ends; this process ends with that."""
    code = 1
    try:
        ear = os.fdopen(line, "rb", buffering=0)
        order = json.loads(ear.readline() or b"null")
        if order is not None:
            sys.path[:] = order["path"]
            os.environ.update(order["place"])
            _import(order["needs"])
            address = json.loads(ear.readline() or b"null")
            if address is not None:
                _tend(int(order["count"]), line, address, order["folder"])
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)  # nothing of the parent's is done twice


def _import(modules: Sequence[str]) -> None:
    """Import what is there; what is missing is told where it is used."""
    for name in ("distributed", "dask.multiprocessing", *modules):
        with suppress(ImportError):
            importlib.import_module(name)


def _tend(count: int, line: int, address: str, folder: str) -> None:
    """Keep so many workers alive until the life line ends."""
    alive: set[int] = set()
    try:
        while True:
            while len(alive) < count:
                alive.add(_hatch(address, folder))
            heard, _, _ = select.select([line], [], [], POLL_SECONDS)
            if heard and not os.read(line, 1):
                return
            alive -= set(_dead(alive))
    finally:
        for worker in alive:
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        for worker in alive:
            with suppress(ChildProcessError):
                os.waitpid(worker, 0)


def _dead(workers: set[int]) -> list[int]:
    return [pid for pid in workers if os.waitpid(pid, os.WNOHANG)[0]]


def _hatch(address: str, folder: str) -> int:
    """Fork a worker, and return its number."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        asyncio.run(_work(address, folder))
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


async def _work(address: str, folder: str) -> None:
    """Be a worker until the scheduler is gone."""
    import dask
    from dask.multiprocessing import default_initializer
    from distributed import Worker

    default_initializer()  # random numbers of its own
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with dask.config.set(SETTINGS):
        async with Worker(
            address,
            nthreads=1,
            memory_limit=0,  # a limit would stop workers whose files are cached
            local_directory=folder,
            silence_logs=logging.CRITICAL,
        ) as worker:
            await worker.finished()


if __name__ == "__main__":
    _serve(0)
