"""Data sets and inputs whose images are folders and zips of DICOM slices."""

import json
import shutil

import numpy as np
import pytest

from autoseg.datasets.annotations import read_annotation
from autoseg.datasets.identity import all_files, content_of, is_there
from autoseg.datasets.read import load_dataset, read_dataset
from autoseg.datasets.series.choice import SeriesChoice
from autoseg.datasets.series.studies import Wanted, cases_of_study, is_study
from autoseg.dicom.segment_files import write_segmentation
from autoseg.errors import FormatError
from autoseg.fingerprint.check.stage import examine
from autoseg.formats.base import read_image
from autoseg.parallel import loaded_bytes
from autoseg.tasks import choose_task, make_task
from tests.dicom.made import stored, write_series
from tests.dicom.test_written import MAKER, SEGMENTS, labels

DESCRIPTION = {
    "channel_names": {"0": "CT"},
    "labels": {"background": 0, "liver": 1, "tumor": 7},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a data set: a folder, a folder with a channel number, and a zip."""
    root = tmp_path_factory.mktemp("dicom") / "Dataset001_CT"
    (root / "labelsTr").mkdir(parents=True)
    (root / "dataset.json").write_text(json.dumps(DESCRIPTION))
    for number, name in enumerate(("a", "b_0000", "c")):
        place = root / "imagesTr" / name
        write_series(place, stored(seed=number))
        annotation = root / "labelsTr" / f"{name[0]}.dcm"
        write_segmentation(annotation, labels(), place, SEGMENTS, MAKER)
    shutil.make_archive(str(root / "imagesTr" / "c"), "zip", root / "imagesTr" / "c")
    shutil.rmtree(root / "imagesTr" / "c")
    return root


def test_folders_and_zips_are_cases(folder):
    dataset = load_dataset(folder)

    assert [case.id for case in dataset.training] == ["a", "b", "c"]
    task = make_task(choose_task(dataset))
    for number, case in enumerate(dataset.training):
        image = read_image(case, dataset)
        np.testing.assert_array_equal(
            image.array[0], stored(seed=number).astype(float) - 1024
        )
        found, geometry = read_annotation(
            case.annotation, dataset, task, case_id=case.id
        )
        wanted = np.select([labels() == 1, labels() == 7], [1, 2])
        np.testing.assert_array_equal(found, wanted)
        assert geometry.shape == image.geometry.shape
    assert dataset.annotation_ending == ".nii.gz"  # what predictions become


def test_check_finds_nothing_wrong_with_them(folder):
    problems = examine(folder, workers=1).problems

    assert [p for p in problems if p.severity != "note"] == []


def test_a_case_is_all_its_slices(folder, tmp_path):
    shutil.copytree(folder, tmp_path / folder.name)
    dataset = load_dataset(tmp_path / folder.name)
    case = dataset.training[0]
    before = content_of(case)

    assert is_there(case)
    assert len(all_files(case)) == 6  # five slices and their annotation
    assert loaded_bytes(case.images) > 0
    changed = sorted(case.images[0].iterdir())[3]
    changed.write_bytes(changed.read_bytes() + b"\0\0")
    assert content_of(case) != before


def test_which_series_is_meant_dataset_json_says(tmp_path):
    place = tmp_path / "imagesTr" / "a"
    ids = {"study": "1.2.3", "Modality": "MR"}
    arrays = {}
    for number, name in enumerate(("t1_mprage", "flair 3d"), 1):
        arrays[name] = write_series(
            place / name,
            stored(seed=number),
            series=f"1.2.3.{number}",
            SeriesNumber=number,
            SeriesDescription=name,
            **ids,
        )
    description = DESCRIPTION | {
        "channel_names": {"0": "FLAIR", "1": "T1"},
        "dicom": {"series": {"FLAIR": "flair*", "T1": 1}},
    }
    (tmp_path / "dataset.json").write_text(json.dumps(description))
    dataset, _ = read_dataset(tmp_path)

    image = read_image(dataset.training[0], dataset)

    for channel, name in zip(image.array, ("flair 3d", "t1_mprage"), strict=True):
        np.testing.assert_array_equal(channel, arrays[name].astype(float) - 1024)


@pytest.mark.parametrize(
    "said", [{"series": [1, 2, 3]}, {"tilt": "yes"}, {"serie": 1}, "T1"]
)
def test_what_dataset_json_cannot_say_about_series_is_told(tmp_path, said):
    (tmp_path / "dataset.json").write_text(json.dumps(DESCRIPTION | {"dicom": said}))

    assert any("`dicom`" in problem for problem in read_dataset(tmp_path)[1])


def test_studies_give_cases(tmp_path):
    study = tmp_path / "study"
    for number in (1, 2):
        write_series(
            study / f"S{number}",
            study="1.2.3",
            series=f"1.2.3.{number}",
            SeriesNumber=number,
            SeriesDescription=f"kernel {number}",
        )
    one = SeriesChoice(channels=("CT",))

    assert is_study(study) and is_study(study / "S1") and not is_study(tmp_path)
    with pytest.raises(FormatError, match='2 series(.|\n)*1: "kernel 1"'):
        cases_of_study(study, Wanted(), one)
    (case,) = cases_of_study(study, Wanted(), SeriesChoice(("2",), channels=("CT",)))
    assert (case.id, [p.name for p in case.images]) == ("study", ["series=2"])
    every = cases_of_study(study, Wanted(("all",)), one)
    assert [case.id for case in every] == ["study_1", "study_2"]
    # Folders of other patients are cases of their own.
    write_series(study / "S3", study="1.2.4")
    assert not is_study(study)
