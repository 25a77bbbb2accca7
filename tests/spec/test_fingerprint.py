"""The fingerprint: a data set in numbers."""

import pytest

from autoseg.errors import PlanError
from autoseg.spec.choice import Choice
from autoseg.spec.fingerprint import Fingerprint, Intensity


def fingerprint(**changes):
    values = {
        "dataset": "Dataset001_Test",
        "unit": "mm",
        "channel_names": ("CT",),
        "num_cases": 2,
        "shapes": ((10, 20, 30), (11, 21, 31)),
        "spacings": ((1.0, 0.5, 0.5), (2.0, 0.5, 0.5)),
        "intensities": (
            Intensity(
                mean=1.0,
                median=1.0,
                std=1.0,
                min=0.0,
                max=2.0,
                percentile_00_5=0.1,
                percentile_99_5=1.9,
            ),
        ),
        "task": Choice(name="semantic", options={"labels": {"background": 0}}),
    }
    return Fingerprint(**{**values, **changes})


def test_a_fingerprint_comes_back_from_disk_as_it_was(tmp_path):
    fingerprint().save(tmp_path / "fingerprint.json")

    assert Fingerprint.load(tmp_path / "fingerprint.json") == fingerprint()
    assert fingerprint().dim == 3


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"shapes": ()}, "0 shapes and 2 spacings"),
        ({"shapes": ((1, 2, 3),)}, "1 shapes and 2 spacings"),
        ({"shapes": ((1, 2), (1, 2, 3))}, "must all have the same axes"),
        ({"schema": 7}, "schema 7"),
    ],
)
def test_a_fingerprint_that_contradicts_itself_is_refused(changes, message):
    with pytest.raises(PlanError, match=message):
        fingerprint(**changes)


def test_a_missing_file_says_what_to_run(tmp_path):
    with pytest.raises(PlanError, match="autoseg fingerprint DATASET"):
        Fingerprint.load(tmp_path / "fingerprint.json")
