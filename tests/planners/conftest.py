"""Fingerprints made of a few numbers."""

from __future__ import annotations

import pytest

from autoseg.spec.choice import Choice
from autoseg.spec.fingerprint import Fingerprint, Intensity
from autoseg.workspace import Workspace

CT = Intensity(
    mean=90.0,
    median=95.0,
    std=70.0,
    min=-900.0,
    max=3000.0,
    percentile_00_5=-100.0,
    percentile_99_5=300.0,
)


def make_fingerprint(shape, spacing, *, cases=20, names=("MRI",), **more):
    """All cases alike, unless ``shapes`` and ``spacings`` say otherwise."""
    values = {
        "dataset": "Dataset001_Test",
        "unit": "mm",
        "channel_names": tuple(names),
        "num_cases": cases,
        "shapes": (tuple(shape),) * min(cases, 25),
        "spacings": (tuple(map(float, spacing)),) * min(cases, 25),
        "intensities": (CT,) * len(names),
    }
    return Fingerprint(**{**values, **more})


def make_task(classes=1, **more):
    """A background and some classes."""
    labels = {"background": 0, **{f"class{n}": n for n in range(1, classes + 1)}}
    return Choice(name="semantic", options={"labels": labels, **more})


def make_place(root):
    """Return a data set's folder below a root, and where its fingerprint lies.

    Nothing is in it but what is planned by.
    """
    folder = root / "raw" / "Dataset001_Test"
    folder.mkdir(parents=True)
    (folder / "dataset.json").write_text(
        '{"channel_names": {"0": "MRI"}, "labels": {"background": 0, "a": 1}, '
        '"file_ending": ".nii.gz", "numTraining": 0}'
    )
    space = Workspace(root=root, dataset="Dataset001_Test")
    space.preprocessed.mkdir(parents=True)
    found = make_fingerprint((40, 60, 50), (1.0, 1.0, 1.0), task=make_task())
    found.save(space.fingerprint)
    return folder, space


@pytest.fixture
def fingerprint():
    return make_fingerprint


@pytest.fixture
def task():
    return make_task
