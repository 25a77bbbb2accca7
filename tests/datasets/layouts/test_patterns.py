"""Cases by patterns of paths in dataset.json."""

import json

import pytest

from autoseg.datasets.read import read_dataset

DESCRIPTION = {"channel_names": ["T1", "T2"], "labels": {"background": 0, "a": 1}}


def _read(folder, listed):
    for place in ("p1/v1", "p1/v2", "p2/v1"):
        (folder / place).mkdir(parents=True)
        for name in ("t1.nii.gz", "t2_x.nii.gz", "seg.nii.gz"):
            (folder / place / name).touch()
    (folder / "dataset.json").write_text(json.dumps(DESCRIPTION | {"dataset": listed}))
    return read_dataset(folder)


def test_a_pattern_stands_for_all_that_fit(tmp_path):
    entry = {
        "images": ["{patient}/{visit}/t1.nii.gz", "{patient}/{visit}/t2_*.nii.gz"],
        "label": "{patient}/{visit}/seg.nii.gz",
    }

    dataset, problems = _read(tmp_path, {"{patient}_{visit}": entry})

    assert problems == []
    assert [case.id for case in dataset.training] == ["p1_v1", "p1_v2", "p2_v1"]
    case = dataset.training[1]
    assert case.images == (tmp_path / "p1/v2/t1.nii.gz", tmp_path / "p1/v2/t2_x.nii.gz")
    assert case.annotation == tmp_path / "p1/v2/seg.nii.gz"


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (["{p}/v9/t1.nii.gz"], "fits no file"),
        (["*/v1/t1.nii.gz"], "does not say what p is"),
        (["{p}/v1/t1.nii.gz", "{p}/v1/*.nii.gz"], "say more"),
        (3, "without patterns"),
    ],
    ids=["none", "unsaid", "several", "number"],
)
def test_what_a_pattern_cannot_mean_is_told(tmp_path, images, words):
    entry = {"images": images, "label": "{p}/v1/seg.nii.gz"}

    _, problems = _read(tmp_path, {"{p}": entry})

    assert any(words in problem for problem in problems)
