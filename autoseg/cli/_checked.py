"""Looking for problems of a data set before any work is done on it."""

from __future__ import annotations

import sys
from pathlib import Path

from autoseg.errors import DatasetError
from autoseg.workspace import find_dataset, find_root


def verify(dataset: str, root: Path | None, workers: int | None = None) -> None:
    """Check a data set, print every problem, and raise if it cannot be used.

    Parameters
    ----------
    dataset : str
        A folder, or the name or number of a data set in ``ROOT/raw``.
    root : Path or None
        ROOT.
    workers : int, optional
        Cases looked at at the same time.

    Raises
    ------
    DatasetError
        If there is an error among the problems; warnings are printed only.
    """
    from autoseg.datasets.read import load_dataset
    from autoseg.fingerprint.check.stage import check_dataset

    folder = find_dataset(dataset, find_root(root))
    problems = check_dataset(load_dataset(folder), workers)
    for problem in problems:
        said = f"{problem.severity}: {problem.file}: {problem.found} {problem.fix}"
        print(said.rstrip(), file=sys.stderr)
    errors = sum(problem.severity == "error" for problem in problems)
    if errors:
        raise DatasetError(
            f"{folder} has {errors} error(s), listed above. Mend them and run the same "
            "command again."
        )
