"""Positions and time points of an OME-TIFF are cases; written by tifffile."""

import logging

import numpy as np
import pytest
import tifffile

from autoseg.datasets.files import find_cases
from autoseg.datasets.series.parts import cases_of_parts, parts_of
from autoseg.errors import FormatError
from autoseg.formats.base import find_format
from autoseg.geometry import mapped


def movie(shape, kind=np.uint16):
    return np.arange(np.prod(shape)).reshape(shape).astype(kind)


def write(path, *arrays, axes, names=(), size=0.5, **options):
    with tifffile.TiffWriter(path, ome=True) as file:
        for number, array in enumerate(arrays):
            about = {
                "axes": axes,
                "PhysicalSizeX": size * (number + 1),
                "PhysicalSizeY": size * (number + 1),
            }
            if names:
                about["Name"] = names[number]
            file.write(array, metadata=about, **options)
    return path


@pytest.mark.parametrize(
    ("axes", "shape", "options"),
    [
        ("TYX", (3, 20, 30), {}),
        ("TCYX", (3, 2, 20, 30), {}),
        ("CTYX", (2, 3, 20, 30), {}),
        ("TZCYX", (3, 4, 2, 20, 30), {"tile": (16, 16)}),
        ("TZYX", (3, 4, 20, 30), {"compression": "zlib"}),
    ],
)
def test_each_time_point_is_the_image_without_that_axis(tmp_path, axes, shape, options):
    array = movie(shape)
    path = write(tmp_path / "m.ome.tif", array, axes=axes, **options)

    parts = parts_of(path)

    assert list(parts) == ["t0", "t1", "t2"]
    left = axes.replace("T", "")
    for time, part in enumerate(parts.values()):
        wanted = np.take(array, time, axes.index("T"))
        if "C" in left:
            wanted = np.moveaxis(wanted, left.index("C"), 0)
        else:
            wanted = wanted[None]
        found, geometry = find_format(part).load(part, None, None, len(wanted))
        np.testing.assert_array_equal(found, wanted)
        assert geometry.spacing[-2:] == (0.5, 0.5)


def test_a_time_point_is_read_by_windows_where_it_is_large(tmp_path, monkeypatch):
    array = movie((3, 4, 40, 50))
    path = write(tmp_path / "m.ome.tif", array, axes="TZYX", tile=(16, 16))
    monkeypatch.setattr(mapped, "is_large", lambda size: True)

    found = find_format(path).open(path / "time=1", None, None, 1)

    assert found is not None
    box = found[0][:, 1:3, 5:30, 7:41]
    np.testing.assert_array_equal(np.asarray(box)[0], array[1, 1:3, 5:30, 7:41])


def test_each_position_has_its_name_its_values_and_its_size(tmp_path):
    arrays = movie((2, 20, 30)), movie((2, 20, 30)) + 7
    path = write(tmp_path / "p.ome.tif", *arrays, axes="TYX", names=("A 1", "B"))

    parts = parts_of(path)

    assert list(parts) == ["A-1_t0", "A-1_t1", "B_t0", "B_t1"]
    found, geometry = find_format(path).load(parts["B_t1"], None, None, 1)
    np.testing.assert_array_equal(found[0], arrays[1][1])
    assert geometry.spacing == (1.0, 1.0)


def test_a_folder_says_which_cases_a_file_holds(tmp_path, caplog):
    arrays = movie((20, 30)), movie((20, 30)) + 7
    write(tmp_path / "p.ome.tif", *arrays, axes="YX", names=("same", "same"))
    caplog.set_level(logging.INFO)

    cases = cases_of_parts(find_cases(tmp_path, 1))

    assert [case.id for case in cases] == ["p_0", "p_1"]
    assert {case.group for case in cases} == {"p"}
    assert "holds 2 images" in caplog.text and "p_0, p_1" in caplog.text


def test_one_image_stays_one_case(tmp_path):
    path = write(tmp_path / "one.ome.tif", movie((4, 20, 30)), axes="ZYX")

    assert parts_of(path) == {}


def test_images_of_other_sizes_are_no_positions(tmp_path):
    arrays = movie((20, 30)), movie((10, 15))
    path = write(tmp_path / "p.ome.tif", *arrays, axes="YX")

    assert parts_of(path) == {}
    with pytest.raises(FormatError, match="holds 2 images.* Save the one that counts"):
        find_format(path).load(path, None, None, 1)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("", "2 images.*position=A, or save"),
        ("position=C", "no position 'C'; there are A, B"),
        ("position=A&time=1", "no time '1'; they are counted from 0 to 0"),
    ],
    ids=["none", "position", "time"],
)
def test_what_is_not_there_is_named(tmp_path, part, words):
    arrays = movie((20, 30)), movie((20, 30))
    path = write(tmp_path / "p.ome.tif", *arrays, axes="YX", names=("A", "B"))

    with pytest.raises(FormatError, match=words):
        find_format(path).load(path / part if part else path, None, None, 1)
