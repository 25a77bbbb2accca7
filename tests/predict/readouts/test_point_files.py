"""Predicted points once more, in the files of other programs, and one by one."""

import json

import numpy as np
import pydicom
import pytest

from autoseg.datasets.points import read_points, write_points
from autoseg.dicom.voxels import read_volume
from autoseg.errors import FormatError, UsageError
from autoseg.evaluate.point_files import point_files
from autoseg.pointfiles.base import read_points as read_file
from autoseg.predict.inputs import Prediction
from autoseg.predict.job import Job
from autoseg.predict.options import Options
from autoseg.predict.readouts import READOUTS
from autoseg.predict.readouts._points.files import write_point_files
from autoseg.spec.dataset import Case
from autoseg.spec.image import Geometry
from autoseg.spec.points import ABSENT, PRESENT, Points
from autoseg.tasks.landmark import LandmarkTask
from autoseg.tasks.semantic import SemanticTask
from tests.dicom.made import OBLIQUE, ORIGIN, normal_of, write_series
from tests.predict import toy_model as toy

GEOMETRY = Geometry(shape=(9, 8), spacing=(0.5, 0.25), origin=(10.0, 20.0))
POINTS = Points(
    ("tip", "root"),
    np.array([[1.5, 2.0], [np.nan, np.nan]]),
    [PRESENT, ABSENT],
    {"score": np.array([0.9, 0.2]), "error_p95": np.array([1.25, 3.0])},
)


@pytest.fixture
def jobs(tmp_path):
    found = []
    for case in ("one", "two"):
        output = tmp_path / f"{case}.json"
        write_points(output, POINTS, GEOMETRY)
        images = (tmp_path / f"{case}_0000.png",)
        found.append(Job(case=Case(id=case, images=images), output=output))
    return found


def test_all_kinds_are_written_beside_the_json(jobs, tmp_path):
    written = write_point_files(jobs, ["csv", "mrk.json", "coco"])

    assert [path.name for path in written] == [
        "points.csv",
        "one.mrk.json",
        "two.mrk.json",
        "points.coco.json",
    ]
    table = read_file(tmp_path / "points.csv")
    assert list(table) == ["one", "two"]
    assert table["two"].coordinates[0].tolist() == [1.5, 2.0]
    assert table["two"].status.tolist() == [PRESENT, ABSENT]
    assert table["two"].details["error_p95"].tolist() == [1.25, 3.0]
    coco = json.loads((tmp_path / "points.coco.json").read_text())
    names = [image["file_name"] for image in coco["images"]]
    assert names == ["one_0000.png", "two_0000.png"]  # files, as other programs want
    assert list(read_file(tmp_path / "points.coco.json")) == ["one", "two"]
    assert coco["annotations"][1]["keypoints"] == [2.0, 1.5, 2, 0.0, 0.0, 0]
    markup = json.loads((tmp_path / "two.mrk.json").read_text())["markups"][0]
    # x: 10 + 2 * 0.25, y: 20 + 1.5 * 0.5
    assert markup["controlPoints"][0]["position"] == [10.5, 20.75, 0.0]
    assert markup["controlPoints"][1]["positionStatus"] == "missing"


def test_copies_need_a_json_for_each_case(jobs, tmp_path):
    odd = Job(case=jobs[0].case, output=tmp_path / "mine.csv")

    with pytest.raises(UsageError, match="mine.csv is one file"):
        write_point_files([odd], ["csv"])


def readout(task, dim):
    return READOUTS[task.kind](toy.model(toy.plan(dim)), task, Options())


@pytest.mark.parametrize(
    "kinds, task, dim, match",
    [
        (["csv"], SemanticTask({"background": 0, "a": 1}), 2, "predicts no points"),
        (["xls"], LandmarkTask(["tip"]), 2, "xls; there are csv"),
        (["coco"], LandmarkTask(["tip"]), 3, "two axes"),
    ],
)
def test_what_cannot_be_written_is_said_before(kinds, task, dim, match):
    with pytest.raises(UsageError, match=match):
        readout(task, dim).wanted_files(point_files=kinds)


@pytest.mark.parametrize("ending", [".json", ".csv", ".mrk.json", ".coco.json"])
def test_a_prediction_saves_itself(tmp_path, ending):
    Prediction(labels=POINTS, geometry=GEOMETRY).save(tmp_path / f"a{ending}")

    found, _ = read_points(tmp_path / f"a{ending}", None, GEOMETRY)

    np.testing.assert_allclose(found.coordinates, POINTS.coordinates)
    assert found.status.tolist() == [PRESENT, ABSENT]


def test_labels_save_themselves_too(tmp_path):
    labels = np.arange(72, dtype=np.uint8).reshape(9, 8)

    Prediction(labels=labels, geometry=GEOMETRY).save(tmp_path / "a.mha")

    from autoseg.formats.base import find_format

    read, geometry = find_format("a.mha").read_labels(tmp_path / "a.mha")
    assert (read == labels).all()
    assert geometry.spacing == GEOMETRY.spacing


# Points of DICOM series in structure sets.


def in_series(folder, **how):
    """Points of a reversed oblique series, written; return their file and places.

    A voxel (z, y, x) is at the position of its slice plus y and x pixels along columns
    and rows, by the definition of a plane (DICOM PS3.3, C.7.6.2.1.1).
    """
    write_series(folder / "p", orientation=OBLIQUE, order=range(5)[::-1], **how)
    geometry = read_volume(folder / "p", voxels=False).geometry
    at = np.array([[1.25, 3.5, 2.0], [4.0, 0.0, 6.125], [np.nan] * 3])
    points = Points(
        ("tip", "left root", "gone"),
        at,
        [PRESENT, PRESENT, ABSENT],
        {"score": np.array([0.9, 0.25, 0.1])},
    )
    task = LandmarkTask(points.names)
    found = readout(task, 3)
    job = Job(case=Case(id="p", images=(folder / "p",)), output=folder / "p.json")
    files = found.wanted_files(label_files=["rtstruct"])
    found.write(points, job, geometry, lambda: None, files)
    assert found.files_of(job, files) == [folder / "p_rtstruct.dcm"]
    row, column = np.reshape(OBLIQUE, (2, 3))
    slices = np.array([2.5, 0.7, 0.9])  # mm from slice to slice, row to row, ...
    axes = np.stack([normal_of(OBLIQUE), column, row]) * slices[:, None]
    return folder / "p_rtstruct.dcm", np.asarray(ORIGIN) + at[:2] @ axes, geometry


def test_points_of_a_series_are_read_by_pydicom_where_they_are(tmp_path):
    path, places, _ = in_series(tmp_path)

    ds = pydicom.dcmread(path)
    assert [str(roi.ROIName) for roi in ds.StructureSetROISequence] == [
        *("tip", "left root", "gone"),
    ]
    assert ds.StructureSetROISequence[0].ROIDescription == "score 0.900"
    contours = [roi.ContourSequence for roi in ds.ROIContourSequence]
    assert [len(one) for one in contours] == [1, 1, 0]
    for (contour,), place in zip(contours[:2], places, strict=True):
        assert contour.ContourGeometricType == "POINT"
        assert contour.NumberOfContourPoints == 1
        np.testing.assert_allclose(contour.ContourData, place, rtol=0, atol=1e-3)
    uids = {f.SOPInstanceUID: f.ImagePositionPatient for f in _slices(tmp_path / "p")}
    (image,) = contours[1][0].ContourImageSequence
    normal = normal_of(OBLIQUE)  # the point lies on the last slice
    off = np.dot(np.subtract(uids[image.ReferencedSOPInstanceUID], places[1]), normal)
    assert abs(off) < 1e-3


def _slices(folder):
    return [pydicom.dcmread(path) for path in folder.iterdir()]


def test_points_of_a_series_are_read_again(tmp_path):
    path, _, geometry = in_series(tmp_path)

    found, _ = read_points(path, None, geometry)

    assert found.names == ("tip", "left root")
    wanted = [[1.25, 3.5, 2.0], [4.0, 0.0, 6.125]]
    np.testing.assert_allclose(found.coordinates, wanted, rtol=0, atol=1e-3)
    # Of copies beside our own file, that counts; alone, they do.
    assert point_files(tmp_path, None) == {"p": tmp_path / "p.json"}
    (tmp_path / "p.json").unlink()
    assert point_files(tmp_path, None) == {"p": path}


def test_landmarks_are_written_as_no_label_maps():
    with pytest.raises(UsageError, match=r"finds landmarks, .* as .json"):
        readout(LandmarkTask(["tip"]), 3).wanted_files(label_files=["dicom-seg"])


def test_pictures_without_a_place_have_no_points_in_the_patient(tmp_path):
    task = LandmarkTask(POINTS.names)
    job = Job(case=Case(id="p", images=(tmp_path / "p.dcm",)), output=tmp_path / "p")

    with pytest.raises(FormatError, match="without a place in the patient"):
        readout(task, 2).write(POINTS, job, GEOMETRY, lambda: None, ["rtstruct"])
    assert not (tmp_path / "p").exists()
