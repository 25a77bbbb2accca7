"""Find a trained model by data set, plan and configuration."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from autoseg.datasets.read import find_workspace
from autoseg.errors import UsageError, did_you_mean
from autoseg.workspace import DEFAULT_PLAN, MODEL_PLAN, Workspace

logger = logging.getLogger(__name__)


def find_model(
    dataset: str,
    configuration: str | None,
    root: Path,
    *,
    plan: str | None = None,
    trainer: str | None = None,
) -> Path:
    """Return the folder of a trained configuration.

    Parameters
    ----------
    dataset : str
        Path of a data set, or name or number of one in ``ROOT/raw`` or
        ``ROOT/results``.
    configuration : str or None
        Such as ``"3d_fullres"``; None: the only one that is trained.
    root : Path
        ROOT.
    plan : str, optional
        Name of the plan; by default ``unet``, or the only one that is trained.
    trainer : str, optional
        Of a model of nnU-Net in ``ROOT/results``.

    Returns
    -------
    Path
        A folder for `load_model`.

    Raises
    ------
    UsageError
        If there is none, or several fit; the message lists what there is.
    DatasetError
        If what is in ROOT belongs to another data set of the same name.
    """
    results = Workspace(root=root, dataset=_dataset_name(dataset, root)).results
    foreign = f"{trainer or 'nnUNetTrainer'}__{plan or 'nnUNetPlans'}__{configuration}"
    if (results / foreign / "plans.json").is_file():
        return results / foreign
    models = sorted(p.parent for p in results.glob(f"*/*/{MODEL_PLAN}"))
    fitting = [m for m in models if configuration in (None, m.name)]
    named = [m for m in fitting if m.parent.name == (plan or DEFAULT_PLAN)]
    if not named and len({m.parent.name for m in fitting}) == 1:
        named = fitting  # front ends name nnU-Net's plan, whatever the model
        logger.info("plan %s is used", fitting[0].parent.name)
    if len(named) == 1:
        return named[0]
    there = ", ".join(str(m.relative_to(results)) for m in models)
    if not models:
        raise UsageError(f"{results} has no trained model. Train one first.")
    wanted = f"configuration {configuration!r}" if configuration else "configuration"
    # One alone was returned above.
    count = f"{len(named)} trained models" if named else "no trained model"
    near = did_you_mean(configuration or "", sorted({m.name for m in models}))
    raise UsageError(
        f"{results} has {count} of plan {plan or DEFAULT_PLAN!r} and {wanted}.{near} "
        f"Trained are: {there}. Choose with -c and -p, or train one."
    )


def _dataset_name(dataset: str, root: Path) -> str:
    """Return a data set's name; its raw data need not be here."""
    names = [p.name for p in sorted((root / "results").glob("*")) if p.is_dir()]
    if dataset in names:
        return dataset
    try:
        return find_workspace(dataset, root).dataset
    except UsageError:
        if dataset.isdigit():
            pattern = rf"Dataset0*{int(dataset)}_"
            found = [name for name in names if re.match(pattern, name)]
            if len(found) == 1:
                return found[0]
        raise
