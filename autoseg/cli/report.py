"""Write one page about a data set and everything that was trained on it.

The page shows the data, the plan with its reasons, learning curves, scores of each
fold, class and case with confidence intervals, and the best, median and worst cases. It
is one file that opens in a browser, without a network; report.json beside it has all
numbers.

examples:
  autoseg report DATASET
  autoseg report DATASET -o report.html
  autoseg report DATASET --predictions OUT --images IMAGES
"""

from __future__ import annotations

import argparse
from pathlib import Path

from autoseg.cli._arguments import add_overwrite
from autoseg.cli._which import (
    add_configuration,
    add_dataset,
    add_fold,
    chosen_dataset,
)

RESULT = "the page"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's arguments."""
    add_dataset(parser)
    add_configuration(parser, "what is shown of it; by default all that is trained")
    add_fold(parser, "of the configuration, this one alone")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="PATH",
        help="a folder, or a name ending in .html; by default ROOT/results/DATASET",
    )
    parser.add_argument(
        "--predictions",
        type=Path,
        metavar="FOLDER",
        help="predictions without annotation: volumes, and warnings where images are "
        "unlike those of training",
    )
    parser.add_argument(
        "--images",
        type=Path,
        metavar="FOLDER",
        help="images of --predictions; by default those of the data set",
    )
    parser.add_argument(
        "--calibration",
        action="store_true",
        help="predict the probabilities of held-out cases that find_best has not kept, "
        "to show how far they are to be trusted",
    )
    parser.add_argument(
        "--no-pictures",
        action="store_true",
        help="show no cases: faster, and no image is read",
    )
    add_overwrite(parser)


def run(arguments: argparse.Namespace) -> None:
    """Write the page, and say where it is."""
    from autoseg.report.stage import report

    page = report(
        chosen_dataset(arguments),
        arguments.root,
        configuration=arguments.configuration,
        fold=arguments.fold,
        output=arguments.output,
        pictures=not arguments.no_pictures,
        predictions=arguments.predictions,
        images=arguments.images,
        outputs=arguments.calibration,
        overwrite=arguments.overwrite,
    )
    arguments.result = {"page": page, "numbers": page.with_suffix(".json")}
    print(f"{page}\nOpen it in a browser; it needs no other file.")
