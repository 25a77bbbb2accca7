"""Files and folders that may not be read are named, and never left out.

Whoever runs the tests may be allowed everything, so that the system's answer is made.
"""

import errno
import json
import os

import numpy as np
import pytest

from autoseg.datasets.layouts.names import images_in
from autoseg.describing.layout import list_tree
from autoseg.errors import CaseErrors, FormatError
from autoseg.fingerprint.check.stage import examine
from autoseg.formats.base import find_format
from autoseg.parallel import map_cases
from autoseg.spec.foreign.archive import Archive
from autoseg.spec.foreign.place import files_at, fitting
from tests import toy
from tests.dicom.made import stored, write_series


@pytest.fixture
def denied(monkeypatch):
    """Return a function after which a path may not be read any more."""
    scandir, access, opened, listdir = os.scandir, os.access, open, os.listdir

    refused = set()

    def refuse(wanted):
        refused.add(str(wanted))

        def is_meant(path):
            return os.fspath(path) in refused

        def fail(path):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

        def no_open(path, *rest, **more):
            meant = isinstance(path, (str, os.PathLike)) and is_meant(path)
            return fail(path) if meant else opened(path, *rest, **more)

        monkeypatch.setattr(
            os, "scandir", lambda p=".": fail(p) if is_meant(p) else scandir(p)
        )
        monkeypatch.setattr(
            os, "listdir", lambda p=".": fail(p) if is_meant(p) else listdir(p)
        )
        monkeypatch.setattr(
            os, "access", lambda p, *r, **m: not is_meant(p) and access(p, *r, **m)
        )
        monkeypatch.setattr("io.open", no_open)
        return wanted

    return refuse


@pytest.fixture
def tree(tmp_path):
    """Return a folder with a file in each of two folders below it."""
    for name in ("a", "b"):
        place = tmp_path / "sub-1" / name
        place.mkdir(parents=True)
        (place / "sub-1_T1w.nii.gz").write_bytes(b"x")
    return tmp_path


def test_a_folder_that_may_not_be_read_is_no_empty_one(tree, denied):
    assert len(files_at(tree)) == len(list_tree(tree)) == len(images_in(tree)) == 2
    assert len(fitting(tree, "*/*/*.nii.gz")) == 2
    denied(tree / "sub-1" / "a")

    for look in (
        files_at,
        list_tree,
        images_in,
        lambda place: fitting(place, "*/*/*.nii.gz"),
        lambda place: Archive(place, FormatError, "study"),
    ):
        with pytest.raises(PermissionError, match="sub-1/a"):
            look(tree)


def test_one_image_that_may_not_be_read_is_named_beside_the_others(tmp_path, denied):
    folder = toy.volumes(tmp_path / "Toy", cases=4, test=1)
    image = denied(folder / "imagesTr" / "case_02_0000.nii.gz")

    with pytest.raises(FormatError, match="may not be read: permission denied"):
        find_format(image).read_image([image])
    found = examine(folder, workers=1)

    (error,) = (p for p in found.problems if p.severity == "error")
    assert error.file == image and "may not be read" in error.found
    assert len(found.cases) == 4 and found.classes == {"one": 4, "two": 4}


def test_a_folder_of_a_case_that_may_not_be_read_hides_no_other_problem(
    tmp_path, denied
):
    folder = toy.volumes(tmp_path / "Toy", cases=4, test=1)
    broken = folder / "labelsTr" / "case_01.nii.gz"
    broken.write_bytes(b"x")
    inside = folder / "imagesTr" / "case_09"
    inside.mkdir()
    denied(inside)

    found = examine(folder, workers=1)

    errors = {p.file: p.found for p in found.problems if p.severity == "error"}
    assert set(errors) == {broken, inside} and len(found.cases) == 4
    assert "may not be read: permission denied" in errors[inside]


@pytest.mark.parametrize("part", ["imagesTr", "labelsTr"])
def test_an_annotated_case_whose_folder_may_not_be_read_is_no_case_less(
    tmp_path, denied, part
):
    """Slices of a series, or masks: training on the others would be silent."""
    folder = tmp_path / "Toy"
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True)
    for number in range(4):
        write_series(folder / "imagesTr" / f"c{number}", stored((2, 4, 4), number))
        mask = np.zeros((2, 4, 4), np.uint8)
        mask[:, 1:3, number % 2 : 3] = 1
        place = folder / "labelsTr" / f"c{number}"
        place.mkdir()
        toy.write_nifti(place / "one.nii.gz", mask)
    description = {
        "task": "instance",
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "cell": 1},
    }
    (folder / "dataset.json").write_text(json.dumps(description))
    broken = folder / "labelsTr" / "c3" / "one.nii.gz"
    broken.write_bytes(b"x")
    hidden = denied(folder / part / "c1")

    found = examine(folder, workers=1)

    errors = {p.file: p.found for p in found.problems if p.severity == "error"}
    assert "may not be read" in errors.pop(hidden)
    (other,) = errors
    assert other in (broken, broken.parent)
    assert [facts.case.id for facts in found.cases] == ["c0", "c1", "c2", "c3"]


def test_all_folders_that_may_not_be_listed_are_named_at_once(tmp_path, denied):
    folder = toy.volumes(tmp_path / "Toy", cases=2, test=1)
    hidden = [denied(folder / name) for name in ("labelsTr", "imagesTs")]
    hidden.append(denied(folder / "imagesTr" / "case_01_0000.nii.gz"))

    found = examine(folder, workers=1)

    errors = [p for p in found.problems if p.severity == "error"]
    assert {p.file for p in errors} == set(hidden) and len(errors) == 3
    assert all("may not be read" in p.found for p in errors)
    assert "annotation belongs to which image" in found.problems[-1].found


def _errors(folder):
    report = examine(folder, workers=1)
    return report, {
        p.file.name: p.found for p in report.problems if p.severity != "note"
    }


def test_what_lies_beside_a_folder_that_cannot_be_listed_is_checked(tmp_path, denied):
    """Each folder in turn is hidden; broken files in the others are told."""
    folder = toy.volumes(tmp_path / "Toy", cases=5, test=2)
    broken = {
        "imagesTr": "case_01_0000",
        "labelsTr": "case_02",
        "imagesTs": "test_00_0000",
    }
    for part, name in broken.items():
        (folder / part / f"{name}.nii.gz").write_bytes(b"x")
    description = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps(description | {"numTraining": 4}))
    names = {part: f"{name}.nii.gz" for part, name in broken.items()}

    _, whole = _errors(folder)
    assert set(whole) == {*names.values(), "dataset.json"}

    denied(folder / "imagesTs")
    report, found = _errors(folder)
    assert set(found) == {
        "imagesTs",
        "case_01_0000.nii.gz",
        "case_02.nii.gz",
        "dataset.json",
    }
    assert len(report.cases) == 5 and report.classes

    denied(folder / "labelsTr")
    report, found = _errors(folder)
    assert set(found) == {"imagesTs", "labelsTr", "case_01_0000.nii.gz"}
    assert len(report.cases) == 5 and not report.classes

    denied(folder / "imagesTr")
    report, found = _errors(folder)
    assert set(found) == {"imagesTs", "labelsTr", "imagesTr"}
    assert not report.cases and len(report.hidden) == 3


def test_without_the_folder_of_images_those_to_be_predicted_are_checked(
    tmp_path, denied
):
    folder = toy.volumes(tmp_path / "Toy", cases=2, test=2)
    (folder / "imagesTs" / "test_00_0000.nii.gz").write_bytes(b"x")
    denied(folder / "imagesTr")

    report, found = _errors(folder)

    assert set(found) == {"imagesTr", "test_00_0000.nii.gz"}
    assert "which training cases there are" in report.problems[-1].found


def test_ids_that_end_as_channels_do_are_images_where_annotations_are_hidden(
    tmp_path, denied
):
    """scan_0001 and scan_0002 with one channel: annotations would say it."""
    folder = tmp_path / "Toy"
    (folder / "imagesTr").mkdir(parents=True)
    for number in range(3):
        path = folder / "imagesTr" / f"scan_{number:04d}.nii.gz"
        toy.write_nifti(path, np.arange(60, dtype=np.uint8).reshape(3, 4, 5) + number)
    (folder / "labelsTr").mkdir()
    said = {"channel_names": {"0": "MRI"}, "labels": {"background": 0, "one": 1}}
    (folder / "dataset.json").write_text(json.dumps(said))
    denied(folder / "labelsTr")

    report, found = _errors(folder)

    assert set(found) == {"labelsTr"}
    assert [facts.case.id for facts in report.cases] == [
        "scan_0000",
        "scan_0001",
        "scan_0002",
    ]


def test_a_case_without_rights_has_no_traceback(tmp_path, denied, caplog):
    path = denied(tmp_path / "x")

    with pytest.raises(CaseErrors) as caught:
        map_cases(lambda one: one.read_bytes(), [path], stage="fingerprint", workers=1)

    assert f"{path} may not be read or written (Permission denied)" in str(caught.value)
    assert "Traceback" not in caplog.text
