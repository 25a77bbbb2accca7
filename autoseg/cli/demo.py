"""See all of it at work on made-up data: some minutes on a laptop's processor.

Makes a data set whose answer is known, then checks, plans, trains, predicts and scores
as you would with your own, and prints each command as you would type it. Ends with how
good predictions are of cases that the network never saw, and with a picture. Stopped,
the same command goes on.

examples:
  autoseg demo                      hearts in volumes: a label map
  autoseg demo --task instance      crowded cells in pictures: an id for each
  autoseg demo --task landmark      beetles in volumes: points, some of them absent
"""

from __future__ import annotations

import argparse
import os
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autoseg.cli._demos import DEMOS, Demo, Size
from autoseg.cli._stages import recorded
from autoseg.errors import UsageError, did_you_mean
from autoseg.outputs import refuse_foreign, writing
from autoseg.stopping import was_wished

if TYPE_CHECKING:
    from autoseg.evaluate.summary import Summary


RESULT = "scores, picture and page"


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
        choices=tuple(DEMOS),
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
    found = demo(
        arguments.folder, arguments.task, seed=arguments.seed, quick=arguments.quick
    )
    arguments.result = {
        "good": found.good,
        "picture": found.picture,
        "page": found.page,
        "scores": found.summary,
    }
    return 0 if found.good else 1


@dataclass(frozen=True)
class Shown:
    """How a demo ended.

    Parameters
    ----------
    summary : Summary
        Scores of the cases that the network never saw.
    picture : Path
        Best, middle and worst of them.
    good : bool
        Whether the scores are as they should be.
    page : Path or None
        The report, if it was written.
    """

    summary: Summary
    picture: Path
    good: bool
    page: Path | None = None


def demo(
    folder: str | os.PathLike[str] = "autoseg_demo",
    task: str = "semantic",
    *,
    seed: int = 0,
    quick: bool = False,
) -> Shown:
    """Make data whose answer is known, do all that is done with data, and say it.

    Parameters
    ----------
    folder : path
        Where everything goes.
    task : str
        ``"semantic"``, ``"instance"`` or ``"landmark"``.
    seed : int
        Of the data.
    quick : bool
        Only see that everything runs: less data, too little training to learn much.

    Returns
    -------
    Shown
        Scores, picture, and whether they are as they should be.

    Raises
    ------
    UsageError
        If there is no such task, or the folder holds a picture of somebody else's.
    """
    start = time.monotonic()
    if task not in DEMOS:
        near = did_you_mean(task, DEMOS)
        raise UsageError(f"No demo of {task!r}.{near} There are: {', '.join(DEMOS)}.")
    chosen = DEMOS[task]
    size = chosen.quick if quick else chosen.full
    place = Path(folder)
    raw = place / "raw" / chosen.dataset
    if place.exists() and not place.is_dir():
        raise UsageError(f"{place} is a file; give another --folder.")
    refuse_foreign([_picture(chosen, place)], option="another --folder")
    _say(f"Making {size.training + size.test} images with a known answer in {raw}")
    chosen.make(raw, size, seed)
    for text, words in _commands(chosen, size, place):
        _step(text, words)
    return _finish(chosen, size, place, time.monotonic() - start)


def _commands(
    demo: Demo, size: Size, folder: Path
) -> list[tuple[str, tuple[str, ...]]]:
    """Return each command, with a word on what it is for."""
    root = ("--root", str(folder))
    name, configuration = demo.dataset, demo.configuration
    raw = folder / "raw" / name
    features = ",".join(map(str, size.features))
    settings = [f"network.features=[{features}]", f"batch_size={size.batch}"]
    if size.patch:
        settings.append(f"patch_size=[{','.join(map(str, size.patch))}]")
    if not demo.mirror:
        settings.append("mirror_axes=[]")
    predictions = str(_predictions(demo, folder))
    return [
        ("Is anything wrong with the data?", ("check", name, *root)),
        (
            "Look at every image, decide how to train, prepare the data.",
            ("plan_and_preprocess", name, "-c", configuration, *root),
        ),
        (
            "Train a network, a small one for the sake of time.",
            (
                *("train", name, configuration, "0", *root),
                *("--iterations", str(size.iterations), "--set", *settings),
            ),
        ),
        (
            "Predict images that it has not seen.",
            (
                *("predict", "-i", str(raw / "imagesTs"), "-o", predictions),
                *("-d", name, "-c", configuration, "-f", "0"),
                *("--continue-prediction", *root),
            ),
        ),
        (
            "Compare with the truth.",
            (
                *("evaluate", "-g", str(raw / "labelsTs"), "-p", predictions),
                *("-d", name, *root),
            ),
        ),
    ]


def _predictions(demo: Demo, folder: Path) -> Path:
    return folder / "predictions" / demo.dataset


def _picture(demo: Demo, folder: Path) -> Path:
    return folder / f"{demo.dataset.lower()}.png"


def _step(text: str, words: Sequence[str]) -> None:
    """Run a command just as it is printed."""
    from autoseg.cli.main import load_command, make_parser

    _say(text)
    print(f"$ autoseg {shlex.join(words)}", flush=True)
    start = time.monotonic()
    command = load_command(words[0])
    arguments = make_parser(words[0], command).parse_args(list(words[1:]))
    with recorded(words[0], arguments):
        code = command.run(arguments)
    if was_wished():  # training answers it with a checkpoint, and ends well
        raise KeyboardInterrupt
    if code:
        raise UsageError(f"autoseg {words[0]} ended with exit code {code}; see above.")
    print(f"({time.monotonic() - start:.0f} s)", flush=True)


def _finish(demo: Demo, size: Size, folder: Path, seconds: float) -> Shown:
    """Draw the picture, and say whether the result is as it should be."""
    from autoseg.datasets.read import load_dataset
    from autoseg.evaluate.summary import Summary
    from autoseg.report.evaluation import plot_evaluation
    from autoseg.workspace import REPORT, SUMMARY, Workspace

    raw, predictions = folder / "raw" / demo.dataset, _predictions(demo, folder)
    summary = Summary.load(predictions / SUMMARY)
    picture = _picture(demo, folder)
    with writing([picture]):
        plot_evaluation(
            summary,
            load_dataset(raw),
            {"predictions": predictions, "annotations": raw / "labelsTs"},
            picture,
            title="autoseg demo: best, middle and worst of the unseen cases",
        )
    _say(f"{demo.measures} on {len(summary.cases)} cases that the network never saw")
    print("\n".join(demo.table(summary, size)))
    print(f"\nPicture: {picture}")
    page = Workspace(root=folder.absolute(), dataset=demo.dataset).results / REPORT
    if page.is_file():
        print(f"Report, which opens in a browser: {page}")
    print(f"Everything else is in {folder}. It took {_duration(seconds)}.")
    poor = demo.judge(summary, size) if size.strict else []
    if poor:
        print(
            f"This is worse than it should be: {'; '.join(poor)}. Another --seed may "
            "tell chance from a fault; report a fault with the output above."
        )
    else:
        print("Your own data next: docs/quickstart.md, or `autoseg check DATASET`.")
    return Shown(summary, picture, not poor, page if page.is_file() else None)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _say(text: str) -> None:
    print(f"\n== {text}", flush=True)
