"""Score predictions against annotations, per case and class.

Writes summary.json and summary.csv and prints a table with confidence intervals.
Files belong together by case id, whatever their endings; docs/metrics.md defines each
number.

examples:
  autoseg evaluate -g ANNOTATIONS -p PREDICTIONS -d DATASET
  autoseg evaluate -p PREDICTIONS -d DATASET            (the data set's annotations)
  autoseg evaluate -g ANNOTATIONS -p PREDICTIONS -l liver=1 tumor=2 both=1,2
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from autoseg.cli._arguments import add_memory, add_overwrite, add_workers
from autoseg.cli._parts import add_parts, parts_of
from autoseg.cli._which import add_root
from autoseg.errors import CaseErrors, UsageError

RESULT = "all scores"
WORST = "worst_cases.png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's arguments; nnU-Net's flags where they mean the same."""
    parser.add_argument(
        "-g",
        "--annotations",
        type=Path,
        metavar="PATH",
        help="folder of annotations (of landmarks also one file of all cases); by "
        "default those of the data set",
    )
    parser.add_argument(
        "-p",
        "--predictions",
        type=Path,
        required=True,
        metavar="PATH",
        help="folder of predictions (of landmarks also one file of all cases)",
    )
    _add_meaning(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="PATH",
        help="folder for summary.json and summary.csv, or a file name ending in .json; "
        "by default the folder of predictions",
    )
    _add_measures(parser)
    parser.add_argument(
        "--images",
        type=Path,
        metavar="FOLDER",
        help="landmarks: images of the cases, for the size of a voxel; by default the "
        "data set's",
    )
    parser.add_argument(
        "--chill",
        action="store_true",
        help="score what is there, even if predictions are missing",
    )
    add_overwrite(parser)
    add_root(parser)
    add_workers(parser)
    add_memory(parser)
    add_parts(parser)


def _add_measures(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tolerance",
        type=float,
        metavar="LENGTH",
        help="of the NSD, in the unit of the images; by default the smallest edge of a "
        "voxel",
    )
    parser.add_argument(
        "--no-border",
        action="store_true",
        help="instances: leave out those that touch the border of the image",
    )
    parser.add_argument(
        "--size-limits",
        type=float,
        nargs=2,
        metavar=("SMALL", "LARGE"),
        help="instances: up to which area or volume an object is small, and over which "
        "it is large; by default the quartiles of what is annotated",
    )
    parser.add_argument(
        "--normalization",
        nargs="+",
        metavar="RULE",
        help="of landmarks' errors: diagonal (of the box around them, the default), "
        "box, or the names of two landmarks whose distance is 1",
    )


def _add_meaning(parser: argparse.ArgumentParser) -> None:
    meaning = parser.add_mutually_exclusive_group()
    meaning.add_argument(
        "-d",
        "--dataset",
        metavar="DATASET",
        help="says what label values mean: a folder with a dataset.json, that file, or "
        "the name or number of a data set in ROOT/raw",
    )
    meaning.add_argument(
        "-l",
        "--labels",
        nargs="+",
        metavar="LABEL",
        help="label values to score without a data set: 1, or liver=1, or, for a "
        "region of several values, both=1,2",
    )
    parser.add_argument(
        "--ignore",
        "-il",
        type=int,
        metavar="VALUE",
        help="with -l: value of voxels that nobody annotated",
    )


def run(arguments: argparse.Namespace) -> None:
    """Score, and print what was found."""
    from autoseg.evaluate.files import output_file
    from autoseg.evaluate.stage import evaluate
    from autoseg.evaluate.summary import Summary
    from autoseg.outputs import refuse_foreign, writing

    labels = None if arguments.labels is None else read_labels(arguments.labels)
    if arguments.ignore is not None and labels is None:
        raise UsageError(
            "--ignore goes with --labels; a data set names its ignored value itself."
        )
    file = output_file(arguments.predictions, arguments.output)
    refuse_foreign([file.with_name(WORST)], overwrite=arguments.overwrite)
    num_parts, part_id = parts_of(arguments)
    try:
        evaluate(
            arguments.predictions,
            arguments.annotations,
            _folder(arguments.dataset),
            labels=labels,
            ignore=arguments.ignore,
            tolerance=arguments.tolerance,
            border=False if arguments.no_border else None,
            size_limits=arguments.size_limits,
            normalization=_rule(arguments.normalization),
            images=arguments.images,
            chill=arguments.chill,
            output=arguments.output,
            overwrite=arguments.overwrite,
            root=arguments.root,
            workers=arguments.workers,
            max_memory=arguments.max_memory,
            num_parts=num_parts,
            part_id=part_id,
            cluster=arguments.cluster,
        )
    except CaseErrors as error:
        if error.finished:
            print(Summary.load(file).table(width=_width()), end="\n\n")
        raise
    summary = Summary.load(file)
    arguments.result = json.loads(file.read_text(encoding="utf-8"))
    print(summary.table(width=_width()))
    if summary.missing:
        print(f"Not predicted, and not scored: {', '.join(summary.missing)}.")
    if summary.points and arguments.dataset is not None:
        with writing([file.with_name(WORST)]):
            _draw_worst(summary, arguments, file.with_name(WORST))
    print(f"\nPer case: {file} and {file.with_suffix('.csv').name} beside it.")


def _width() -> int:
    """Return how many letters a line may have: those of the terminal, 80 at least."""
    return max(80, shutil.get_terminal_size((80, 24)).columns)


def _draw_worst(summary: Any, arguments: argparse.Namespace, path: Path) -> None:
    """Draw the cases whose landmarks are farthest off, where there are images."""
    from autoseg.datasets.read import load_dataset
    from autoseg.report.landmarks import plot_worst_points
    from autoseg.workspace import find_dataset, find_root

    folder = find_dataset(str(_folder(arguments.dataset)), find_root(arguments.root))
    dataset = load_dataset(folder)
    known = {case.id for case in dataset.training if case.annotation is not None}
    if set(summary.cases) <= known:
        plot_worst_points(summary, dataset, arguments.predictions, path)
        print(f"The worst cases: {path}")


def _rule(words: list[str] | None) -> str | list[str] | None:
    """Return a normalization by its name, or two landmarks."""
    return words[0] if words and len(words) == 1 else words


def read_labels(words: list[str]) -> dict[str, Any]:
    """Return the classes that the words behind ``-l`` name.

    Parameters
    ----------
    words : list of str
        Each ``VALUE``, ``NAME=VALUE`` or with several values, ``NAME=VALUE,VALUE``.

    Returns
    -------
    dict of str to int or list of int
        By name.

    Raises
    ------
    UsageError
        If a word is something else, or a name comes twice.

    Examples
    --------
    >>> read_labels(["1", "both=1,2"])
    {'1': 1, 'both': [1, 2]}
    """
    labels: dict[str, Any] = {}
    for word in words:
        name, _, values = word.rpartition("=")
        parts = values.split(",")
        if not all(part.strip().isdigit() for part in parts):
            raise UsageError(
                f"-l {word}: give label values, such as 1, liver=1 or both=1,2."
            )
        if (name or values) in labels:
            raise UsageError(f"-l names {name or values!r} twice.")
        numbers = [int(part) for part in parts]
        labels[name or values] = numbers if len(numbers) > 1 else numbers[0]
    return labels


def _folder(dataset: str | None) -> str | None:
    """Return a data set as it is given; for its dataset.json, the folder of it."""
    if dataset is not None and Path(dataset).name == "dataset.json":
        return str(Path(dataset).parent)
    return dataset
