"""Arguments of commands whose cases can be shared out over several machines."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from typing import Any

from autoseg.cli._arguments import positive
from autoseg.errors import UsageError

AUTO = "auto"


def add_parts(parser: argparse.ArgumentParser) -> None:
    """Declare ``--num-parts``, ``--part-id`` and ``--cluster``: several machines."""
    parser.add_argument(
        "--num-parts",
        "-num_parts",
        type=_number_of_parts,
        default=1,
        metavar="N",
        help="share the cases out over N runs of this command; auto: over the tasks of "
        "the SLURM array that this runs in",
    )
    parser.add_argument(
        "--part-id",
        "-part_id",
        type=int,
        default=0,
        metavar="I",
        help="which share this run takes: 0 to N - 1",
    )
    add_cluster(parser)


def add_cluster(parser: argparse._ActionsContainer, what: str = "the cases") -> None:
    """Declare ``--cluster``: a Dask cluster that works on cases or folds."""
    parser.add_argument(
        "--cluster",
        metavar="CLUSTER",
        help=f"have a Dask cluster work on {what}: local:N, tcp://HOST:PORT, a "
        "scheduler file (.json), or options for SLURM (.toml); see docs/cluster.md",
    )


def parts_of(arguments: argparse.Namespace) -> tuple[int, int]:
    """Return the number of parts and which one this is, from those two arguments.

    Raises
    ------
    UsageError
        If ``auto`` is asked for outside of an array.
    """
    if arguments.num_parts == AUTO:
        return parts_of_array(os.environ)
    return arguments.num_parts, arguments.part_id


def parts_of_array(environment: Mapping[str, str]) -> tuple[int, int]:
    """Return the number of tasks of a SLURM array, and which of them this is.

    Parameters
    ----------
    environment : mapping of str to str
        With SLURM's variables: https://slurm.schedmd.com/job_array.html.

    Returns
    -------
    (int, int)
        Tasks of the array may be numbered from any number on, in any steps.

    Raises
    ------
    UsageError
        If this is no task of an array.
    """
    names = [f"SLURM_ARRAY_TASK_{name}" for name in ("COUNT", "ID", "MIN", "STEP")]
    found = [environment.get(name, "") for name in names]
    # Arrays of a version that tells no step have one of 1.
    numbers = [int(text) for text in (*found[:3], found[3] or "1") if text.isdecimal()]
    if len(numbers) < len(names) or numbers[3] < 1:
        raise UsageError(
            "--num-parts auto takes the parts from a SLURM array, and this is no task "
            f"of one: {names[0]} is not set. Submit it with `sbatch --array`, or give "
            "--num-parts N --part-id I."
        )
    count, number, least, step = numbers
    return count, (number - least) // step


def _number_of_parts(text: str) -> int | str:
    return AUTO if text == AUTO else positive(text)


def threads_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the numbers of threads that read and write, as far as they are given."""
    found = {"readers": arguments.readers, "writers": arguments.writers}
    for name, flag in (("readers", "--readers"), ("writers", "--writers")):
        if found[name] is not None and found[name] < 0:
            raise UsageError(f"{flag} {found[name]}: give 0 or more.")
    return {name: value for name, value in found.items() if value is not None}
