"""A sample beside exported networks, and whether their runner agrees on it."""

from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import ModelError
from autoseg.model.model import Model

logger = logging.getLogger(__name__)

IMAGE, LABELS = "sample_image.npz", "sample_labels.npz"
EQUAL = 0.9999  # of the sample's voxels, or nothing is written
SAMPLE = 0.8  # of a patch, in voxels that are so much larger: one window sees it all
SLICES = 3  # of a sample that is seen slice by slice


def sample_of(
    model: Model, settings: dict[str, Any]
) -> tuple[NDArray[np.float32], list[float]]:
    """Return smooth noise that one window sees, on another grid than the network's."""
    chosen = model.settings
    edges = [max(2, int(SAMPLE * edge)) for edge in chosen.patch_size]
    spacing = [edge / SAMPLE for edge in chosen.spacing]
    if settings["flat"]:
        edges, spacing = [SLICES, *edges], [max(spacing), *spacing]
    back = np.argsort(settings["transpose"])
    shape = [edges[axis] for axis in back]
    rng = np.random.default_rng(0)
    image = rng.normal(size=(len(model.plan.channels), *shape))
    for axis in range(1, image.ndim):  # so that neighbors are alike, as in images
        image += np.roll(image, 1, axis) + np.roll(image, 2, axis)
    image -= image.min()
    image *= 200 / image.max()  # in the range of a picture
    image += 1  # nothing is cropped
    return image.astype(np.float32), [float(spacing[axis]) for axis in back]


def checked_by_runner(folder: Path, labels: NDArray[Any], runtime: str) -> str:
    """Run the runner on the sample, if its runtime is there; say what was found.

    Parameters
    ----------
    folder : Path
        With the runner and the sample.
    labels : ndarray of int
        What autoseg says of the sample.
    runtime : str
        The package that the runner imports.

    Returns
    -------
    str
        For the README.

    Raises
    ------
    ModelError
        If its labels are others.
    """
    if importlib.util.find_spec(runtime) is None:
        logger.warning(
            "%s is not installed, so the runner was not run on the sample: pip install "
            "%s, and compare with sample_labels.npz.",
            runtime,
            runtime,
        )
        return "the runner was not run when this was written"
    found = folder / "found.npz"
    done = subprocess.run(
        [sys.executable, "run.py", IMAGE, found.name],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    try:
        if done.returncode:
            raise ModelError(f"The runner failed: {done.stderr.strip()[-500:]}")
        share = float(np.mean(np.load(found)["labels"] == labels))
    finally:
        found.unlink(missing_ok=True)
    if share < EQUAL:
        raise ModelError(
            f"The runner gives other labels than autoseg in {1 - share:.3%} of the "
            f"sample's voxels; {folder} cannot be relied on."
        )
    return f"the runner gave the same labels in {share:.3%} of its voxels"
