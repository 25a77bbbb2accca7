"""Start the processes that train one fold together, and end all if one ends."""

from __future__ import annotations

import contextlib
import json
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from autoseg.errors import AutosegError, TrainingError, UsageError
from autoseg.stopping import answering, interrupt

Train = Callable[..., Path]

POLL_SECONDS = 0.1
GRACE = 20.0  # seconds for the others to end by themselves, and after a signal
STOPPED = 130


def devices_of(device: str, processes: int | None = None) -> list[str]:
    """Return the device of each process that trains a fold.

    Parameters
    ----------
    device : str
        As in `autoseg.train`: one, or several with commas between.
    processes : int, optional
        How many; by default one for each device.

    Raises
    ------
    UsageError
        If they do not fit together.

    Examples
    --------
    >>> devices_of("cuda:0,cuda:1"), devices_of("cpu", 2), devices_of("cuda", 2)
    (['cuda:0', 'cuda:1'], ['cpu', 'cpu'], ['cuda:0', 'cuda:1'])
    """
    names = [name.strip() for name in device.split(",") if name.strip()] or ["auto"]
    if processes is not None and processes < 1:
        raise UsageError(f"--processes is {processes}; give 1 or more.")
    if processes is None or processes == len(names):
        if len({name.partition(":")[0] for name in names}) > 1 or (
            len(names) > 1 and "auto" in names
        ):
            raise UsageError(
                f"--device {device}: processes that train together compute on devices "
                "of one kind, such as cuda:0,cuda:1."
            )
        return names
    if len(names) > 1:
        raise UsageError(
            f"--device {device} names {len(names)} devices, and --processes is "
            f"{processes}; leave one of them out."
        )
    if names == ["auto"]:
        import torch

        names = ["cuda" if torch.cuda.device_count() else "cpu"]
    if names == ["mps"]:
        raise UsageError("Only one process can train on mps; leave --processes out.")
    if names == ["cuda"]:
        return [f"cuda:{number}" for number in range(processes)]
    return names * processes


@dataclass(kw_only=True)
class _Child:
    """One of the processes."""

    number: int
    process: SpawnProcess
    ear: Connection  # what it says at its end
    life: Connection  # open as long as this process lives
    said: dict[str, Any] | None = None


def train_together(
    train: Train, call: Mapping[str, Any], devices: Sequence[str]
) -> Path:
    """Train a fold in several processes of this machine.

    Parameters
    ----------
    train : callable
        `autoseg.train`.
    call : mapping
        Its arguments.
    devices : sequence of str
        Of each process.

    Returns
    -------
    Path
        The fold's folder.

    Raises
    ------
    TrainingError
        If one of them failed; the others are ended then. The message is its own.
    KeyboardInterrupt
        If they were asked to stop.
    """
    port = _free_port()
    children: list[_Child] = []
    with answering(interrupt):  # so that it ends its children
        try:
            for number, device in enumerate(devices):
                place = {
                    "RANK": str(number),
                    "LOCAL_RANK": str(number),
                    "WORLD_SIZE": str(len(devices)),
                    "LOCAL_WORLD_SIZE": str(len(devices)),
                    "MASTER_ADDR": "127.0.0.1",
                    "MASTER_PORT": str(port),
                }
                arguments = {**call, "device": device, "processes": None}
                children.append(_start(number, place, train, arguments))
            _wait(children)
        finally:
            _end(children)
    return _outcome(children)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start(
    number: int, place: Mapping[str, str], train: Train, call: Mapping[str, Any]
) -> _Child:
    context = multiprocessing.get_context("spawn")
    ear, mouth = context.Pipe(duplex=False)
    end, life = context.Pipe(duplex=False)
    said = logging.getLogger("autoseg")
    how = said.level, [h.formatter for h in said.handlers][:1]
    process = context.Process(
        target=_in_process,
        args=(place, train, call, mouth, end, how),
        name=f"rank {number}",
    )
    process.start()
    mouth.close()
    end.close()
    return _Child(number=number, process=process, ear=ear, life=life)


def _wait(children: Sequence[_Child]) -> None:
    """Return once all have ended, or one has failed."""
    while True:
        codes = [child.process.exitcode for child in children]
        if None not in codes or any(codes):
            return
        time.sleep(POLL_SECONDS)


def _end(children: Sequence[_Child]) -> None:
    """Let those end that still run: by themselves, by a wish, and then by force."""
    failed = any(child.process.exitcode for child in children)
    steps = [None] if failed else []
    for step in (*steps, signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
        running = [c for c in children if c.process.exitcode is None]
        if not running:
            break
        for child in running:
            if step is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(child.process.pid or 0), step)
        # A wish is granted after the iteration, which may take long.
        patience = None if step == signal.SIGTERM and not failed else GRACE
        until = time.monotonic() + (patience or 86_400)
        for child in running:
            child.process.join(max(0.0, until - time.monotonic()))
    for child in children:
        child.process.join()
        with contextlib.suppress(EOFError, OSError):
            if child.ear.poll():
                child.said = json.loads(child.ear.recv_bytes())
        child.ear.close()
        child.life.close()


def _outcome(children: Sequence[_Child]) -> Path:
    """Return the folder, or raise what went wrong first."""
    codes = [child.process.exitcode for child in children]
    if not any(codes):
        return Path(str((children[0].said or {})["folder"]))
    own = [c for c in children if c.said and "error" in c.said and not c.said["also"]]
    if own:
        error = TrainingError(str((own[0].said or {})["error"]))
        error.exit_code = int((own[0].said or {})["code"])
        raise error
    for child, code in zip(children, codes, strict=True):
        if code and child.said is None:
            raise TrainingError(_died(child.number, len(children), code))
    raise KeyboardInterrupt


def _died(number: int, count: int, code: int) -> str:
    how = f"ended with code {code}"
    if code < 0:
        with contextlib.suppress(ValueError):
            how = f"was killed by {signal.Signals(-code).name}"
    hint = " The system does that when memory runs out." if code == -9 else ""
    return (
        f"Process {number} of {count} {how}, so all were ended.{hint} The last "
        "checkpoint is untouched; the same command goes on from there, also with "
        "another number of processes."
    )


def _in_process(
    place: Mapping[str, str],
    train: Train,
    call: Mapping[str, Any],
    mouth: Connection,
    end: Connection,
    how: tuple[int, list[logging.Formatter | None]],
) -> None:
    """Train as one of several, and say how it went."""
    if hasattr(os, "setsid"):
        os.setsid()  # Ctrl-C reaches the parent only, which sends SIGTERM
    os.environ.update(place)
    threading.Thread(target=_stop_with, args=(end,), daemon=True).start()
    _listen(*how)
    from autoseg.train.setup.ranks import Elsewhere

    said: dict[str, Any]
    code = 0
    try:
        said = {"folder": str(train(**call))}
    except KeyboardInterrupt:
        said, code = {}, STOPPED
    except BaseException as error:
        text, code = str(error), getattr(error, "exit_code", 1)
        if not isinstance(error, AutosegError):
            traceback.print_exc()
            text = f"{type(error).__name__}: {error}"
        said = {"error": text, "code": code, "also": isinstance(error, Elsewhere)}
    mouth.send_bytes(json.dumps(said).encode())
    mouth.close()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # threads that wait for the others would abort a usual exit


def _listen(level: int, formatters: Sequence[logging.Formatter | None]) -> None:
    """Say what autoseg has to say as the parent does."""
    handler = logging.StreamHandler()
    for formatter in formatters:
        handler.setFormatter(formatter)
    said = logging.getLogger("autoseg")
    said.addHandler(handler)
    said.setLevel(level)
    said.propagate = False


def _stop_with(end: Connection) -> None:
    """Wish to stop once the parent is gone."""
    with contextlib.suppress(EOFError, OSError):
        end.recv_bytes()
    os.kill(os.getpid(), signal.SIGTERM)
