import pytest

from autoseg.errors import FormatError
from autoseg.pointfiles.base import read_points
from autoseg.spec.image import Geometry
from autoseg.spec.points import ABSENT, PRESENT, UNKNOWN

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


@pytest.mark.parametrize("system, place", [("RAS", "-12,-24,36"), ("LPS", "12,24,36")])
@pytest.mark.parametrize(
    "behind, status",
    [
        (",0,0", UNKNOWN),
        (",1,0", UNKNOWN),
        (",2,0", PRESENT),
        (",2,1", PRESENT),
        (",3,0", ABSENT),
        (",3", ABSENT),
        ("", PRESENT),
    ],
)
def test_slicer_5_says_behind_the_columns_which_points_are_set(
    tmp_path, system, place, behind, status
):
    row = f"1,{place},0,0,0,1,1,1,0,tip,,{behind}\n"

    found = read(tmp_path, f"# CoordinateSystem = {system}\n{COLUMNS}{row}")

    assert found.names == ("tip",)
    assert found.status.tolist() == [status]
    if status == PRESENT:
        assert found.coordinates.tolist() == [[3, 2, 1]]


def test_a_point_that_is_set_may_lie_at_the_origin_of_the_world(tmp_path):
    # Index 1, 2, 3 of x, y, z is 12, 24, 36: zeros are 10, 20, 30 before, 2 each.
    found = read(tmp_path, f"{COLUMNS}1,0,0,0,0,0,0,1,1,1,0,root,,,2,0\n")

    assert found.status.tolist() == [PRESENT]
    assert found.coordinates.tolist() == [[-15, -10, -5]]


def test_a_comma_in_a_description_does_not_hide_the_status(tmp_path):
    found = read(tmp_path, f"{COLUMNS}1,0,0,0,0,0,0,1,1,1,0,tip,left, or not,,3,0\n")

    assert found.status.tolist() == [ABSENT]


@pytest.mark.parametrize(
    "text, match",
    [
        ("# CoordinateSystem = moon\n", "RAS or LPS"),
        (f"{COLUMNS}1,0,0,0,0,0,0,1,1,1,0,tip,,,4,0\n", "the status '4'; Slicer"),
        ("# columns = label,x,y\ntip,1,2\n", "lacks x, y, z or label"),
        ("# columns = label,x,y,z\ntip,1,2,3\ntip,1,2,3\n", "the label 'tip'"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text, match):
    with pytest.raises(FormatError, match=match):
        read(tmp_path, text)
