"""Rank images by what annotating them would teach, with drafts to begin from.

A model of the data set predicts the images. First come those that it is unsure of and
that are unlike what is annotated, and no two alike after each other. OUT/images links
to those that come first, OUT/drafts has predictions to be corrected, OUT/next.json the
list. Nothing that was changed by hand is replaced. docs/teach.md says more.

examples:
  autoseg next DATASET IMAGES -o OUT
  autoseg next DATASET IMAGES -o OUT -m MODEL --take 20
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from autoseg.cli._arguments import add_workers, positive
from autoseg.cli._which import add_root
from autoseg.workspace import find_dataset, find_root

RESULT = "the list, those to annotate first in the front"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's arguments."""
    parser.add_argument(
        "dataset",
        metavar="DATASET",
        help="a folder with a dataset.json, or the name or number of one in ROOT/raw",
    )
    parser.add_argument(
        "images", type=Path, metavar="IMAGES", help="a folder, as predict takes it"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT", help="a folder"
    )
    parser.add_argument(
        "-m",
        "--model",
        type=Path,
        metavar="MODEL",
        help="what predicts; by default what find_best chose, or the only model that "
        "is trained",
    )
    parser.add_argument("-c", "--configuration", metavar="NAME", help="3d_fullres")
    parser.add_argument("-p", "--plan", metavar="NAME", help="name of the plan")
    parser.add_argument(
        "--take",
        type=positive,
        default=10,
        metavar="N",
        help="images that come first; default %(default)s",
    )
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda, cuda:N or mps"
    )
    add_workers(parser)
    add_root(parser)


def run(arguments: argparse.Namespace) -> None:
    """Rank, draft, and print the table."""
    from autoseg.teaching.stage import next as rank_next

    ranked = rank_next(
        arguments.dataset,
        arguments.images,
        arguments.output,
        arguments.root,
        model=arguments.model,
        configuration=arguments.configuration,
        plan=arguments.plan,
        take=arguments.take,
        device=arguments.device,
        workers=arguments.workers,
    )
    arguments.result = [
        {
            "case": one.case,
            "score": one.score,
            "quality": None if math.isnan(one.quality) else one.quality,
            "unlike": one.unlike,
            "because": list(one.because),
        }
        for one in ranked
    ]
    wide = min(30, max(len(one.case) for one in ranked[: arguments.take]))
    print(f"      {'case':<{wide}}  score  quality  unlike  because")
    for number, one in enumerate(ranked[: arguments.take], 1):
        quality = "-" if math.isnan(one.quality) else f"{one.quality:.3f}"
        name = one.case if len(one.case) <= wide else f"{one.case[: wide - 3]}..."
        print(
            f"{number:>4}  {name:<{wide}}  {one.score:.3f}  {quality:>7}  "
            f"{one.unlike:>6.3g}  {', '.join(one.because)}"
        )
    folder = find_dataset(arguments.dataset, find_root(arguments.root))
    print(
        f"{arguments.output}: images to annotate, and drafts to correct. Then "
        f"{_where(folder)}."
    )


def _where(folder: Path) -> str:
    """Return where new cases of a data set belong."""
    from autoseg.datasets.description import Description
    from autoseg.datasets.layouts.names import is_bids

    if is_bids(folder):
        return (
            f"put the drafts beside the annotations in {folder / 'derivatives'}, "
            "called as these are"
        )
    if "dataset" in Description(folder).raw:
        return f"name both in `dataset` of {folder / 'dataset.json'}"
    return f"copy them to {folder / 'imagesTr'} and {folder / 'labelsTr'}"
