"""Write dataset.json for a folder of images and annotations, as they lie there.

Pairs images with annotations by their names: in two folders, in one with words such as
_seg or _mask, in a folder for each patient, with a table of points or COCO's JSON, or
with a folder of masks for each image. Finds channels, classes, landmarks and the task,
says why, and draws three cases. No file is moved or copied. Where two readings are
possible it asks; off a terminal an option has to say it.

examples:
  autoseg init hippocampus                    (then: autoseg run hippocampus)
  autoseg init cells --task instance
  autoseg init study --images 'scans/*.nii.gz' --annotations drawn
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from autoseg.cli._arguments import add_workers, command
from autoseg.describing.stage import init
from autoseg.errors import UsageError

RESULT = "what was understood"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's arguments."""
    parser.add_argument("folder", metavar="FOLDER", help="of images and annotations")
    parser.add_argument(
        "--images",
        nargs="+",
        default=(),
        metavar="WHERE",
        help="a folder, or a pattern in quotes, relative to FOLDER",
    )
    parser.add_argument(
        "--annotations",
        nargs="+",
        default=(),
        metavar="WHERE",
        help="the same of annotations; a table or JSON of all cases, too",
    )
    parser.add_argument("--task", metavar="NAME", help="semantic, instance or landmark")
    parser.add_argument(
        "--labels",
        nargs="+",
        metavar="NAME=VALUE",
        help="names of the classes, such as liver=1 tumor=2",
    )
    parser.add_argument(
        "--channels", nargs="+", default=(), metavar="NAME", help="such as T1 FLAIR"
    )
    parser.add_argument(
        "--spacing",
        type=float,
        nargs="+",
        metavar="SIZE",
        help="of a voxel along z, y and x, or y and x, where files do not say it",
    )
    parser.add_argument("--unit", choices=("mm", "um", "px"), help="of --spacing")
    parser.add_argument(
        "--ignore",
        type=int,
        metavar="VALUE",
        help="of what nobody looked at; -1 if every value is a class",
    )
    parser.add_argument(
        "--output",
        "-o",
        type=Path,
        metavar="FOLDER",
        help="where dataset.json goes; by default FOLDER itself",
    )
    parser.add_argument(
        "--no-picture", action="store_true", help="draw no picture of three cases"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace a dataset.json that is there"
    )
    add_workers(parser)


def run(arguments: argparse.Namespace) -> None:
    """Describe the folder, and say what was understood."""
    seen = init(
        arguments.folder,
        images=arguments.images,
        annotations=arguments.annotations,
        task=arguments.task,
        labels=_labels(arguments.labels),
        channels=arguments.channels,
        spacing=arguments.spacing,
        unit=arguments.unit,
        ignore=arguments.ignore,
        output=arguments.output,
        overwrite=arguments.overwrite,
        picture=not arguments.no_picture,
        workers=arguments.workers,
        ask=_ask if _may_ask(arguments) else None,
    )
    arguments.result = {
        "dataset": str(seen.folder),
        "task": seen.contents.task,
        "because": seen.contents.because,
        "cases": len(seen.dataset.training),
        "channels": list(seen.contents.channels),
        **seen.contents.keys,
        "picture": None if seen.picture is None else str(seen.picture),
    }
    print(seen)
    print(f"\nWritten: {seen.folder / 'dataset.json'}")
    if seen.picture is not None:
        print(f"Picture: {seen.picture}")
    print(f"Is it right? Then: {command('run', arguments.output or arguments.folder)}")


def _labels(given: Sequence[str] | None) -> dict[str, int] | None:
    """Return names with their values, from NAME=VALUE."""
    if given is None:
        return None
    found = {}
    for text in given:
        name, sign, value = text.rpartition("=")
        if not sign or not name or not value.strip().lstrip("-").isdigit():
            raise UsageError(
                f"--labels {text!r}: write it as NAME=VALUE, as in liver=1."
            )
        found[name] = int(value)
    return found


def _may_ask(arguments: argparse.Namespace) -> bool:
    return not arguments.json and sys.stdin.isatty() and sys.stdout.isatty()


def _ask(question: str, answers: Sequence[str], option: str) -> str:
    """Ask on the terminal until one of the answers is given."""
    print(question)
    for number, answer in enumerate(answers, 1):
        print(f"  {number}  {answer}")
    while True:
        given = input(f"1 to {len(answers)}, or {option} next time: ").strip()
        if given in answers:
            return given
        if given.isdigit() and 1 <= int(given) <= len(answers):
            return answers[int(given) - 1]
