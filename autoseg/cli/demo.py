"""See all of it at work on made-up data: some minutes on a laptop's processor.

Makes a data set whose answer is known, then checks, plans, trains, predicts and scores
as you would with your own, and prints each command as you would type it. Ends with a
table of Dice on cases that the network never saw, and with a picture. Stopped, the same
command goes on.
"""

from __future__ import annotations

import argparse
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DATASET = "Phantom"
CONFIGURATION = "3d_fullres"
EXPECTED = 0.8  # Dice that each class surpasses by far if all is well


@dataclass(frozen=True, kw_only=True)
class _Size:
    """How much is made and trained."""

    training: int
    test: int
    voxels: int  # along y and x
    iterations: int
    features: tuple[int, ...]
    expected: float


FULL = _Size(
    training=20,
    test=5,
    voxels=48,
    iterations=600,
    features=(8, 16, 32, 64),
    expected=EXPECTED,
)
QUICK = _Size(
    training=8, test=2, voxels=32, iterations=150, features=(8, 16, 32), expected=0.0
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's arguments."""
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("autoseg_demo"),
        help="where everything goes; by default ./%(default)s",
    )
    parser.add_argument(
        "--task",
        choices=("semantic",),
        default="semantic",
        help="what is demonstrated; by default %(default)s",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="of the data; by default %(default)s"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="only see that everything runs: less data, and too little training to "
        "learn much",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the demo; 1 if the result is worse than it ever should be."""
    start = time.monotonic()
    size = QUICK if arguments.quick else FULL
    folder: Path = arguments.folder
    raw = folder / "raw" / DATASET
    _make(raw, size, arguments.seed)
    for text, words in _commands(folder, raw, size):
        _step(text, words)
    return _finish(folder, raw, size, time.monotonic() - start)


def _make(raw: Path, size: _Size, seed: int) -> None:
    from autoseg.interop.toy import make_dataset

    _say(f"Making {size.training + size.test} images with a known answer in {raw}")
    make_dataset(raw, size.training, size.test, seed, size.voxels)


def _commands(
    folder: Path, raw: Path, size: _Size
) -> list[tuple[str, tuple[str, ...]]]:
    """Return each command, with a word on what it is for."""
    root = ("--root", str(folder))
    features = ",".join(map(str, size.features))
    settings = (f"network.features=[{features}]", "mirror_axes=[]")
    predictions = str(folder / "predictions")
    return [
        ("Is anything wrong with the data?", ("check", DATASET, *root)),
        (
            "Look at every image, decide how to train, prepare the data.",
            ("plan_and_preprocess", DATASET, "-c", CONFIGURATION, *root),
        ),
        (
            "Train a network, a small one for the sake of time.",
            (
                *("train", DATASET, CONFIGURATION, "0", *root),
                *("--iterations", str(size.iterations), "--set", *settings),
            ),
        ),
        (
            "Predict images that it has not seen.",
            (
                *("predict", "-i", str(raw / "imagesTs"), "-o", predictions),
                *("-d", DATASET, "-c", CONFIGURATION, "-f", "0"),
                *("--continue_prediction", *root),
            ),
        ),
        (
            "Compare with the truth.",
            (
                *("evaluate", "-g", str(raw / "labelsTs"), "-p", predictions),
                *("-d", DATASET, *root),
            ),
        ),
    ]


def _step(text: str, words: Sequence[str]) -> None:
    """Run a command just as it is printed."""
    from autoseg.cli._main import load_command, make_parser
    from autoseg.errors import UsageError

    _say(text)
    print(f"$ autoseg {shlex.join(words)}", flush=True)
    start = time.monotonic()
    command = load_command(words[0])
    code = command.run(make_parser(words[0], command).parse_args(list(words[1:])))
    if code:
        raise UsageError(f"autoseg {words[0]} ended with exit code {code}; see above.")
    print(f"({time.monotonic() - start:.0f} s)", flush=True)


def _finish(folder: Path, raw: Path, size: _Size, seconds: float) -> int:
    """Draw the picture, and say whether the result is as it should be."""
    from autoseg.datasets.read import load_dataset
    from autoseg.evaluate.summary import Summary
    from autoseg.report.evaluation import plot_evaluation
    from autoseg.workspace import SUMMARY

    summary = Summary.load(folder / "predictions" / SUMMARY)
    picture = folder / "overlay.png"
    plot_evaluation(
        summary,
        load_dataset(raw),
        {"predictions": folder / "predictions", "annotations": raw / "labelsTs"},
        picture,
        title="autoseg demo: best, middle and worst of the unseen cases",
    )
    found = {name: of["dice"].mean for name, of in summary.classes.items()}
    _say(f"Dice on {len(summary.cases)} cases that the network never saw")
    for name, dice in found.items():
        bar = "█" * round(40 * dice) if dice == dice else ""
        print(f"  {name:<8} {dice:.3f}  {bar}")
    print(f"\nPicture: {picture}")
    print(f"Everything else is in {folder}. It took {_duration(seconds)}.")
    poor = [name for name, dice in found.items() if not dice >= size.expected]
    if poor:
        print(
            f"The Dice of {', '.join(poor)} should be above {size.expected}: something "
            "is wrong with this installation. Please report it with the output above."
        )
        return 1
    print("Your own data next: docs/quickstart.md, or `autoseg check DATASET`.")
    return 0


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _say(text: str) -> None:
    print(f"\n== {text}", flush=True)
