"""Which files are a case to predict."""

from types import SimpleNamespace

import pytest

from autoseg.datasets.series.studies import Wanted
from autoseg.predict.cases import _find_cases


def model(*channels):
    described = SimpleNamespace(image_ending=".nii.gz", annotation_ending=".nii.gz")
    plan = SimpleNamespace(dim=3)
    return SimpleNamespace(
        channels=channels, describe=lambda: described, plan=plan, dataset={}
    )


@pytest.fixture
def folder(tmp_path):
    for case in ("p1", "p2"):
        for name in ("T1", "flair"):
            (tmp_path / f"{case}_{name}.nii.gz").touch()
    return tmp_path


@pytest.mark.parametrize("how", ["folder", "files"])
def test_channels_may_be_called_by_their_names(folder, how):
    given = folder if how == "folder" else sorted(folder.iterdir(), reverse=True)

    cases = _find_cases(given, model("FLAIR", "T1"), Wanted())

    assert {case.id: [path.name for path in case.images] for case in cases} == {
        "p1": ["p1_flair.nii.gz", "p1_T1.nii.gz"],
        "p2": ["p2_flair.nii.gz", "p2_T1.nii.gz"],
    }


def test_of_one_channel_a_name_at_the_end_is_part_of_the_case(folder):
    cases = _find_cases(folder, model("T1"), Wanted())

    assert [case.id for case in cases] == ["p1_T1", "p1_flair", "p2_T1", "p2_flair"]
