"""Compare runs or tools on the same cases, and say whether one is better or chance is.

A run is a folder of predictions, a trained fold or configuration (its folds are
pooled), or a summary.json. Runs are compared case by case, with confidence intervals,
a paired test and the stability of ranks, in words on the terminal and on a page. Of
trainings it also says what they cost, and draws what was reached over it.

examples:
  autoseg compare RESULTS/2d RESULTS/3d_fullres
  autoseg compare RESULTS/unet/2d RESULTS/mednext/2d --equal time
  autoseg compare ours=PREDICTIONS theirs=OTHER_PREDICTIONS -d DATASET --by nsd
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from autoseg.cli._arguments import add_overwrite, add_workers
from autoseg.cli._which import add_root

RESULT = "what was found"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's arguments."""
    parser.add_argument(
        "runs", nargs="+", metavar="RUN", help="a path, or NAME=PATH; two or more"
    )
    parser.add_argument(
        "-d",
        "--dataset",
        metavar="DATASET",
        help="scores predictions that have no scores yet, and says which cases belong "
        "to one group (patient)",
    )
    parser.add_argument(
        "-g",
        "--annotations",
        type=Path,
        metavar="FOLDER",
        help="annotations to score by; by default those of the data set",
    )
    parser.add_argument(
        "--by", metavar="MEASURE", help="dice, nsd, hd95, ...; by default the first"
    )
    parser.add_argument(
        "--margin",
        type=float,
        default=0.0,
        metavar="GAIN",
        help="gains below this do not matter in practice; by default every one does",
    )
    parser.add_argument(
        "--equal",
        choices=("time", "iterations", "memory"),
        help="refuse trainings that differ in it by more than 5 %%",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("comparison.html"),
        metavar="PAGE",
        help="an .html file; numbers go into a .json beside it. Default: %(default)s",
    )
    add_overwrite(parser)
    add_root(parser)
    add_workers(parser)


def run(arguments: argparse.Namespace) -> None:
    """Compare, say what was found, and where the page is."""
    from autoseg.report.compare.page import CAVEAT
    from autoseg.report.compare.stage import compare

    found = compare(
        arguments.runs,
        arguments.output,
        dataset=arguments.dataset,
        annotations=arguments.annotations,
        by=arguments.by,
        margin=arguments.margin,
        equal=arguments.equal,
        root=arguments.root,
        workers=arguments.workers,
        overwrite=arguments.overwrite,
    )
    numbers = arguments.output.with_suffix(".json")
    arguments.result = {
        "page": arguments.output,
        **json.loads(numbers.read_text(encoding="utf-8")),
    }
    for name, count in found.left_out.items():
        if count:
            print(f"{name} has {count} cases more, which some other run lacks.")
    print("\n".join(found.sentences()))
    print(CAVEAT)
    print(f"\n{arguments.output}: open it in a browser.")
