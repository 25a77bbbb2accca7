"""Do spoilt data sets end in a sentence, whatever is wrong with them?

Makes tiny data sets of all tasks (four cases of 16^3 voxels or 32^2 pixels), spoils one
or two things in each, and runs check, plan_and_preprocess, a training of two steps and
predict on it, each trial in a process of its own. Counted are tracebacks, crashes, what
takes more than a minute of the processor, errors of a library that reach the user as
they are, and trials in which check says that training can start and a later command
fails::

    python benchmarks/mutations.py [--trials 1000] [--seed 1]
    python benchmarks/mutations.py --seed 1 --only 17    # one trial, with what it says

To be quick, a process imports everything once, and each trial is a fork of it; no
picture of the progress is drawn, and intervals are of few resamples.

Predicted are the images of training, by the trial's own network or, where it has none,
by one that was trained on a sound data set of the kind. Nothing is spoilt in a way that
is known to end or to stall a library. Exit code 1 if anything was counted. POSIX only.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import multiprocessing
import os
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from mutated import files, images, texts
from mutated.toys import KINDS
from mutated.trial import MUTATIONS, Made

from autoseg.cli.main import main as autoseg

SPOILERS = (files, images, texts)  # importing them enters their mutations
LIMIT = 60.0  # seconds of the processor for a command
STILL = 900.0  # seconds by the clock, in which it may wait for others, and do nothing
STAGES = ("check", "plan_and_preprocess", "train", "predict")
RAW = re.compile(r"^\s+[^\n:]+: [A-Z]\w*(Error|Exception|Warning)\(", re.MULTILINE)
NEXT = re.compile(r"^Next: (.*)$", re.MULTILINE)
WORK = (
    *("autoseg.cli.check", "autoseg.cli.plan_and_preprocess", "autoseg.cli.train"),
    *("autoseg.cli.predict", "autoseg.train.stage", "autoseg.predict.stage"),
)
COUNTED = ("traceback", "crash", "hang", "raw", "silent")


@dataclass
class Trial:
    """What was done to a data set, and what each command said."""

    kind: str = ""
    mutations: list[str] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    ended: str = "crash"  # becomes "" once all commands have returned

    def outcome(self) -> str:
        """Return what the trial counts as: one of `COUNTED`, or what is right."""
        if self.ended:
            return self.ended
        for text in self.said.values():
            if "Traceback (most recent" in text or "a bug in autoseg" in text:
                return "traceback"
        if any(RAW.search(text) for text in self.said.values()):
            return "raw"
        if self.codes["check"]:
            return "refused by check"
        if any(self.codes[stage] for stage in STAGES[1:3]):
            return "silent"
        if self.codes["predict"] and not self._known_of_predict():
            return "silent"
        return "predict refuses" if self.codes["predict"] else "goes through"

    def _known_of_predict(self) -> bool:
        """Return whether check named each case that predict could not do.

        An image without an annotation is not read by check, which says so.
        """
        failed = re.findall(r"^  ([^\n:]+): ", self.said["predict"], re.MULTILINE)
        if not failed:  # refused before any case: by the names of files
            files = re.findall(r"\bcase_\w+\.\w[\w.]*\w", self.said["predict"])
            return any(name in self.said["check"] for name in files)
        return all(name in self.said["check"] for name in failed)


def load(names: Sequence[str] = WORK) -> None:
    """Import what the commands need, once, and not again in each trial's process."""
    for name in names:
        with contextlib.suppress(Exception):  # some only pretend to be modules
            importlib.import_module(name)


def cheapen() -> None:
    """Leave out what takes long and does not look at the data."""
    from autoseg.evaluate import aggregate
    from autoseg.train.loop import logbook

    aggregate.RESAMPLES = 20
    logbook.Logbook.draw = lambda self, *_, **__: None  # type: ignore[method-assign]


def kind_of(seed: int, number: int) -> tuple[str, np.random.Generator]:
    """Return the kind of a trial's data set, and the chance that is left."""
    random = np.random.default_rng([seed, number])
    return list(KINDS)[int(random.integers(len(KINDS)))], random


def spoil(folder: Path, seed: int, number: int) -> tuple[str, list[str]]:
    """Make a data set, spoil one or two things and return what was done."""
    kind, random = kind_of(seed, number)
    KINDS[kind](folder)
    made, done = Made(folder, kind, random), []
    wanted = 1 if random.random() < 0.7 else 2
    while len(done) < wanted:
        name = list(MUTATIONS)[int(random.integers(len(MUTATIONS)))]
        try:
            what = MUTATIONS[name](made)
        except Exception:  # the first one left nothing that this one can spoil
            continue
        if what is not None:
            done.append(f"{name}: {what}")
    return kind, done


def command(words: Sequence[object], place: Path) -> tuple[int, str]:
    """Run a command in this process; return its code and all that was written.

    Libraries write to the streams of the process itself, so those are what is caught.
    """
    with open(place, "w+b") as caught:
        for number in (1, 2):
            os.dup2(caught.fileno(), number)
        try:
            code = autoseg([str(word) for word in words])
        except SystemExit as left:
            code = int(left.code or 0)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        caught.seek(0)
        return code, caught.read().decode("utf-8", "replace")


def train_words(said: str, data: Path) -> list[str]:
    """Return the training that plan_and_preprocess proposed, made tiny."""
    found = NEXT.search(said)
    words = shlex.split(found[1])[1:] if found else ["train", data, "3d_fullres", "0"]
    tiny = ["--set", "batch_size=2", "--device", "cpu", "--workers", "0"]
    return [*map(str, words[:4]), "--iterations", "2", "--threads", "1", *tiny]


def run_all(data: Path, root: Path, sound: Path, say: Any) -> None:
    """Run the four commands on a data set, and say of each how it ended."""
    where = ["--root", root]
    say("check", *command(["check", data, *where], root / "said"))
    words = ["plan_and_preprocess", data, "--workers", "1", *where]
    code, said = command(words, root / "said")
    say("plan_and_preprocess", code, said)
    training = [*train_words(said, data), *where]
    training += ["--set", "network.features=" + features(root)]
    code, said = command(training, root / "said")
    say("train", code, said)
    model = next(iter(root.glob("results/*/*/*")), None) if code == 0 else sound
    words = ["predict", "-i", data / "imagesTr", "-o", root / "out", "-m", model]
    words += ["--disable_tta", "--device", "cpu", *where]
    say("predict", *command(words, root / "said"))


def features(root: Path) -> str:
    """Return few features, as many as the first plan's network has stages."""
    for path in sorted(root.glob("preprocessed/*/plans/*.json")):
        stages = re.search(r'"features": \[([^\]]*)\]', path.read_text("utf-8"))
        if stages:
            return ",".join(["4"] * len(stages[1].split(",")))
    return "4,4"


def child(scratch: Path, seed: int, number: int, sounds: Path, pipe: Any) -> None:
    """Do one trial, and send what happens as it happens.

    Without the model of a sound data set of the kind, that is what is made.
    """
    data, root = scratch / "Toy", scratch / "root"
    root.mkdir()
    kind, done = kind_of(seed, number)[0], ["nothing"]
    sound = not (sounds / kind).is_dir()
    if sound:
        KINDS[kind](data)
    else:
        kind, done = spoil(data, seed, number)
    pipe.send(("made", kind, done))
    run_all(data, root, sounds / kind, lambda stage, *ended: pipe.send((stage, *ended)))
    if sound:
        shutil.copytree(next(iter(root.glob("results/*/*/*"))), sounds / kind)
    pipe.send(("done", "", sorted(sys.modules)))


def _answers(receive: Any, process: psutil.Process) -> bool:
    """Wait for what a trial says; return whether it does before its time is over."""
    start, spent = time.monotonic(), 0.0
    before = sum(process.cpu_times()[:2])
    while spent < LIMIT and time.monotonic() - start < STILL:
        if receive.poll(2.0):
            return True
        with contextlib.suppress(psutil.NoSuchProcess):
            spent = sum(process.cpu_times()[:2]) - before
    return False


def attempt(seed: int, number: int, sounds: Path) -> Trial:
    """Do one trial in a process of its own, which is ended if it takes too long."""
    trial = Trial()
    receive, send = multiprocessing.Pipe(duplex=False)
    with tempfile.TemporaryDirectory() as scratch:
        process = multiprocessing.get_context("fork").Process(
            target=child, args=(Path(scratch), seed, number, sounds, send)
        )
        process.start()
        send.close()
        while True:
            if not _answers(receive, psutil.Process(process.pid)):
                trial.ended = "hang"
                process.kill()
                break
            try:
                stage, first, second = receive.recv()
            except EOFError:
                break
            if stage == "made":
                trial.kind, trial.mutations = first, second
            elif stage == "done":
                trial.ended = ""
                load([name for name in second if name not in sys.modules])
            else:
                trial.codes[stage], trial.said[stage] = first, second
        process.join()
    return trial


def show(trial: Trial, seed: int, number: int, fully: bool = False) -> None:
    """Print one trial: what was done, how it ended, and how to do it again."""
    print(f"{trial.outcome()}: {trial.kind}; {'; '.join(trial.mutations)}")
    print(f"  codes {trial.codes}")
    for stage, text in trial.said.items():
        if fully:
            print(f"--- {stage}\n{text}")
        elif trial.codes[stage] and (stage != "check" or trial.ended):
            lines = [line for line in text.splitlines() if line.strip()]
            print(*(f"  {stage}: {line[:300]}" for line in lines[-3:]), sep="\n")
    print(f"  python benchmarks/mutations.py --seed {seed} --only {number}", flush=True)


def table(trials: Sequence[Trial]) -> None:
    """Print how many trials ended how, by task, and how each command did."""
    tasks = sorted({trial.kind.partition("_")[0] for trial in trials})
    counts = Counter(
        (trial.outcome(), trial.kind.partition("_")[0]) for trial in trials
    )
    names = [*COUNTED, "refused by check", "predict refuses", "goes through"]
    print(f"\n{'':20}" + "".join(f"{task:>10}" for task in (*tasks, "all")))
    for name in names:
        row = [counts[name, task] for task in tasks]
        print(f"{name:20}" + "".join(f"{n:10}" for n in (*row, sum(row))))
    for stage in STAGES:
        codes = Counter(trial.codes.get(stage, "none") for trial in trials)
        print(f"{stage:20} " + ", ".join(f"code {c}: {n}" for c, n in codes.items()))
    print(f"{len(trials)} trials, {len(MUTATIONS)} mutations, {len(KINDS)} kinds")


def main(argv: Sequence[str] | None = None) -> int:
    """Do the trials, print what was counted, and the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, nargs="+", help="numbers of trials")
    arguments = parser.parse_args(argv)
    os.environ["OMP_NUM_THREADS"] = "1"
    first = arguments.first
    numbers = arguments.only or range(first, first + arguments.trials)
    load()
    cheapen()
    trials, started = [], time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        sounds = Path(folder)
        for number in numbers:
            kind = kind_of(arguments.seed, number)[0]
            if not (sounds / kind).is_dir():
                sound = attempt(arguments.seed, number, sounds)
                if sound.ended or any(sound.codes.values()):
                    show(sound, arguments.seed, number, fully=True)
                    print(f"a sound data set of the kind {kind} does not go through")
                    return 1
            trial = attempt(arguments.seed, number, sounds)
            trials.append(trial)
            if len(trials) % 25 == 0:
                print(f"{len(trials)} done", flush=True)
            if arguments.only or trial.outcome() in COUNTED:
                show(trial, arguments.seed, number, fully=bool(arguments.only))
    table(trials)
    print(f"{time.monotonic() - started:.0f} s")
    return int(any(trial.outcome() in COUNTED for trial in trials))


if __name__ == "__main__":
    sys.exit(main())
