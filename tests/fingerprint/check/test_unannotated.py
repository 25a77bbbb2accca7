"""Images in imagesTs are looked at as those of training are, by their headers."""

import json

import nibabel
import numpy as np
import pytest
import tifffile

from autoseg.datasets.read import load_dataset
from autoseg.fingerprint.check.stage import check
from autoseg.formats.geometry import read_geometry

ZYX = (6, 10, 12)


def volume(path, scale=1.0, pixdim=None, axes=3):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = ZYX[::-1][:axes]
    values = np.random.default_rng(len(path.name)).normal(100, 9, shape)
    image = nibabel.Nifti1Image(values.astype(np.float32), np.eye(4) * scale)
    image.header.set_xyzt_units("mm")
    if pixdim:
        image.header["pixdim"][1:4] = pixdim
        image.header["qform_code"] = 0
    nibabel.save(image, path)


@pytest.fixture
def data(tmp_path):
    for number in range(3):
        volume(tmp_path / f"imagesTr/c{number}_0000.nii.gz")
        labels = np.zeros(ZYX[::-1], np.uint8)
        labels[number : number + 3, 2:5, 2:4] = 1
        (tmp_path / "labelsTr").mkdir(exist_ok=True)
        nibabel.save(
            nibabel.Nifti1Image(labels, np.eye(4)),
            tmp_path / f"labelsTr/c{number}.nii.gz",
        )
    meta = {"channel_names": ["a"], "labels": {"background": 0, "x": 1}}
    (tmp_path / "dataset.json").write_text(json.dumps(meta))
    return tmp_path


def test_odd_headers_broken_files_and_other_axes_are_warnings(data):
    volume(data / "imagesTs/fine_0000.nii.gz")
    volume(data / "imagesTs/odd_0000.nii.gz", pixdim=(2.0, 2.0, 2.0))
    volume(data / "imagesTs/flat_0000.nii.gz", axes=2)
    (data / "imagesTs/torn_0000.nii.gz").write_bytes(b"no gzip at all")

    found = [p for p in check(data) if p.file.parent.name == "imagesTs"]

    said = {p.file.name.partition("_")[0]: p for p in found}
    assert set(said) == {"odd", "flat", "torn"}
    assert {p.severity for p in found} == {"warning"}
    assert said["odd"].found.startswith("Odd header")
    assert "has 2 axes, those of training have 3" in said["flat"].found


def test_unit_of_dataset_json_converts_micrometers_beside_millimeters(tmp_path):
    meta = {"channel_names": ["a"], "labels": {"background": 0, "x": 1}, "unit": "mm"}
    for name in ("imagesTr", "labelsTr", "imagesTs"):
        (tmp_path / name).mkdir()
    (tmp_path / "dataset.json").write_text(json.dumps(meta))
    for number, (unit, edge) in enumerate((("mm", 0.5), ("um", 500.0), ("um", 500.0))):
        tags = {"axes": "YX", "unit": unit}
        values = np.random.default_rng(number).integers(0, 99, (20, 20), np.uint8)
        for path, array in (
            (f"imagesTr/c{number}_0000.tif", values),
            (f"labelsTr/c{number}.tif", (values > 50).astype(np.uint8)),
        ):
            tifffile.imwrite(
                tmp_path / path,
                array,
                imagej=True,
                resolution=(1 / edge, 1 / edge),
                metadata=tags,
            )

    assert not [p for p in check(tmp_path) if p.severity == "error"]
    dataset = load_dataset(tmp_path)
    edges = [read_geometry(case, dataset).spacing for case in dataset.training]
    assert np.allclose(edges, 0.5)
