"""Channels are copied or dropped in pictures only."""

import json

import nibabel
import numpy as np
import pytest
import SimpleITK
import tifffile
from PIL import Image as Picture

from autoseg.errors import FormatError
from autoseg.fingerprint.check.stage import check
from autoseg.formats.base import find_format, read_image
from autoseg.spec.dataset import Case, Dataset

SCAN = np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)
SCANS = ("T1", "T2", "FLAIR")


def _save(path, array):
    """Write an array of shape (Z, Y, X) or (C, Z, Y, X)."""
    if path.suffix == ".tif":
        axes = {"axes": "ZYX" if array.ndim == 3 else "ZCYX"}
        array = array if array.ndim == 3 else np.moveaxis(array, 0, 1)
        tifffile.imwrite(path, array, imagej=True, metadata=axes)
    elif path.name.endswith((".nii", ".nii.gz")):
        nibabel.save(nibabel.Nifti1Image(array.T, np.eye(4)), path)
    else:
        if array.ndim == 4:
            array = np.moveaxis(array, 0, -1)
        image = SimpleITK.GetImageFromArray(array, isVector=array.ndim == 4)
        SimpleITK.WriteImage(image, str(path))
    return path


def _dataset(folder, names):
    return Dataset(
        name="toy",
        folder=folder,
        task="semantic",
        channel_names=names,
        image_ending="",
        annotation_ending="",
    )


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha", ".mhd", ".tif"])
def test_one_scan_is_not_taken_for_three(tmp_path, ending):
    path = _save(tmp_path / f"p_0000{ending}", SCAN)

    with pytest.raises(FormatError) as raised:
        read_image(Case(id="p", images=(path,)), _dataset(tmp_path, SCANS))

    said = str(raised.value)
    assert "1 channels where 3 are expected (T1, T2, FLAIR)" in said
    assert f"p_0001{ending} (T2), p_0002{ending} (FLAIR)" in said


def test_a_scan_without_a_number_is_told_how_files_are_named(tmp_path):
    path = _save(tmp_path / "p.nii.gz", SCAN)

    with pytest.raises(FormatError, match="CASE_0000, CASE_0001"):
        read_image(Case(id="p", images=(path,)), _dataset(tmp_path, SCANS))


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha", ".tif"])
@pytest.mark.parametrize("count", [2, 4])
def test_a_channel_of_ones_is_not_dropped(tmp_path, ending, count):
    ones = np.concatenate([[SCAN] * (count - 1), np.ones((1, 4, 5, 6), np.float32)])
    path = _save(tmp_path / f"p{ending}", ones)

    with pytest.raises(FormatError, match=f"{count} channels where {count - 1}"):
        find_format(path).read_image([path], channels=count - 1)


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_layers_of_an_annotation_are_not_melted(tmp_path, ending, count):
    layers = np.repeat((SCAN[None] > 60).astype(np.uint8), count, 0)
    layers[-1] = 255 if count != 3 else layers[-1]
    path = _save(tmp_path / f"p{ending}", layers)

    with pytest.raises(FormatError, match=f"{count} channels"):
        find_format(path).read_labels(path)


@pytest.mark.parametrize("ending", [".nii.gz", ".tif"])
def test_gray_is_repeated_for_channels_that_are_colors(tmp_path, ending):
    path = _save(tmp_path / f"p{ending}", SCAN)
    dataset = _dataset(tmp_path, ("red", "green", "blue"))

    image = read_image(Case(id="p", images=(path,)), dataset)

    assert np.array_equal(image.array, np.stack([SCAN] * 3))


def test_a_gray_picture_of_several_files_is_not_repeated(tmp_path):
    path = tmp_path / "p_0000.png"
    Picture.fromarray(np.eye(6, dtype=np.uint8)).save(path)
    stains = _dataset(tmp_path, ("DAPI", "GFP", "RFP"))
    colors = _dataset(tmp_path, ("R", "G", "B"))

    assert len(read_image(Case(id="p", images=(path,)), colors).array) == 3
    with pytest.raises(FormatError, match=r"p_0001\.png \(GFP\)"):
        read_image(Case(id="p", images=(path,)), stains)


@pytest.mark.parametrize("samples", [3, 4])
def test_gray_saved_as_a_color_tiff_stays_a_picture(tmp_path, samples):
    gray = np.arange(30, dtype=np.uint8).reshape(5, 6)
    color = np.repeat(gray[..., None], samples, -1)
    color[..., 3:] = 255
    path = tmp_path / "p.tif"
    tifffile.imwrite(path, color, photometric="rgb")

    tiff = find_format(path)

    assert np.array_equal(tiff.read_labels(path)[0], gray)
    assert np.array_equal(tiff.read_image([path], channels=1).array[0], gray)
    assert tiff.read_image([path], channels=3).array.shape == (3, 5, 6)


def test_color_nifti_that_is_gray_is_one_channel(tmp_path):
    gray = np.arange(120, dtype=np.uint8).reshape(4, 5, 6)
    color = np.zeros(gray.T.shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    for name in "RGB":
        color[name] = gray.T
    path = tmp_path / "p.nii.gz"
    nibabel.save(nibabel.Nifti1Image(color, np.eye(4)), path)

    assert np.array_equal(find_format(path).read_labels(path)[0], gray)


def test_check_names_the_files_of_channels_that_are_missing(tmp_path):
    for folder in ("imagesTr", "labelsTr"):
        (tmp_path / folder).mkdir()
    for case in range(3):
        _save(tmp_path / f"labelsTr/c{case}.nii.gz", (SCAN > 60).astype(np.uint8))
        for channel in range(1 if case == 2 else 3):
            values = SCAN + 100 * case + channel
            _save(tmp_path / f"imagesTr/c{case}_{channel:04d}.nii.gz", values)
    described = {
        "channel_names": list(SCANS),
        "labels": {"background": 0, "a": 1},
        "file_ending": ".nii.gz",
    }
    (tmp_path / "dataset.json").write_text(json.dumps(described))

    errors = [p for p in check(tmp_path) if p.severity == "error"]

    assert [error.file.name for error in errors] == ["c2_0000.nii.gz"]
    assert "c2_0001.nii.gz (T2), c2_0002.nii.gz (FLAIR)" in (
        errors[0].found + errors[0].fix
    )
