"""What do workers of a Dask cluster cost beside threads, and do they write the same?

    python benchmarks/cluster.py DATASET --work FOLDER [--workers 2] [--rounds 3]
                                 [--stages fingerprint ...] [--predicted 40]
                                 [--sides threads ...]

Each stage by itself (fingerprint, preprocess, evaluate, predict; their inputs are made
first), each side a command of its own by turns:

threads   the command, with as many threads
local:N   the command starts N workers, and they end with it
tcp://    a scheduler and N workers, started before, which have done the stage once
killed    the same, and one worker gets SIGKILL when a third of the cases is done; of
          evaluate, after half a second of work

Printed are medians of processor seconds (user and system) of everything that takes
part: the command, the workers, the scheduler; and by the clock. Everything that was
written is compared with what threads wrote, byte for byte, but for two journals that
say when. Rows are kept in FOLDER/rows.jsonl as they come, and a second call goes on
where the first was stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

HERE = Path(__file__).resolve().parents[1]
SIDES = ("threads", "local", "tcp", "killed")
STAGES = ("fingerprint", "preprocess", "evaluate", "predict")
CONFIGURATION = "3d_fullres"
TIMED = ("autoseg_files.jsonl", "stages.jsonl")  # they say when, and how long it took
TRAINED = "--iterations 2 --device cpu --no-validation --set train.validation_batches=1"
PLACE = {**os.environ, "PYTHONPATH": str(HERE)}


def run(*words: str) -> tuple[float, float]:
    """Run an autoseg command; return seconds of the processor and by the clock.

    Of the processor, those of all processes that it started and waited for.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "autoseg", *words],
        env=PLACE,
        stdout=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)}: exit code {process.returncode}")
    return used.ru_utime + used.ru_stime, time.perf_counter() - start


class Setting:
    """A data set, what stages read, and where each side writes.

    Parameters
    ----------
    dataset : Path
        The data set.
    work : Path
        Of everything that is made.
    workers : int
        How many, of each side.
    predicted : int
        Cases that are predicted.
    """

    def __init__(self, dataset: Path, work: Path, workers: int, predicted: int) -> None:
        self.dataset, self.work, self.workers = dataset.absolute(), work, workers
        self.ready = work / "ready"
        self.images = work / "images"
        self.predicted = predicted

    def prepare(self, stages: list[str]) -> None:
        """Make what the stages need, once: fingerprint, plan and a model."""
        root = ["--root", str(self.ready)]
        if set(stages) & {"preprocess", "predict"}:
            if not next(self.ready.glob("preprocessed/*/plans/unet.json"), None):
                run("fingerprint", str(self.dataset), *root)
                run("plan", str(self.dataset), *root)
        if "predict" in stages and not self.model():
            run("preprocess", str(self.dataset), *root, "-c", CONFIGURATION)
            where = str(self.dataset), CONFIGURATION, "0", *root
            run("train", *where, *TRAINED.split())
        if not self.images.is_dir():
            self.images.mkdir()
            for image in sorted((self.dataset / "imagesTr").iterdir())[
                : self.predicted
            ]:
                (self.images / image.name).symlink_to(image)

    def model(self) -> Path | None:
        """Return the folder of the model, if it is trained."""
        found = self.ready.glob(f"results/*/unet/{CONFIGURATION}/fold_0/*_final.pt")
        final = next(found, None)
        return None if final is None else final.parents[1]

    def words(self, stage: str, output: Path) -> list[str]:
        """Return a stage's command, which writes into a folder; make what it reads."""
        root = ["--root", str(output)]
        if stage == "fingerprint":
            return [stage, str(self.dataset), *root]
        if stage == "preprocess":
            found = next(self.ready.glob("preprocessed/*/plans")).parent
            name = found.relative_to(self.ready)
            shutil.copytree(
                found, output / name, ignore=shutil.ignore_patterns("3d_*", "2d_*")
            )
            return [stage, str(self.dataset), *root, "-c", CONFIGURATION]
        if stage == "evaluate":
            labels = str(self.dataset / "labelsTr")
            words = [stage, "-p", labels, "-d", str(self.dataset), *root]
            return [*words, "-o", str(output / "summary.json")]
        words = [stage, "-i", str(self.images), "-o", str(output / "predicted")]
        return [*words, "-m", str(self.model()), "-f", "0", "--device", "cpu"]

    def cases(self, stage: str, output: Path) -> int:
        """Return how many cases a stage has written so far."""
        pattern = {
            "fingerprint": "preprocessed/*/fingerprint.partial/*.json",
            "preprocess": "preprocessed/*/3d_*/*.json",
            "predict": "predicted/*.nii.gz",
        }
        return sum(1 for _ in output.glob(pattern[stage]))


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file that says nothing of when it was made."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in files if p.name not in TIMED
    }


class Running:
    """A scheduler and workers, each a process of its own, as users start them."""

    def __init__(self, work: Path, workers: int) -> None:
        self.file = work / "scheduler.json"
        self.file.unlink(missing_ok=True)
        place = {**PLACE, "AUTOSEG_WORKERS_HERE": str(workers)}
        said = (work / "cluster.log").open("ab")
        which = "--scheduler-file", str(self.file)
        scheduler = "scheduler", *which, "--port", "0", "--no-dashboard"
        worker = "worker", *which, "--nthreads", "1", "--memory-limit", "0"
        worker = *worker, "--no-dashboard", "--local-directory", str(work)
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-m", "dask", *words],
                env=place, stdout=said, stderr=said,
            )
            for words in (scheduler, *[worker] * workers)
        ]  # fmt: skip
        until = time.monotonic() + 120
        while len(self._all()) < 1 + 2 * workers and time.monotonic() < until:
            time.sleep(0.1)

    def _all(self) -> list[psutil.Process]:
        """Return scheduler, nannies and workers."""
        found = [psutil.Process(process.pid) for process in self.processes]
        return found + [c for p in found[1:] for c in self._workers_of(p)]

    @staticmethod
    def _workers_of(nanny: psutil.Process) -> list[psutil.Process]:
        return [c for c in nanny.children() if "resource_tracker" not in _line(c)]

    def spent(self) -> float:
        """Return processor seconds of all so far."""
        return sum(sum(process.cpu_times()[:2]) for process in self._all())

    def victim(self) -> psutil.Process:
        """Return a worker; where it dies, its nanny starts another."""
        return self._workers_of(psutil.Process(self.processes[1].pid))[0]

    def close(self) -> None:
        """End them all."""
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait(30)


def _line(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


@contextlib.contextmanager
def killing(
    victim: psutil.Process, done: Callable[[], float], most: float
) -> Iterator[list[float]]:
    """Kill a worker once so much is done; give how much, if that was seen."""
    happened: list[float] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            if (found := done()) >= most:
                victim.send_signal(signal.SIGKILL)
                happened.append(found)
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield happened
    finally:
        over.set()
        thread.join()


def when(
    setting: Setting, stage: str, output: Path, victim: psutil.Process
) -> tuple[psutil.Process, Callable[[], float], float]:
    """Return when to kill a worker: after a third of the cases.

    Scores are seen in the end only: there, once it has worked for a while.
    """
    if stage == "evaluate":
        before = sum(victim.cpu_times()[:2])
        return victim, lambda: round(sum(victim.cpu_times()[:2]) - before, 2), 0.5
    cases = len(list((setting.dataset / "labelsTr").iterdir()))
    cases = setting.predicted if stage == "predict" else cases
    return victim, lambda: setting.cases(stage, output), cases // 3


def measure(setting: Setting, stage: str, side: str, running: Running | None) -> Any:
    """Run a stage on one side, and return a row of what it took."""
    output = setting.work / "out" / side.partition(":")[0]
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    words = setting.words(stage, output)
    row: dict[str, Any] = {"stage": stage, "side": side}
    if side == "threads":
        used, passed = run(*words)
        kept = setting.work / "threads" / stage
        if not kept.exists():
            shutil.copytree(output, kept)
    elif running is None:
        used, passed = run(*words, "--cluster", side)
    else:
        words += ["--cluster", str(running.file)]
        before = running.spent()
        if side == "killed":
            how = when(setting, stage, output, running.victim())
            with killing(*how) as happened:
                used, passed = run(*words)
            row["killed_after"] = happened[0] if happened else None
        else:
            used, passed = run(*words)
            used += running.spent() - before
    row |= {"processor": round(used, 2), "clock": round(passed, 2)}
    row["same"] = contents(output) == contents(setting.work / "threads" / stage)
    row["files"] = len(contents(output))
    return row


def table(rows: list[Any], stages: list[str], sides: list[str]) -> str:
    """Return medians, and what is over threads."""
    lines = [f"{'':12}{'':9}processor  clock   over threads    equal files"]
    for stage in stages:
        base: dict[str, float] = {}
        for side in sides:
            mine = [r for r in rows if (r["stage"], r["side"]) == (stage, side)]
            if not mine:
                continue
            middle = {
                k: statistics.median(r[k] for r in mine) for k in ("processor", "clock")
            }
            base = base or middle
            over = [f"{100 * (middle[k] / base[k] - 1):5.0f} %" for k in middle]
            equal = (
                f"{mine[-1]['files']} {'' if all(r['same'] for r in mine) else 'NOT'}"
            )
            if side == "killed":
                middle, over = {"processor": float("nan"), "clock": middle["clock"]}, []
                equal += f" killed after {[r['killed_after'] for r in mine]}"
            lines.append(
                f"{stage:12}{side:9}{middle['processor']:9.2f}{middle['clock']:7.2f}"
                f"   {' '.join(over):16}{equal}"
            )
    return "\n".join(lines)


def main() -> None:
    """Measure what is not measured yet, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--predicted", type=int, default=40, help="cases")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # end what was started
    given.work.mkdir(parents=True, exist_ok=True)
    work = given.work.absolute()
    setting = Setting(given.dataset, work, given.workers, given.predicted)
    setting.prepare(given.stages)
    file = work / "rows.jsonl"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    rows = [json.loads(line) for line in text.splitlines()]
    names = "threads", f"local:{given.workers}", "tcp://", "killed"
    sides = [names[SIDES.index(side)] for side in SIDES if side in given.sides]
    for stage in given.stages:
        there = [r["side"] for r in rows if r["stage"] == stage]
        wanted = [
            side
            for number in range(given.rounds)
            for side in sides
            if number >= there.count(side) and (side != "killed" or not number)
        ]
        running = None
        try:
            for side in wanted:
                if side in ("tcp://", "killed") and running is None:
                    running = Running(work, given.workers)
                    measure(setting, stage, "tcp://", running)  # workers import
                own = running if side in ("tcp://", "killed") else None
                rows.append(measure(setting, stage, side, own))
                with file.open("a", encoding="utf-8") as kept:
                    kept.write(json.dumps(rows[-1]) + "\n")
        finally:
            if running is not None:
                running.close()
        print(table(rows, [stage], sides), flush=True)
    print(table(rows, list(STAGES), list(names)))


if __name__ == "__main__":
    main()
