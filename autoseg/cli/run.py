"""Do everything: check, plan, prepare, train, select, report and predict new images.

Prints the single commands as it goes, and ends with the page to open. A run that was
stopped goes on when the same command is typed again. Without --time-budget a step is
timed and three lengths are offered; where nobody answers, it is the shortest.

examples:
  autoseg run hippocampus --time-budget 2h
  autoseg run cells --time-budget 30m --images new -o found
"""

from __future__ import annotations

import argparse
import select
import sys
from collections.abc import Sequence
from pathlib import Path

from autoseg.cli._arguments import add_workers, positive
from autoseg.cli._which import add_configuration, add_dataset, chosen_dataset
from autoseg.running.lengths import Length

RESULT = "page, model and predictions"
PATIENCE = 60.0  # seconds for an answer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's arguments."""
    add_dataset(parser)
    add_configuration(
        parser, "what is trained; by default 3d_fullres if the plan has it, else 2d"
    )
    parser.add_argument(
        "--time-budget",
        metavar="TIME",
        help="of everything together, such as 30m or 2h",
    )
    parser.add_argument(
        "--images",
        "-i",
        type=Path,
        metavar="FOLDER",
        help="new images to predict; by default imagesTs of the data set",
    )
    parser.add_argument(
        "--output",
        "-o",
        type=Path,
        metavar="FOLDER",
        help="where predictions go; by default ROOT/results/DATASET/predictions",
    )
    parser.add_argument(
        "--folds",
        type=positive,
        metavar="N",
        help="how many are trained; by default as many as get forty minutes each",
    )
    parser.add_argument(
        "--init-from", metavar="MODEL", help="start from the weights of a model"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="of all random numbers")
    parser.add_argument(
        "--overwrite", action="store_true", help="train anew what is trained already"
    )
    parser.add_argument(
        "--device", default="auto", metavar="DEVICE", help="auto, cpu, cuda or mps"
    )
    parser.add_argument(
        "--threads", type=positive, metavar="N", help="of an operation on the CPU"
    )
    add_workers(parser)


def run(arguments: argparse.Namespace) -> None:
    """Run everything, and say where the page is."""
    from autoseg.running.stage import run as run_all

    found = run_all(
        chosen_dataset(arguments),
        arguments.root,
        time_budget=arguments.time_budget,
        images=arguments.images,
        output=arguments.output,
        configuration=arguments.configuration,
        folds=arguments.folds,
        init_from=arguments.init_from,
        seed=arguments.seed,
        overwrite=arguments.overwrite,
        device=arguments.device,
        threads=arguments.threads,
        workers=arguments.workers,
        choose=_choose,
    )
    arguments.result = {
        "page": str(found.page),
        "model": str(found.model),
        "predictions": [str(path) for path in found.predictions],
    }
    print(f"\nModel: {found.model}")
    if found.predictions:
        print(f"Predictions: {len(found.predictions)} in {found.predictions[0].parent}")
    print(f"Open in a browser: {found.page}")


def _choose(lengths: Sequence[Length]) -> Length:
    """Show the lengths; take the one that is chosen, else the shortest."""
    print("How long may it take?")
    for number, length in enumerate(lengths, 1):
        print(f"  {number}  {length}")
    if not sys.stdin.isatty():
        print("Nobody is there to answer: the shortest.", flush=True)
        return lengths[0]
    print(f"1 to {len(lengths)} (in {PATIENCE:.0f} s: 1): ", end="", flush=True)
    if not select.select([sys.stdin], [], [], PATIENCE)[0]:
        print("\nNo answer: the shortest.", flush=True)
        return lengths[0]
    given = sys.stdin.readline().strip()
    if given.isdigit() and 1 <= int(given) <= len(lengths):
        return lengths[int(given) - 1]
    return lengths[0]
