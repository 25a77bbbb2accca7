"""Find every problem of a data set at once, each with its fix.

Reads every training case and looks for missing files, shapes and headers that disagree,
values that are not finite, unknown label values, wrong numbers of channels, empty
annotations, odd spacings, duplicates, classes that never occur, and splits that
contradict the cases.

Exit code 2 if training would fail, 0 otherwise.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from autoseg.cli._arguments import add_workers
from autoseg.cli._which import add_dataset, chosen_datasets
from autoseg.datasets.files import commonest_ending
from autoseg.fingerprint.check.stage import Problem, Report, examine
from autoseg.formats.base import known_endings
from autoseg.spec.dataset import Dataset
from autoseg.workspace import find_dataset, find_root

RESULT = "every problem"
FEW = 5  # files that are named for one problem
NUMBERS = re.compile(r"\d[\d.,eE+-]*")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's arguments."""
    add_dataset(parser, several=True)
    add_workers(parser)
    parser.add_argument(
        "--all",
        action="store_true",
        help=f"name every file that has a problem, not only the first {FEW} of those "
        "that are alike",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print every problem; return 2 if there is an error among them."""
    root = find_root(arguments.root)
    code = 0
    arguments.result = []
    for dataset in chosen_datasets(arguments):
        folder = find_dataset(dataset, root)
        report = examine(folder, arguments.workers)
        print(_page(report, folder, arguments.all))
        arguments.result += [
            {
                "dataset": folder.name,
                "severity": problem.severity,
                "file": str(problem.file),
                "case": problem.case,
                "found": problem.found,
                "fix": problem.fix,
            }
            for problem in report.problems
        ]
        if report.has_errors:
            code = 2
    return code


def _page(report: Report, folder: Path, every: bool) -> str:
    lines = [f"Data set {folder.name}"]
    if report.dataset is not None:
        lines += _summary(report)
    counts = []
    for severity in ("error", "warning", "note"):
        problems = [p for p in report.problems if p.severity == severity]
        for group in _groups(problems, every):
            lines += ["", *_paragraph(group, folder, every)]
        if problems:
            counts.append(f"{len(problems)} {severity}{'s' * (len(problems) > 1)}")
    lines += ["", ", ".join(counts) or "Nothing is wrong."]
    if report.has_errors:
        lines[-1] += ". Training would fail: mend the errors, and check again."
    elif counts:
        lines[-1] += ". Training can start."
    return "\n".join(lines)


def _groups(problems: Sequence[Problem], every: bool) -> list[list[Problem]]:
    """Put together what is the same, or, in short, the same but for numbers."""
    grouped: dict[tuple[str, str], list[Problem]] = {}
    for problem in problems:
        key = (problem.found, problem.fix)
        grouped.setdefault(key if every else _alike(problem), []).append(problem)
    return [one for group in grouped.values() for one in _said_apart(group)]


def _said_apart(group: Sequence[Problem]) -> list[list[Problem]]:
    """Return findings about one file alone, such as dataset.json, one by one."""
    if len({problem.file for problem in group}) > 1 or any(p.case for p in group):
        return [list(group)]
    apart: dict[str, list[Problem]] = {}
    for problem in group:
        apart.setdefault(problem.found, [problem])
    return list(apart.values())


def _alike(problem: Problem) -> tuple[str, str]:
    """Return what is found and the fix without the file's own name and numbers."""
    own = {problem.case or problem.file.name.partition(".")[0], problem.file.name}
    texts = [problem.found, problem.fix]
    for name in sorted(own, key=len, reverse=True):
        if len(name) > 1:  # "a" is a word
            whole = rf"(?<!\w){re.escape(name)}(?!\w)"
            texts = [re.sub(whole, "#", text) for text in texts]
    return NUMBERS.sub("#", texts[0]), texts[1]


def _paragraph(problems: Sequence[Problem], folder: Path, every: bool) -> list[str]:
    first = problems[0]
    names = [_named(problem, folder) for problem in problems]
    shown = names if every else names[:FEW]
    files = ", ".join(shown)
    if len({problem.file for problem in problems}) == 1 and first.case:
        cases = ", ".join(problem.case for problem in problems[: len(shown)])
        files = f"{_relative(first.file, folder)}: {cases}"
    if len(names) > len(shown):
        files += f" and {len(names) - len(shown)} more (--all names them)"
    alike = any(problem.found != first.found for problem in problems)
    return [
        f"{first.severity.upper()}  {files}",
        f"  {first.found}" + (" The others are alike." if alike else ""),
        *([f"  {first.fix}"] if first.fix else []),
    ]


def _named(problem: Problem, folder: Path) -> str:
    """Return the file of a problem, and the case where the file has several."""
    file = _relative(problem.file, folder)
    return f"{file}: {problem.case}" if problem.case else file


def _relative(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def _summary(report: Report) -> list[str]:
    dataset = report.dataset
    if dataset is None:
        return []
    listed = dataset.raw.get("dataset") is not None
    unknown = "imagesTr" in report.hidden and not listed
    training = "nobody knows how many" if unknown else str(len(dataset.training))
    test = "some" if "imagesTs" in report.hidden else str(len(dataset.test))
    lines = [
        f"  task        {dataset.task}",
        f"  cases       {training} to train on, {test} in imagesTs",
        f"  channels    {', '.join(dataset.channel_names)}",
        f"  files       images {dataset.image_ending}, annotations "
        f"{_annotation_ending(dataset) or 'unknown'}",
    ]
    grids = [case.geometry for case in report.cases if case.geometry is not None]
    if len({grid.dim for grid in grids}) == 1:
        axes = "z, y, x" if grids[0].dim == 3 else "y, x"
        shapes = np.array([grid.shape for grid in grids])
        spacings = np.array([grid.spacing for grid in grids])
        lines.append(f"  shape       {_ranges(shapes)} voxels ({axes})")
        lines.append(f"  spacing     {_ranges(spacings)} {grids[0].unit}")
    codes = sorted({case.orientation for case in report.cases if case.orientation})
    if codes:
        lines.append(f"  orientation {', '.join(codes)}")
    if report.classes:
        counts = (f"{name} in {count}" for name, count in report.classes.items())
        lines.append(f"  classes     {', '.join(counts)} cases")
    return lines


def _annotation_ending(dataset: Dataset) -> str:
    """Return how annotations end, or the one file that has them all.

    Predictions of what is only read end otherwise.
    """
    files = [case.annotation for case in dataset.training if case.annotation]
    images = commonest_ending(files, known_endings())
    if images or not files:
        return images or dataset.annotation_ending
    if len(set(files)) == 1 and len(files) > 1:
        return _relative(files[0], dataset.folder)
    suffixes = Counter(path.suffix for path in files if not path.is_dir())
    return max(suffixes, key=suffixes.__getitem__, default="in folders")


def _ranges(values: np.ndarray) -> str:
    """Return median and range along each axis, such as 35 (30-41) x 51 x 36."""
    parts = []
    for low, middle, high in zip(
        values.min(axis=0), np.median(values, axis=0), values.max(axis=0), strict=True
    ):
        ends = f"{low:.4g}", f"{high:.4g}"
        spread = f" ({'-'.join(ends)})" if ends[0] != ends[1] else ""
        parts.append(f"{middle:.4g}{spread}")
    return " x ".join(parts)
