"""Letters of a MetaImage's orientation against its matrix; ITK writes both."""

from itertools import permutations, product

import numpy as np
import SimpleITK

from autoseg.formats.base import find_format
from autoseg.formats.header import notes_of, remarks_of
from tests.each import each

# All 48: which axis of the patient each axis of the array runs along, and which way.
CODES = [
    "".join(word)
    for pairs in permutations(["RL", "AP", "IS"])
    for word in product(*pairs)
]


def write(path, code=None, direction=None, said=None):
    """Write a volume by SimpleITK; put other letters into its header."""
    image = SimpleITK.Image([3, 4, 5], SimpleITK.sitkUInt8)
    if code is not None:
        image = SimpleITK.DICOMOrient(image, code)
    if direction is not None:
        image.SetDirection(direction)
    SimpleITK.WriteImage(image, str(path))
    data = path.read_bytes()
    before, _, after = data.partition(b"AnatomicalOrientation = ")
    written, end, after = after.partition(b"\n")
    if said is not None:
        path.write_bytes(
            before + b"AnatomicalOrientation = " + said.encode() + end + after
        )
    return written.decode()


def turned(degrees):
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return (c, -s, 0, s, c, 0, 0, 0, 1)


def geometry_of(path):
    return find_format(".mha").geometry(path, None, None, 1)


def said_of(path):
    geometry = geometry_of(path)
    return remarks_of(geometry), notes_of(geometry)


@each("code", CODES)
def test_what_itk_writes_is_right(tmp_path, code):
    assert len(CODES) == 48
    write(tmp_path / "a.mha", code)

    assert said_of(tmp_path / "a.mha") == ((), ())


@each("degrees", [5, 44, 45, 46, 80, 135])
def test_what_itk_writes_of_oblique_axes_is_right(tmp_path, degrees):
    write(tmp_path / "a.mha", direction=turned(degrees))

    assert said_of(tmp_path / "a.mha") == ((), ())


@each("code, said", [("LPS", "LPI"), ("LPS", "RAS"), ("LPS", "AIR"), ("RAS", "RAI")])
def test_letters_against_the_matrix_are_told_with_both(tmp_path, code, said):
    itk = write(tmp_path / "a.mha", code, said=said)

    (remark,), notes = said_of(tmp_path / "a.mha")

    assert f"is {said}, and its direction matrix says {itk} " in remark
    assert notes == ()
    image = SimpleITK.ReadImage(str(tmp_path / "a.mha"))
    assert geometry_of(tmp_path / "a.mha").direction == image.GetDirection()


@each("code", ["LPS", "RAS", "PIR"])
def test_letters_of_where_axes_run_to_are_a_note(tmp_path, code):
    itk = write(tmp_path / "a.mha", code, said=code)

    remarks, (note,) = said_of(tmp_path / "a.mha")

    assert remarks == () and code in note and itk in note


@each("said", ["???", "??", "RA", "RRA", "none", ""])
def test_what_is_no_orientation_says_nothing(tmp_path, said):
    write(tmp_path / "a.mha", said=said)

    assert said_of(tmp_path / "a.mha") == ((), ())


def test_a_matrix_that_is_not_there_contradicts_nothing(tmp_path):
    write(tmp_path / "a.mha", said="LPI")
    data = (tmp_path / "a.mha").read_bytes()
    line = b"TransformMatrix = 1 0 0 0 1 0 0 0 1\n"
    assert line in data
    (tmp_path / "a.mha").write_bytes(data.replace(line, b""))

    assert said_of(tmp_path / "a.mha") == ((), ())
