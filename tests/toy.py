"""Small data sets on disk whose answer is known, for everybody's tests.

Each function writes one into a folder and returns the folder. They write with nibabel
and Pillow, not with the code under test. The same arguments give the same bytes of
voxels. Images are bright where the label is, on a noisy ground, so that a tiny network
learns them in a few steps::

    from tests import toy
    folder = toy.volumes(tmp_path / "Toy", cases=5)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

SHAPE = (12, 20, 24)  # (Z, Y, X)
SPACING = (2.0, 1.0, 0.75)


def ellipse(shape: Sequence[int], center: Sequence[float], radii: Sequence[float]):
    """Return a mask of a filled ellipse or ellipsoid, all in voxels."""
    axes = np.ogrid[tuple(slice(size) for size in shape)]
    return (
        sum(
            ((axis - middle) / radius) ** 2
            for axis, middle, radius in zip(axes, center, radii, strict=True)
        )
        <= 1
    )


def labels_of(number: int, shape: Sequence[int] = SHAPE, classes: int = 2):
    """Return a label map: one ellipsoid for each class, elsewhere in each case."""
    rng = np.random.default_rng([7, number])
    labels = np.zeros(tuple(shape), dtype=np.uint8)
    size = np.asarray(shape)
    for value in range(1, classes + 1):
        # Classes sit one after the other along the last axis, so none hides another.
        place = size * 0.5 + rng.uniform(-0.08, 0.08, len(size)) * size
        place[-1] = size[-1] * (value - 0.5) / classes + rng.uniform(-0.5, 0.5)
        radii = np.maximum(1.5, size * rng.uniform(0.22, 0.3, len(size)))
        radii[-1] = max(1.5, size[-1] / classes * rng.uniform(0.3, 0.4))
        labels[ellipse(shape, place, radii)] = value
    return labels


def image_of(labels: Any, number: int, noise: float = 10.0):
    """Return an image in which each label is 100 brighter than the one before."""
    rng = np.random.default_rng([8, number])
    return (100.0 * labels + rng.normal(50, noise, labels.shape)).astype(np.float32)


def describe(folder: Path, **entries: Any) -> Path:
    """Write a dataset.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps(entries, indent=2))
    return folder


def write_nifti(
    path: Path,
    array: Any,
    spacing: Sequence[float] = SPACING,
    axes: str = "LPS",
    origin: Sequence[float] = (5.0, -3.0, 11.0),
) -> None:
    """Write an array (Z, Y, X) as NIfTI.

    ``axes``: where x, y and z of the array go to, such as ``"LPS"`` for an array whose
    x runs to the left; that is the identity for ITK.
    """
    import nibabel

    affine = np.zeros((4, 4))
    for column, (letter, edge) in enumerate(zip(axes, spacing[::-1], strict=True)):
        row, sign = {
            "R": (0, 1), "L": (0, -1), "A": (1, 1),
            "P": (1, -1), "S": (2, 1), "I": (2, -1),
        }[letter]  # fmt: skip
        affine[row, column] = sign * edge
    affine[:3, 3], affine[3, 3] = origin, 1
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(np.ascontiguousarray(np.transpose(array)), affine)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)


def volumes(
    folder: Path,
    cases: int = 5,
    test: int = 1,
    shape: Sequence[int] = SHAPE,
    spacing: Sequence[float] = SPACING,
    labels: Mapping[str, Any] | None = None,
    axes: Sequence[str] = ("LPS",),
    channels: Sequence[str] = ("MR",),
    **entries: Any,
) -> Path:
    """Write NIfTI volumes with two classes, ``one`` and ``two``.

    Cases take ``axes`` in turn. Test images have their truth in ``labelsTs``. Further
    entries go into dataset.json.
    """
    for number in range(cases + test):
        part = "Tr" if number < cases else "Ts"
        truth = labels_of(number, shape)
        turn = axes[number % len(axes)]
        for channel in range(len(channels)):
            name = f"case_{number:02d}_{channel:04d}.nii.gz"
            image = image_of(truth, 100 * channel + number)
            write_nifti(folder / f"images{part}" / name, image, spacing, turn)
        name = f"case_{number:02d}.nii.gz"
        write_nifti(folder / f"labels{part}" / name, truth, spacing, turn)
    return describe(
        folder,
        channel_names={str(i): name for i, name in enumerate(channels)},
        labels=dict(labels or {"background": 0, "one": 1, "two": 2}),
        numTraining=cases,
        file_ending=".nii.gz",
        **entries,
    )


def anisotropic(folder: Path, cases: int = 5, test: int = 1) -> Path:
    """Write volumes with slices eight times as thick as their voxels are wide."""
    return volumes(folder, cases, test, shape=(6, 28, 24), spacing=(8.0, 1.0, 1.0))


def regions(folder: Path, cases: int = 5, test: int = 1) -> Path:
    """Write volumes with two overlapping regions: ``whole`` (1 and 2), ``core`` (2)."""
    names = {"background": 0, "whole": [1, 2], "core": 2}
    return volumes(folder, cases, test, labels=names, regions_class_order=[1, 2])


def ignored(folder: Path, cases: int = 5, test: int = 1) -> Path:
    """Write volumes in which only every other slice is annotated; 3 is ``ignore``."""
    names = {"background": 0, "one": 1, "two": 2, "ignore": 3}
    volumes(folder, cases, test, labels=names)
    for number in range(cases):
        truth = labels_of(number)
        truth[1::2] = 3
        write_nifti(folder / "labelsTr" / f"case_{number:02d}.nii.gz", truth)
    return folder


def pictures(
    folder: Path, cases: int = 5, test: int = 1, shape: Sequence[int] = (28, 32)
) -> Path:
    """Write 2-D RGB pictures as PNG, with annotations that are 0 and 255."""
    from PIL import Image

    for number in range(cases + test):
        part = "Tr" if number < cases else "Ts"
        truth = labels_of(number, shape, classes=1)
        colors = np.stack(
            [image_of(truth, 10 * number + i) * (1, 0.8, 0.6)[i] for i in range(3)], -1
        )
        image = Image.fromarray(np.clip(colors, 0, 255).astype(np.uint8))
        for kind, name, picture in (
            ("images", f"case_{number:02d}.png", image),
            ("labels", f"case_{number:02d}.png", Image.fromarray(truth * 255)),
        ):
            (folder / f"{kind}{part}").mkdir(parents=True, exist_ok=True)
            picture.save(folder / f"{kind}{part}" / name)
    return describe(
        folder,
        channel_names={"0": "R", "1": "G", "2": "B"},
        labels={"background": 0, "cell": 255},
        numTraining=cases,
        file_ending=".png",
    )
