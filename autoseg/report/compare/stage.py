"""Compare runs or tools on the same cases, and write a page about it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from autoseg.datasets.read import open_dataset
from autoseg.errors import UsageError
from autoseg.outputs import refuse_foreign
from autoseg.report.compare import comparison
from autoseg.report.compare.comparison import Comparison
from autoseg.report.compare.page import write_comparison
from autoseg.report.compare.runs import read_runs

PathLike = str | os.PathLike[str]


def compare(
    runs: Sequence[str],
    output: PathLike,
    *,
    dataset: PathLike | None = None,
    annotations: PathLike | None = None,
    by: str | None = None,
    margin: float = 0.0,
    equal: str | None = None,
    root: PathLike | None = None,
    workers: int | None = None,
    overwrite: bool = False,
) -> Comparison:
    """Say whether one of several runs is better, or chance is.

    Parameters
    ----------
    runs : sequence of str
        Two or more, each a path or ``NAME=PATH``: a folder of predictions, a trained
        fold or configuration (its folds are pooled), or a ``summary.json``.
    output : path
        The page, ending in ``.html``; its numbers are beside it, in ``.json``.
    dataset : path or str, optional
        Scores predictions that have no scores yet, and says which cases belong to one
        group.
    annotations : path, optional
        Annotations to score by; by default those of the data set.
    by : str, optional
        The measure, such as ``"dice"``; by default the first.
    margin : float
        Gains below this do not matter in practice.
    equal : str, optional
        ``"time"``, ``"iterations"`` or ``"memory"``: refuse trained runs that differ in
        it by more than 5 %.
    root : path, optional
        ROOT; by default ``$AUTOSEG_ROOT``, else ``./autoseg_root``.
    workers : int, optional
        Cases scored at the same time.
    overwrite : bool
        Replace also what autoseg did not write.

    Returns
    -------
    Comparison
        Its ``sentences()`` say what was found.

    Raises
    ------
    UsageError
        If there are fewer than two runs, one does not exist, they differ in what is to
        be equal, or the page cannot be written there.
    """
    page = Path(output)
    if page.suffix != ".html":
        raise UsageError(f"{page}: give a file name ending in .html.")
    if not margin >= 0:
        raise UsageError(f"The margin is {margin}: give 0 or more.")
    refuse_foreign(
        [page, page.with_suffix(".json")],
        inputs=[Path(text.rpartition("=")[2]) for text in runs],
        overwrite=overwrite,
    )
    found = comparison.compare(
        read_runs(
            runs,
            page.with_suffix(""),
            workers=workers,
            annotations=annotations,
            dataset=dataset,
            root=root,
        ),
        measure=by,
        margin=margin,
        groups=_groups(dataset, root),
        equal=equal,
    )
    write_comparison(found, page)
    return found


def _groups(dataset: PathLike | None, root: PathLike | None) -> dict[str, str]:
    """Return the group of each case that has one."""
    if dataset is None:
        return {}
    described, _ = open_dataset(dataset, root)
    return {c.id: c.group for c in described.training if c.group is not None}
