import numpy as np
import pytest
import SimpleITK as sitk

from autoseg.pointfiles.base import read_points


def test_a_point_is_the_center_of_its_cube(tmp_path):
    labels = np.zeros((9, 10, 11), np.uint8)
    labels[3:6, 4:7, 5:8] = 1
    labels[0:2, 0:3, 0:3] = 3  # cut off at the border
    sitk.WriteImage(sitk.GetImageFromArray(labels), str(tmp_path / "a.nii.gz"))

    found = read_points(tmp_path / "a.nii.gz", ["tip", "root", "end"])["a"]

    assert found.names == ("tip", "end")
    assert found.coordinates.tolist() == [[4, 5, 6], [0.5, 1, 1]]


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_any_label_map_is_read(tmp_path, ending):
    labels = np.zeros((9, 10), np.uint8)
    labels[3:6, 4:7] = 2
    sitk.WriteImage(sitk.GetImageFromArray(labels), str(tmp_path / f"a{ending}"))

    found = read_points(tmp_path / f"a{ending}", ["tip", "root"])["a"]

    assert found.coordinates.tolist() == [[4, 5]]
