"""Shapes, spacings and orientations of cases."""

import json

import numpy as np
import pytest

from autoseg.errors import DatasetError
from autoseg.fingerprint import shape as module
from autoseg.fingerprint.shape import CaseShape, Shapes, measure_shape
from autoseg.spec.image import Geometry, Image

LPS = (1, 0, 0, 0, 1, 0, 0, 0, 1)
RAS = (-1, 0, 0, 0, -1, 0, 0, 0, 1)
# x runs to superior, y to the left, z to posterior: letters S, L, P
SLP = (0, 1, 0, 0, 0, 1, 1, 0, 0)


def _case(shape=(4, 5, 6), spacing=(3.0, 2.0, 1.0), direction=LPS, unit="mm", part=1.0):
    return CaseShape(
        shape=shape,
        spacing=spacing,
        unit=unit,
        direction=tuple(float(v) for v in direction),
        relative_size=part,
    )


def _pooled(*cases):
    shapes = Shapes(len(cases))
    for number, case in enumerate(cases):
        shapes.add(f"case_{number}", case)
    return shapes.pooled()


def test_a_case_is_measured_inside_the_box_of_what_is_not_zero():
    array = np.zeros((2, 10, 20, 30), np.float32)
    array[0, 2:5, 3, 7:9] = 4
    array[1, 4, 3:13, 8] = -1
    geometry = Geometry(shape=(10, 20, 30), spacing=(3.0, 2.0, 1.0), direction=RAS)

    found = measure_shape(Image(array=array, geometry=geometry))

    # z 2..4, y 3..12, x 7..8
    assert found.shape == (3, 10, 2)
    assert found.spacing == (3.0, 2.0, 1.0)
    assert found.direction == RAS
    assert found.relative_size == pytest.approx(3 * 10 * 2 / 6000)


def test_an_image_of_zeros_keeps_its_shape():
    geometry = Geometry(shape=(4, 6), spacing=(1.0, 1.0), unit="px")

    found = measure_shape(Image(array=np.zeros((1, 4, 6)), geometry=geometry))

    assert found.shape == (4, 6)
    assert found.relative_size == 1.0


def test_cases_that_agree_are_not_turned():
    pooled = _pooled(_case(direction=RAS), _case(shape=(7, 8, 9), direction=RAS))

    assert pooled.orientation is None
    assert pooled.orientations == {"RAS": 2}
    assert pooled.shapes == ((4, 5, 6), (7, 8, 9))


def test_cases_that_differ_are_turned_to_the_commonest():
    pooled = _pooled(_case(), _case(direction=SLP), _case())

    assert pooled.orientation == "LPS"
    assert pooled.orientations == {"LPS": 2, "SLP": 1}
    # Of the second case (z, y, x) = (4, 5, 6) along (P, L, S); wanted is (S, P, L).
    assert pooled.shapes == ((4, 5, 6), (6, 4, 5), (4, 5, 6))
    assert pooled.spacings[1] == (1.0, 3.0, 2.0)


def test_of_orientations_as_common_the_first_by_name_is_taken():
    assert _pooled(_case(direction=RAS), _case()).orientation == "LPS"
    assert _pooled(_case(), _case(direction=RAS)).orientation == "LPS"


def test_pictures_have_no_orientation():
    flat = _case((5, 6), (1.0, 1.0), (1, 0, 0, 1), "px")

    pooled = _pooled(flat, flat)

    assert pooled.orientation is None
    assert pooled.orientations == {}
    assert pooled.unit == "px"


def test_the_relative_size_is_the_median():
    pooled = _pooled(_case(part=0.2), _case(part=0.9), _case(part=0.5))

    assert pooled.relative_size == 0.5


def test_cases_of_different_axes_are_refused_by_name():
    flat = _case((5, 6), (1.0, 1.0), (1, 0, 0, 1))

    with pytest.raises(DatasetError, match="axes.*3 in case case_0, 2 in case case_1"):
        _pooled(_case(), flat)


def test_cases_of_different_units_are_refused_by_name():
    with pytest.raises(DatasetError, match="mm in case case_0, um in case case_2"):
        _pooled(_case(), _case(), _case(unit="um"))


def test_no_case_is_refused_with_what_to_do():
    with pytest.raises(DatasetError, match="imagesTr"):
        Shapes(0).pooled()


def test_of_very_many_cases_a_fair_sample_is_kept(monkeypatch):
    monkeypatch.setattr(module, "MOST_CASES", 100)
    cases = [_case(shape=(n + 1, 2, 3)) for n in range(1000)]

    pooled, again = _pooled(*cases), _pooled(*cases)

    assert len(pooled.shapes) == len(pooled.spacings) == 100
    assert pooled.orientations == {"LPS": 1000}  # counted of all
    numbers = [shape[0] for shape in pooled.shapes]
    assert numbers == sorted(set(numbers))
    # The mean of 100 of 1..1000 has a standard error of 27.
    assert abs(np.mean(numbers) - 500.5) < 4 * 27
    assert pooled == again


def test_a_measured_case_survives_its_way_through_json():
    case = _case(spacing=(1 / 3, 0.1, 2.0), direction=SLP, part=0.123)

    assert CaseShape.from_json(json.loads(json.dumps(case.to_json())), "x") == case
