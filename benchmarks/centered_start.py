"""Do short trainings learn more where kernels start in the middle of what they see?

A convolution with a kernel of 3 and a stride of 2 is about the first of the two voxels
that its output stands for; `start_weights` leaves out its first tap at first, so that
nothing is shifted. Here the same training runs without that and with it, one after the
other, and both are scored on the fold's validation cases::

    python benchmarks/centered_start.py Dataset018_DSB2018 2d --iterations 250 \
        --batch-size 4 --set network.features=8,16,32,64,64,64 patch_size=256,256

The last columns say how far predictions lie beside annotations, in voxels: the shift
at which their foregrounds, as masks, overlap most, as the mean over the cases.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy.signal import fftconvolve

import autoseg
from autoseg.blueprints.modules import _start
from autoseg.cli._settings import parse_settings
from autoseg.datasets.read import load_dataset
from autoseg.evaluate.summary import Summary
from autoseg.workspace import SUMMARY, VALIDATION, Workspace

SCORES = ("f1_pooled", "ap_50_pooled", "map_pooled", "pq_pooled", "dice")
WAYS = {"off the middle": lambda module: None, "in the middle": _start._center}


def shift(found: NDArray[Any], true: NDArray[Any]) -> NDArray[Any]:
    """Return by how many voxels a mask lies beside another, along each axis."""
    pair = [one - one.mean() for one in (found.astype(float), true.astype(float))]
    match = fftconvolve(pair[0], pair[1][(slice(None, None, -1),) * true.ndim])
    place = np.unravel_index(int(match.argmax()), match.shape)
    return np.array(place) - (np.array(true.shape) - 1)


def mask(path: Path) -> NDArray[Any]:
    """Return where a label map is not 0."""
    return np.asarray(sitk.GetArrayFromImage(sitk.ReadImage(path)) > 0)


def beside(predictions: Path, annotations: dict[str, Path]) -> list[float]:
    """Return the mean shift of all label maps in a folder."""
    shifts = []
    for case, annotation in annotations.items():
        for path in predictions.glob(f"{case}.*"):
            if path.name.removeprefix(case) == annotation.name.removeprefix(case):
                shifts.append(shift(mask(path), mask(annotation)))
    return np.mean(shifts, axis=0).round(1).tolist() if shifts else []


def main() -> None:
    """Train both ways, print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("configuration")
    parser.add_argument("--iterations", type=int, default=250)
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--set", dest="changes", nargs="+", default=[])
    parser.add_argument("--root", type=Path, default=Path("centered"))
    given = parser.parse_args()
    dataset = load_dataset(given.dataset)
    annotations = {case.id: Path(case.annotation) for case in dataset.training}
    for seed in given.seeds:
        for way, center in WAYS.items():
            _start._center = center  # type: ignore[assignment]
            autoseg.train(
                given.dataset,
                given.configuration,
                0,
                root=given.root,
                iterations=given.iterations,
                batch_size=given.batch_size,
                seed=seed,
                threads=1,
                overwrite=True,
                settings=parse_settings(given.changes),
            )
            workspace = Workspace(root=given.root, dataset=dataset.name)
            folder = workspace.fold("unet", given.configuration, 0) / VALIDATION
            summary = Summary.load(folder / SUMMARY)
            found = summary.foreground
            words = ", ".join(f"{n} {found[n].mean:.3f}" for n in SCORES if n in found)
            print(
                f"seed {seed}, {way}: {words}; beside by {beside(folder, annotations)}"
            )


if __name__ == "__main__":
    main()
