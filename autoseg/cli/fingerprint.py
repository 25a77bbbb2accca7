"""Describe a data set in numbers: shapes, spacings, intensities, classes.

Reads every training case once and writes fingerprint.json to
ROOT/preprocessed/DATASET. Nothing is done again if no file has changed since; an
interrupted run goes on where it was. With --num-parts, several machines share the
cases out, and the last one that is done writes the file.
"""

from __future__ import annotations

import argparse

import numpy as np

from autoseg.cli._arguments import add_memory, add_workers, verify
from autoseg.cli._parts import add_parts, parts_of
from autoseg.cli._which import add_dataset, chosen_datasets
from autoseg.fingerprint.stage import fingerprint
from autoseg.spec.fingerprint import Fingerprint

RESULT = "the fingerprint of each data set"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's arguments."""
    add_dataset(parser, several=True)
    add_workers(parser)
    add_memory(parser)
    add_parts(parser)
    parser.add_argument(
        "--overwrite",
        "--clean",
        action="store_true",
        help="measure everything again even if no file has changed",
    )
    parser.add_argument(
        "--verify-dataset-integrity",
        "--verify_dataset_integrity",
        action="store_true",
        help="run `autoseg check` first, and stop if it finds an error",
    )


def run(arguments: argparse.Namespace) -> None:
    """Measure, and print the most important numbers."""
    num_parts, part_id = parts_of(arguments)
    arguments.result = []
    for dataset in chosen_datasets(arguments):
        if arguments.verify_dataset_integrity:
            verify(dataset, arguments.root, arguments.workers)
        made = fingerprint(
            dataset,
            arguments.root,
            workers=arguments.workers,
            max_memory=arguments.max_memory,
            overwrite=arguments.overwrite,
            num_parts=num_parts,
            part_id=part_id,
            cluster=arguments.cluster,
        )
        arguments.result.append(made)
        print(_summary(made))


def _summary(made: Fingerprint) -> str:
    shapes = np.median(made.shapes, axis=0)
    spacings = np.median(made.spacings, axis=0)
    lines = [
        f"Fingerprint of {made.dataset}",
        f"  cases          {made.num_cases}",
        f"  median shape   {_by_axis(shapes)} voxels"
        f" ({made.relative_size_after_crop:.0%} of the image after cropping)",
        f"  median spacing {_by_axis(spacings)} {made.unit}",
    ]
    if made.orientation:
        counts = ", ".join(f"{n} {code}" for code, n in made.orientations.items())
        lines.append(f"  orientation    {made.orientation} (of {counts})")
    for name, measured in zip(made.channel_names, made.intensities, strict=True):
        lines.append(
            f"  channel {name}: mean {measured.mean:.4g}, std {measured.std:.4g}, "
            f"0.5 % {measured.percentile_00_5:.4g}, "
            f"99.5 % {measured.percentile_99_5:.4g} in the foreground"
        )
    return "\n".join(lines)


def _by_axis(values: np.ndarray) -> str:
    return " x ".join(f"{value:g}" for value in values)
