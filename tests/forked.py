"""Processes that need not import torch again, for tests of what is killed or goes on.

A process costs three seconds before it does anything of its own. Here a server imports
once what commands need, and each process is a fork of it: it has its own memory, files
and signals, and dies alone. Nothing that a test patches is patched there, but that no
pictures are drawn.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import psutil
import pytest

from tests import undrawn

NEEDED = (
    "SimpleITK",
    "autoseg.cli.main",
    "autoseg.evaluate.stage",
    "autoseg.fingerprint.stage",
    "autoseg.predict.stage",
    "autoseg.preprocess.stage",
    "autoseg.report.live",
    "autoseg.train.stage",
    "nibabel",
    "planners.stage",
    "scipy.ndimage",
    "tests.forked",
    "torch",
)
_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(list(NEEDED))
_servers: list[psutil.Process] = []


def spent() -> float:
    """Return the processor seconds of the server and of what it started and buried."""
    return sum(sum(server.cpu_times()[:4]) for server in _servers)


class Forked:
    """A function in a process of its own.

    Parameters
    ----------
    said : Path
        Takes what the process writes to its streams.
    work : callable
        A function of a module; what it returns is the exit code, as in `sys.exit`.
    given : tuple
        Its arguments.
    environment : mapping of str to str
        Variables beside those of the tests.
    """

    def __init__(
        self,
        said: Path,
        work: Callable[..., Any],
        given: tuple[Any, ...],
        environment: Mapping[str, str],
    ) -> None:
        self._said = said
        self.process = _server.Process(
            target=_begin, args=(str(said), work, given, dict(environment))
        )
        self.process.start()
        if not _servers:
            _servers.append(psutil.Process(self.process.pid).parent())

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        return self.process.exitcode

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(int(self.process.pid or 0), number)

    def kill(self) -> None:
        """End it without a warning."""
        self.process.kill()

    def wait(self, seconds: float) -> tuple[int, str]:
        """Return the exit code and what was said; a failure if it takes too long."""
        self.process.join(seconds)
        code = self.process.exitcode
        if code is None:
            self.kill()
            raise TimeoutError(f"it still runs after {seconds:g} s: {self.said()}")
        return code, self.said()

    def said(self) -> str:
        """Return what it has said so far."""
        return self._said.read_text(encoding="utf-8") if self._said.exists() else ""


class Spawning:
    """Is `multiprocessing` where a module asks for processes that are spawned."""

    @staticmethod
    def get_context(method: str) -> Any:
        """Return what forks them."""
        assert method == "spawn"
        return Spawning

    @staticmethod
    def Process(target: Callable[..., None], args: tuple[Any, ...]) -> Any:  # noqa: N802
        """Return a process, as `multiprocessing.Process` is one."""
        return _server.Process(target=_call, args=(target, args))


def _call(work: Callable[..., None], given: tuple[Any, ...]) -> None:
    undrawn.leave_out(pytest.MonkeyPatch())
    work(*given)


def torchrun(*words: str) -> None:
    """Be torchrun, with its agent and its arguments, but that processes are forks."""
    from torch.distributed import run

    meant = run.config_from_args

    def understood(given: Any) -> Any:
        config, program, arguments = meant(given)
        assert program == sys.executable and arguments[:3] == ["-u", "-m", "autoseg"]
        return config, _command, arguments[3:]

    with mock.patch.object(run, "config_from_args", understood):
        run.main(["--start_method", "fork", *words])


def _command(*words: str) -> None:
    from autoseg.cli.main import main

    sys.exit(main(words))


def _begin(
    said: str,
    work: Callable[..., Any],
    given: tuple[Any, ...],
    environment: Mapping[str, str],
) -> None:
    stream = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in (1, 2):
        os.dup2(stream, number)
    os.environ.update(environment)
    undrawn.leave_out(pytest.MonkeyPatch())
    sys.exit(work(*given))
