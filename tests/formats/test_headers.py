"""The geometry of a header is that of the whole file."""

from dataclasses import replace

import nibabel
import numpy as np
import pytest
import SimpleITK
import tifffile
from PIL import Image

from autoseg.errors import FormatError
from autoseg.formats.base import Format, read_image
from autoseg.formats.geometry import read_geometry
from autoseg.spec.dataset import Case, Dataset

TURNED = np.array([[0, -2, 0, 5], [1.5, 0, 0, -3], [0, 0, 4, 7], [0, 0, 0, 1.0]])


def write_nifti(path):
    array = np.zeros((3, 4, 5), np.int16)
    nibabel.save(nibabel.Nifti1Image(array, TURNED), path)


def write_four_axes(path):
    array = np.zeros((3, 4, 5, 2), np.float32)
    nibabel.save(nibabel.Nifti1Image(array, TURNED), path)


def write_itk(path):
    image = SimpleITK.Image([3, 4, 5], SimpleITK.sitkUInt8)
    image.SetSpacing((1.5, 2.0, 4.0))
    image.SetOrigin((1.0, -2.0, 3.0))
    image.SetDirection((0, -1, 0, 1, 0, 0, 0, 0, 1))
    SimpleITK.WriteImage(image, str(path))


def write_picture(path):
    Image.fromarray(np.zeros((7, 9, 3), np.uint8)).save(path)


def write_tiff(path):
    tifffile.imwrite(
        path,
        np.zeros((3, 4, 5), np.uint16),
        imagej=True,
        resolution=(2.0, 2.0),
        metadata={"axes": "ZYX", "spacing": 3.0, "unit": "um"},
    )


KINDS = [
    ("a.nii.gz", write_nifti, 1, None),
    ("a.nii", write_nifti, 1, None),
    ("a.nii.gz", write_nifti, 1, "itk_ras"),
    ("a.nii.gz", write_nifti, 1, "nibabel"),
    ("a.nii.gz", write_nifti, 1, "nibabel_ras"),
    ("a.nii.gz", write_four_axes, 2, None),
    ("a.nrrd", write_itk, 1, None),
    ("a.mha", write_itk, 1, None),
    ("a.png", write_picture, 3, None),
    ("a.jpg", write_picture, 3, None),
    ("a.tif", write_tiff, 1, None),
    ("a.tif", write_tiff, 1, "tiff_plain"),
    ("a.png", write_picture, 3, "natural"),
]


def dataset(channels, format=None, spacing=None):
    return Dataset(
        name="d",
        folder=None,
        task="landmark",
        channel_names=("x",) * channels,
        image_ending="",
        annotation_ending="",
        format=format,
        spacing=spacing,
    )


@pytest.mark.parametrize("name, write, channels, format", KINDS)
def test_the_header_says_where_the_voxels_are(tmp_path, name, write, channels, format):
    write(tmp_path / name)
    case = Case(id="a", images=(tmp_path / name,))
    described = dataset(channels, format)

    assert read_geometry(case, described) == read_image(case, described).geometry


def test_the_spacing_of_the_data_set_counts(tmp_path):
    write_picture(tmp_path / "a.png")
    case = Case(id="a", images=(tmp_path / "a.png",))

    found = read_geometry(case, dataset(3, spacing=(0.1, 0.2)))

    assert (found.shape, found.spacing, found.unit) == ((7, 9), (0.1, 0.2), "mm")


@pytest.mark.parametrize("name, write", [("a.nii", write_nifti), ("a.mha", write_itk)])
def test_voxels_are_not_read(tmp_path, name, write, monkeypatch):
    write(tmp_path / name)
    case = Case(id="a", images=(tmp_path / name,))

    def refuse(*_):
        raise AssertionError("the whole file was read")

    for kind in Format.__subclasses__():
        monkeypatch.setattr(kind, "load", refuse, raising=False)
    assert read_geometry(case, dataset(1)).shape == (5, 4, 3)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.mha", "a.png", "a.tif"])
def test_what_is_no_image_is_said_to_be_none(tmp_path, name):
    (tmp_path / name).write_bytes(b"nothing like it")
    case = Case(id="a", images=(tmp_path / name,))

    with pytest.raises(FormatError, match=name):
        read_geometry(case, dataset(1))
    with pytest.raises(FormatError, match="gone"):
        read_geometry(replace(case, images=(tmp_path / f"gone_{name}",)), dataset(1))
