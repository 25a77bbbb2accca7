"""Volumes turned to RAS against SimpleITK's own filter."""

import numpy as np
import pytest
import SimpleITK

from autoseg.formats.itk import ItkFormat
from autoseg.formats.itk_ras import ItkRasFormat
from autoseg.spec.image import Geometry
from autoseg.spec.json import from_json, to_json

RAS = ItkRasFormat()
ORIENTATIONS = ("LPS", "RAS", "LAS", "ASL", "SPR", "PIR", "IRP", "SLA")


def _save(path, code):
    array = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing((0.7, 0.8, 2.5))
    image.SetOrigin((-3.25, 4.1, 17.3))
    image = SimpleITK.DICOMOrient(image, code)
    SimpleITK.WriteImage(image, str(path))
    return path


@pytest.mark.parametrize("code", ORIENTATIONS)
def test_volumes_are_turned_as_itk_turns_them(tmp_path, code):
    path = _save(tmp_path / "c.nii.gz", code)

    image = RAS.read_image([path])

    wanted = SimpleITK.DICOMOrient(SimpleITK.ReadImage(str(path)), "RAS")
    assert np.array_equal(image.array[0], SimpleITK.GetArrayFromImage(wanted))
    assert image.geometry.spacing == wanted.GetSpacing()[::-1]
    assert np.allclose(image.geometry.origin, wanted.GetOrigin())
    assert np.allclose(image.geometry.direction, wanted.GetDirection())


@pytest.mark.parametrize("code", ORIENTATIONS)
@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_predictions_go_back_to_the_file_s_grid(tmp_path, code, ending):
    path = _save(tmp_path / f"c{ending}", code)
    image = RAS.read_image([path])
    # On disk between the stages, a geometry is JSON.
    geometry = from_json(Geometry, to_json(image.geometry), "test")

    RAS.write_labels(tmp_path / f"l{ending}", image.array[0].astype(np.uint8), geometry)
    RAS.write_image(tmp_path / f"p{ending}", image.array, geometry)

    plain = ItkFormat()
    original = plain.read_image([path])
    labels, back = plain.read_labels(tmp_path / f"l{ending}")
    probabilities = plain.read_image([tmp_path / f"p{ending}"])
    assert back == original.geometry
    assert np.array_equal(labels, original.array[0])
    assert np.array_equal(probabilities.array, original.array)


def test_images_of_two_axes_are_not_turned(tmp_path):
    image = SimpleITK.GetImageFromArray(np.arange(12, dtype=np.uint8).reshape(3, 4))
    SimpleITK.WriteImage(image, str(tmp_path / "c.mha"))

    read = RAS.read_image([tmp_path / "c.mha"])

    assert np.array_equal(read.array[0], np.arange(12).reshape(3, 4))


def test_it_is_never_chosen_unasked():
    assert not RAS.automatic
