import pytest

from autoseg.errors import FormatError
from autoseg.pointfiles.base import read_points
from autoseg.spec.image import Geometry

GEOMETRY = Geometry(shape=(9, 9, 9), spacing=(2.0,) * 3, origin=(10.0, 20.0, 30.0))
COLUMNS = "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID\n"


def read(tmp_path, text):
    (tmp_path / "a.fcsv").write_text(text)
    return read_points(tmp_path / "a.fcsv", geometry_of=lambda case: GEOMETRY)["a"]


@pytest.mark.parametrize(
    "system, place",
    [
        ("0", "-12,-24,36"),
        ("RAS", "-12,-24,36"),
        ("1", "12,24,36"),
        ("LPS", "12,24,36"),
        ("2", "1,2,3"),
    ],
)
def test_the_frame_of_the_file_is_honored(tmp_path, system, place):
    header = "# Markups fiducial file version = 4.11\n# CoordinateSystem = "
    row = f"vtkMRMLMarkupsFiducialNode_0,{place},0,0,0,1,1,1,0,tip,,\n"

    found = read(tmp_path, f"{header}{system}\n{COLUMNS}{row}")

    assert found.names == ("tip",)
    assert found.coordinates.tolist() == [[3, 2, 1]]


def test_columns_are_those_that_the_file_names(tmp_path):
    found = read(tmp_path, "# columns = label,x,y,z\ntip,-12,-24,36\n")

    assert found.coordinates.tolist() == [[3, 2, 1]]


@pytest.mark.parametrize(
    "text, match",
    [
        ("# CoordinateSystem = moon\n", "RAS or LPS"),
        ("# columns = label,x,y\ntip,1,2\n", "lacks x, y, z or label"),
        ("# columns = label,x,y,z\ntip,1,2,3\ntip,1,2,3\n", "the label 'tip'"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text, match):
    with pytest.raises(FormatError, match=match):
        read(tmp_path, text)
