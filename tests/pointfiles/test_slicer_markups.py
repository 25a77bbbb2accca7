import json

import numpy as np
import pytest

from autoseg.errors import FormatError
from autoseg.pointfiles.base import Item, read_points, write_points
from autoseg.spec.image import Geometry
from autoseg.spec.points import ABSENT, PRESENT, UNKNOWN, Points

# voxels of 2 mm, the first one's center at (10, 20, 30) LPS
GEOMETRY = Geometry(shape=(9, 9, 9), spacing=(2.0,) * 3, origin=(10.0, 20.0, 30.0))


def read(tmp_path, controls, **markup):
    content = {"markups": [{"controlPoints": controls, **markup}]}
    (tmp_path / "a.mrk.json").write_text(json.dumps(content))
    return read_points(tmp_path / "a.mrk.json", geometry_of=lambda case: GEOMETRY)["a"]


@pytest.mark.parametrize(
    "markup, position",
    [
        ({}, [12, 24, 36]),
        ({"coordinateSystem": "LPS"}, [12, 24, 36]),
        ({"coordinateSystem": "RAS"}, [-12, -24, 36]),
    ],
)
def test_the_frame_of_the_file_is_honored(tmp_path, markup, position):
    found = read(tmp_path, [{"label": "tip", "position": position}], **markup)

    assert found.coordinates.tolist() == [[3, 2, 1]]


def test_a_position_counts_where_it_is_defined_only(tmp_path):
    words = ["defined", "missing", "undefined", "preview"]
    found = read(
        tmp_path,
        [{"label": w, "position": [10, 20, 30], "positionStatus": w} for w in words],
    )

    assert found.status.tolist() == [PRESENT, ABSENT, UNKNOWN, UNKNOWN]
    assert np.isnan(found.coordinates[1:]).all()


def test_what_was_written_is_read_again(tmp_path):
    points = Points(
        ("tip", "root", "end"),
        np.array([[3, 2, 1.25], [np.nan] * 3, [np.nan] * 3]),
        np.array([PRESENT, ABSENT, UNKNOWN]),
        {"score": np.array([0.9, 0.1, np.nan])},
    )
    path = tmp_path / "a.mrk.json"
    write_points(path, [Item(case="a", points=points, geometry=GEOMETRY)])

    found = read_points(path, geometry_of=lambda case: GEOMETRY)["a"]

    (markup,) = json.loads(path.read_text())["markups"]
    assert markup["coordinateSystem"] == "LPS"
    assert markup["controlPoints"][0]["position"] == [12.5, 24, 36]
    np.testing.assert_array_equal(found.coordinates, points.coordinates)
    np.testing.assert_array_equal(found.status, points.status)


@pytest.mark.parametrize(
    "controls, markup, match",
    [
        ([{"label": "a", "position": [1, 2, 3]}] * 2, {}, "the label 'a'"),
        ([{"label": "a", "position": [1, 2]}], {}, "must be"),
        ([{"label": "a", "positionStatus": "lost"}], {}, "'lost'"),
        ([], {"coordinateSystem": "IJK"}, "LPS or RAS"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, controls, markup, match):
    with pytest.raises(FormatError, match=match):
        read(tmp_path, controls, **markup)


@pytest.mark.parametrize(
    ("units", "factor"),
    [
        ("um", 1e3),
        ("nm", 1e6),
        ("mm", 1),
        ("cm", 0.1),
        ("m", 1e-3),
        ("micrometers", 1e3),
        (["um", "um", "um"], 1e3),
        (["UCUM", "um", "micrometer"], 1e3),
        ([["UCUM", "um", "micrometer"]] * 3, 1e3),
        ([["um", "UCUM", "micrometer"]], 1e3),
        ("um|UCUM|micrometer", 1e3),
        ([{"CodeValue": "um", "CodingSchemeDesignator": "UCUM"}] * 3, 1e3),
        ("", 1),
        (None, 1),
    ],
)
@pytest.mark.parametrize("unit", ["mm", "um"])
def test_the_unit_of_the_file_is_converted_to_the_image_s(
    tmp_path, units, factor, unit
):
    # 12, 24, 36 mm, in an image that says its own lengths in mm or um.
    larger = 1.0 if unit == "mm" else 1e3
    if not units:
        factor = larger
    image = Geometry(
        shape=(9, 9, 9),
        spacing=(2.0 * larger,) * 3,
        origin=(10.0 * larger, 20.0 * larger, 30.0 * larger),
        unit=unit,
    )
    position = [12 * factor, 24 * factor, 36 * factor]
    markup = {"controlPoints": [{"label": "tip", "position": position}]}
    if units is not None:
        markup["coordinateUnits"] = units
    (tmp_path / "a.mrk.json").write_text(json.dumps({"markups": [markup]}))

    found = read_points(tmp_path / "a.mrk.json", geometry_of=lambda case: image)["a"]

    assert found.coordinates == pytest.approx(np.array([[3, 2, 1]]))


@pytest.mark.parametrize("units", ["parsec", ["mm", "um", "mm"]])
def test_a_unit_that_cannot_be_is_refused(tmp_path, units):
    with pytest.raises(FormatError, match="coordinateUnits"):
        read(
            tmp_path,
            [{"label": "tip", "position": [12, 24, 36]}],
            coordinateUnits=units,
        )


@pytest.mark.parametrize(("unit", "said"), [("mm", "mm"), ("um", "um"), ("px", None)])
def test_the_unit_that_is_written_is_the_image_s(tmp_path, unit, said):
    image = Geometry(shape=(9, 9), spacing=(2.0, 0.5), unit=unit)
    points = Points(("tip",), np.array([[3.0, 4.0]]), np.array([PRESENT]))
    path = tmp_path / "a.mrk.json"

    write_points(path, [Item(case="a", points=points, geometry=image)])

    (markup,) = json.loads(path.read_text())["markups"]
    assert markup.get("coordinateUnits") == said
    assert markup["controlPoints"][0]["position"] == [2.0, 6.0, 0.0]
    again = read_points(path, geometry_of=lambda case: image)["a"]
    assert again.coordinates.tolist() == [[3.0, 4.0]]


def test_points_are_written_in_the_unit_of_the_image_s_file(tmp_path):
    from autoseg.formats.header import in_unit

    filed = Geometry(shape=(9, 9, 9), spacing=(2.0,) * 3, origin=(10.0, 20.0, 30.0))
    points = Points(("tip",), np.array([[3.0, 2, 1]]), np.array([PRESENT]))
    path = tmp_path / "a.mrk.json"

    write_points(path, [Item(case="a", points=points, geometry=in_unit(filed, "um"))])

    (markup,) = json.loads(path.read_text())["markups"]
    assert markup["coordinateUnits"] == "mm"
    assert markup["controlPoints"][0]["position"] == [12.0, 24.0, 36.0]
