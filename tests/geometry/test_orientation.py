"""Anatomical orientation."""

from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest
import SimpleITK as sitk

from autoseg.errors import UsageError
from autoseg.geometry.orientation import orientation_of, reorient, turn_to
from autoseg.spec.image import Geometry
from tests.each import each

PAIRS = ("RL", "AP", "IS")
CODES = [
    "".join(letters) for order in permutations(PAIRS) for letters in product(*order)
]


def _itk(array, geometry):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(geometry.spacing[::-1])
    image.SetOrigin(geometry.origin)
    image.SetDirection(geometry.direction)
    return image


def _geometry(seed):
    """An oblique geometry of odd numbers."""
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return Geometry(
        shape=(3, 4, 5),
        spacing=tuple(rng.uniform(0.3, 5, 3).tolist()),
        origin=tuple(rng.normal(size=3, scale=100).tolist()),
        direction=tuple(rotation.ravel().tolist()),
    )


def test_without_direction_axes_point_to_left_posterior_and_superior():
    assert orientation_of(Geometry(shape=(2, 2, 2), spacing=(1, 1, 1))) == "LPS"


def test_two_dimensions_have_no_orientation():
    assert orientation_of(Geometry(shape=(2, 2), spacing=(1, 1))) is None


@each("seed", range(30))
def test_letters_are_those_of_itk_also_for_oblique_axes(seed):
    geometry = _geometry(seed)

    code = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(
        geometry.direction
    )

    assert orientation_of(geometry) == code


@each("code", CODES)
def test_volume_and_geometry_are_those_that_itk_gives(code):
    geometry = _geometry(seed=3)
    array = np.arange(60, dtype=np.float32).reshape(3, 4, 5)

    turned, there = reorient(array, geometry, code)

    wanted = sitk.DICOMOrient(_itk(array, geometry), code)
    np.testing.assert_array_equal(turned, sitk.GetArrayFromImage(wanted))
    assert there.shape == turned.shape
    np.testing.assert_allclose(there.spacing[::-1], wanted.GetSpacing(), rtol=1e-12)
    np.testing.assert_allclose(there.origin, wanted.GetOrigin(), rtol=1e-12)
    np.testing.assert_allclose(there.direction, wanted.GetDirection(), atol=1e-12)


@each("code", CODES)
def test_there_and_back_again_is_the_same_to_the_bit(code):
    geometry = _geometry(seed=5)
    array = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    first = orientation_of(geometry)

    through, between = reorient(*reorient(array, geometry, code), "RAS")
    back, again = reorient(through, between, first)

    np.testing.assert_array_equal(back, array)
    assert again == geometry


def test_what_a_format_remembers_comes_back_and_is_gone_in_between():
    geometry = replace(_geometry(seed=2), header={"nifti": {"qform_code": 1}})
    first = orientation_of(geometry)
    code = "RAS" if first != "RAS" else "LPS"

    _, between = reorient(np.zeros((3, 4, 5)), geometry, code)
    _, again = reorient(np.zeros(between.shape), between, first)

    assert "nifti" not in between.header
    assert again.header == geometry.header


def test_a_turned_geometry_that_was_changed_is_not_taken_back_to_the_old_one():
    geometry = _geometry(seed=1)
    array = np.zeros((3, 4, 5))
    first = orientation_of(geometry)
    code = "RAS" if first != "RAS" else "LPS"
    turned, between = reorient(array, geometry, code)

    moved = replace(between, origin=(1.0, 2.0, 3.0))
    _, again = reorient(turned, moved, first)

    assert not np.allclose(again.origin, geometry.origin)


def test_undoing_a_turn_gives_the_array_back():
    geometry = Geometry(
        shape=(2, 3, 4), spacing=(1, 1, 1), direction=(0, 1, 0, 0, 0, -1, -1, 0, 0)
    )
    array = np.arange(48).reshape(2, 2, 3, 4)
    turn = turn_to(geometry, "LPS")

    np.testing.assert_array_equal(turn.undo(turn.apply(array)), array)


@pytest.mark.parametrize("code", ["LP", "LLS", "XYZ", "LPSS", ""])
def test_a_code_that_is_no_orientation_is_refused(code):
    with pytest.raises(UsageError, match="such as 'LPS'"):
        turn_to(Geometry(shape=(2, 2, 2), spacing=(1, 1, 1)), code)


def test_a_photograph_cannot_be_turned():
    with pytest.raises(UsageError, match="2 axes"):
        turn_to(Geometry(shape=(2, 2), spacing=(1, 1)), "LPS")
