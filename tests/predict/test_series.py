"""Series of DICOM files are predicted, and their predictions written as DICOM."""

import shutil

import nibabel
import numpy as np
import pytest

from autoseg.dicom.annotation import open_drawings, paint, values_by_name
from autoseg.dicom.voxels import read_volume
from autoseg.errors import UsageError
from autoseg.evaluate.stage import evaluate
from autoseg.formats.base import find_format
from autoseg.predict.stage import predict
from tests.dicom.made import write_series
from tests.predict import toy_model as toy

LABELS = np.random.default_rng(0).integers(0, 3, (9, 8, 10)).astype(np.uint16)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Return a folder with a series and predictions of it as everything."""
    root = tmp_path_factory.mktemp("series")
    write_series(
        root / "patient",
        100 * LABELS,  # what the toy takes for labels
        positions=[(0.0, 0.0, float(z)) for z in range(len(LABELS))],
        order=range(len(LABELS))[::-1],
        PixelSpacing=[1, 1],
        each=lambda z: {"RescaleIntercept": 0},
    )
    predict(
        toy.knowing(toy.plan()),
        root / "patient",
        root / "out",
        output_type=("nifti", "dicom-seg", "rtstruct"),
    )
    return root


def test_all_files_are_the_same_prediction(written):
    names = {
        path.name for path in (written / "out").iterdir() if path.suffix != ".jsonl"
    }
    assert names == {"patient.nii.gz", "patient_seg.dcm", "patient_rtstruct.dcm"}
    path = written / "out" / "patient.nii.gz"
    found, geometry = find_format(path).read_labels(path)
    np.testing.assert_array_equal(found, LABELS)

    for name in ("patient_seg.dcm", "patient_rtstruct.dcm"):
        drawings = open_drawings(written / "out" / name)
        values, _ = values_by_name(drawings, {"one": 1, "two": 2}, {}, path)
        on_image = read_volume(written / "patient", voxels=False).geometry
        for grid in (on_image, geometry):  # of the series, and of the NIfTI file
            np.testing.assert_array_equal(paint(drawings, values, grid).labels, LABELS)


def test_what_is_there_stays_if_asked_and_the_users_files_are_kept(written, tmp_path):
    predictor = toy.knowing(toy.plan())
    (tmp_path / "patient_seg.dcm").write_bytes(b"my own work")

    with pytest.raises(UsageError, match="patient_seg.dcm"):
        predict(predictor, written / "patient", tmp_path, output_type=["dicom-seg"])
    with pytest.raises(UsageError, match="folder of the images"):
        predict(predictor, written / "patient", written / "patient")
    before = (written / "out" / "patient_seg.dcm").stat().st_mtime_ns
    predict(
        predictor,
        written / "patient",
        written / "out",
        output_type=["dicom-seg", "nifti"],
        continue_prediction=True,
    )
    assert (written / "out" / "patient_seg.dcm").stat().st_mtime_ns == before


def test_dicom_is_written_of_dicom_alone(written, tmp_path):
    with pytest.raises(UsageError, match="is no DICOM"):
        predict(
            toy.knowing(toy.plan()),
            written / "out" / "patient.nii.gz",
            tmp_path,
            output_type=["rtstruct"],
        )


@pytest.mark.parametrize("kinds", [("nifti", "dicom-seg"), ("rtstruct",)])
def test_predictions_in_dicom_are_scored(written, tmp_path, kinds):
    image = nibabel.Nifti1Image(LABELS.T.astype(np.uint8), np.diag([-1, -1, 1, 1]))
    (tmp_path / "truth").mkdir()
    nibabel.save(image, tmp_path / "truth" / "patient.nii.gz")
    (tmp_path / "found").mkdir()
    endings = {"nifti": ".nii.gz", "dicom-seg": "_seg.dcm", "rtstruct": "_rtstruct.dcm"}
    for kind in kinds:
        name = f"patient{endings[kind]}"
        shutil.copy(written / "out" / name, tmp_path / "found" / name)

    summary = evaluate(
        tmp_path / "found",
        annotations=tmp_path / "truth",
        labels={"one": 1, "two": 2},
        output=tmp_path / "summary",
    )

    assert list(summary.cases) == ["patient"]
    assert summary.cases["patient"]["two"]["dice"] == 1.0
