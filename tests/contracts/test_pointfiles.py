"""What every kind of file of points must do."""

import numpy as np
import pytest

from autoseg.errors import FormatError
from autoseg.pointfiles import POINTFILES
from autoseg.pointfiles.base import Item, PointFile, read_points, write_points
from autoseg.spec.image import Geometry
from autoseg.spec.points import ABSENT, PRESENT, Points

GEOMETRY = Geometry(shape=(9, 8), spacing=(0.5, 0.25), origin=(3.0, -4.0))
ITEM = Item(
    case="one",
    points=Points(
        ("tip", "root"),
        np.array([[4.125, 2.5], [np.nan, np.nan]]),
        np.array([PRESENT, ABSENT]),
    ),
    geometry=GEOMETRY,
)


@pytest.fixture(params=POINTFILES.names())
def kind(request):
    return POINTFILES[request.param]


def test_it_is_a_point_file_with_endings_in_lower_case(kind):
    assert issubclass(kind, PointFile)
    assert kind.endings
    assert all(e[0] == "." and e == e.lower() for e in kind.endings)
    assert kind.written_ending is None or kind.written_ending in kind.endings


def test_what_it_writes_it_reads_again(kind, tmp_path):
    if kind.written_ending is None:
        pytest.skip("it is read only")
    path = tmp_path / f"one{kind.written_ending}"

    write_points(path, [ITEM])
    found = read_points(path, ["tip", "root"], lambda case: GEOMETRY)

    assert list(found) == ["one"]
    np.testing.assert_allclose(found["one"].coordinates, ITEM.points.coordinates)
    assert found["one"].status.tolist() == [PRESENT, ABSENT]


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe", b"{", b"[]", b"nonsense\n"])
def test_what_it_cannot_read_is_an_error_with_the_file(kind, content, tmp_path):
    name = next(n for n in POINTFILES.names() if POINTFILES[n] is kind)
    path = tmp_path / f"one{kind.endings[0]}"
    path.write_bytes(content)

    try:
        found = read_points(path, ["tip"], lambda case: GEOMETRY, kind=name)
    except FormatError as error:
        assert "one" in str(error)
    else:
        assert not any(points.names for points in found.values())
