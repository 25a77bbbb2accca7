"""Choose what predicts best, by cross-validation, and write it as one bundle.

Compares every configuration whose folds are all trained (autoseg train DATASET
CONFIGURATION all-folds), averages of two, and post-processing; says what each gains,
with confidence intervals; keeps only what gains. Nothing has to be asked for
beforehand. The bundle holds everything: autoseg predict -m BUNDLE. docs/select.md says
more.

examples:
  autoseg find_best DATASET
  autoseg find_best DATASET --by hd95
"""

from __future__ import annotations

import argparse
from pathlib import Path

from autoseg.cli._arguments import add_overwrite, add_workers, command
from autoseg.cli._which import add_configuration, add_dataset, chosen_dataset
from autoseg.report.live import tell_page

RESULT = "the file, the page, and why it is this"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's arguments."""
    add_dataset(parser)
    add_configuration(
        parser, "what is compared; by default all that is trained", several=True
    )
    parser.add_argument(
        "--by",
        metavar="MEASURE",
        help="dice, nsd, hd95, assd, iou, ... of summary.json; by default the first "
        "that the task has",
    )
    parser.add_argument(
        "--no-ensembles",
        action="store_true",
        help="do not try averages of two configurations",
    )
    parser.add_argument(
        "--no-postprocessing",
        action="store_true",
        help="do not try thresholds, filled holes and removed components",
    )
    parser.add_argument(
        "--crf",
        action="store_true",
        help="of label maps, try dense conditional random fields, too: borders move to "
        "where the image changes (slow)",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE.zip",
        help="the bundle; by default ROOT/results/DATASET/best/model.zip",
    )
    parser.add_argument(
        "--device", default="auto", help="where outputs are predicted; default auto"
    )
    parser.add_argument(
        "--license", default="not stated", help="terms of the weights, for the card"
    )
    add_overwrite(parser)
    add_workers(parser)


def run(arguments: argparse.Namespace) -> None:
    """Choose, and say what was chosen, why, and how to use it."""
    from autoseg.find_best.stage import find_best

    dataset = chosen_dataset(arguments)
    path, selection = find_best(
        dataset,
        arguments.root,
        configurations=arguments.configurations,
        by=arguments.by,
        ensembles=not arguments.no_ensembles,
        postprocessing=not arguments.no_postprocessing,
        crf=arguments.crf,
        device=arguments.device,
        workers=arguments.workers,
        output=arguments.output,
        overwrite=arguments.overwrite,
        license=arguments.license,
    )
    print(selection.text())
    print()
    page = tell_page(dataset, arguments.root)
    arguments.result = {"file": path, "page": page, "selection": selection}
    print("The report again, and predictions of any folder of images (-i):")
    print(f"Next: {command('report', dataset, root=arguments.root)}")
    images = _images(dataset, arguments.root)
    following = command("predict", "-m", path, "-i", images, "-o", "OUT")
    print(f"      {following}")


def _images(dataset: str, root: Path | None) -> str:
    """Return a folder of images to try a model on: test cases, if there are any."""
    from autoseg.errors import UsageError
    from autoseg.workspace import find_dataset, find_root

    try:
        folder = find_dataset(dataset, find_root(root))
    except UsageError:
        return "IMAGES"
    for part in (folder / "imagesTs", folder / "imagesTr"):
        if part.is_dir() and any(part.iterdir()):
            return str(part)
    return "IMAGES"
