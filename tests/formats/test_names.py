"""Names of segments in NRRD files, compared with what SimpleITK says of the file."""

import numpy as np
import pytest
import SimpleITK

from autoseg.errors import FormatError
from autoseg.formats.base import find_format
from autoseg.formats.names import name_segments, segments_of
from autoseg.spec.image import Geometry

GEOMETRY = Geometry(shape=(4, 5, 6), spacing=(2.0, 0.5, 0.25), origin=(1.0, 2.0, 3.0))


def volume():
    return np.random.default_rng(0).integers(0, 3, GEOMETRY.shape).astype(np.uint8)


def of_itk(path, names):
    image = SimpleITK.GetImageFromArray(volume())
    for number, (name, value) in enumerate(names.items()):
        image.SetMetaData(f"Segment{number}_LabelValue", str(value))
        image.SetMetaData(f"Segment{number}_Name", name)
    SimpleITK.WriteImage(image, str(path), True)
    return path


@pytest.mark.parametrize("names", [{}, {"liver": 1, "tumor": 2}, {"Leber, links": 7}])
def test_names_are_those_in_the_header(tmp_path, names):
    assert segments_of(of_itk(tmp_path / "a.seg.nrrd", names)) == names


def test_what_is_named_keeps_its_voxels_and_its_place(tmp_path):
    path = tmp_path / "a.seg.nrrd"
    find_format(path).write_labels(path, volume(), GEOMETRY)

    name_segments(path, {1: "liver", 2: "tumor"})

    image = SimpleITK.ReadImage(str(path))
    assert np.array_equal(SimpleITK.GetArrayFromImage(image), volume())
    assert image.GetSpacing() == (0.25, 0.5, 2.0)
    assert image.GetOrigin() == (1.0, 2.0, 3.0)
    assert image.GetMetaData("Segment0_Name") == "liver"
    assert image.GetMetaData("Segment1_LabelValue") == "2"
    assert image.GetMetaData("Segment1_Extent") == "0 5 0 4 0 3"
    colors = [image.GetMetaData(f"Segment{i}_Color").split() for i in (0, 1)]
    assert all(0 <= float(part) <= 1 for color in colors for part in color)
    assert colors[0] != colors[1]
    assert segments_of(path) == {"liver": 1, "tumor": 2}


def test_naming_twice_leaves_the_second_names(tmp_path):
    path = of_itk(tmp_path / "a.seg.nrrd", {"old": 1, "older": 2})

    name_segments(path, {1: "new\\ \nline"})

    assert segments_of(path) == {"new\\ \nline": 1}


def test_another_file_is_refused(tmp_path):
    (tmp_path / "a.nrrd").write_bytes(b"nothing of the kind\n\n")

    with pytest.raises(FormatError, match="no header of NRRD"):
        segments_of(tmp_path / "a.nrrd")
