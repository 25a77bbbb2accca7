"""Annotations in the place of their image, with other axes; by SimpleITK."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from autoseg.errors import DatasetError
from autoseg.formats.sitk import from_sitk
from autoseg.geometry.align import aligned, turn_between
from autoseg.spec.image import Geometry
from tests.each import each

CODES = [
    "".join(letters)
    for axes in itertools.permutations(("RL", "AP", "IS"))
    for letters in itertools.product(*axes)
]
ANGLE = 0.2
TURNED = (np.cos(ANGLE), -np.sin(ANGLE), 0, np.sin(ANGLE), np.cos(ANGLE), 0, 0, 0, 1)


def _image(direction=(1, 0, 0, 0, 1, 0, 0, 0, 1)):
    values = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    image = SimpleITK.GetImageFromArray(values)
    image.SetSpacing((0.5, 0.75, 2.0))
    image.SetOrigin((10, -20, 30))
    image.SetDirection(direction)
    return image


def _read(image):
    array, geometry = from_sitk(image, Path("c.nrrd"), None)
    return array[0], geometry


@each("code", CODES)
@each("direction", [(1, 0, 0, 0, 1, 0, 0, 0, 1), TURNED])
def test_a_turned_annotation_comes_back_voxel_by_voxel(code, direction):
    image = _image(direction)
    values, geometry = _read(image)

    turned, found = aligned(*_read(SimpleITK.DICOMOrient(image, code)), geometry, "c")

    assert np.array_equal(turned, values)
    assert found.shape == geometry.shape and found.direction == geometry.direction


def test_what_lies_elsewhere_is_refused_with_both_orientations():
    _, geometry = _read(_image())
    other = _image((-1, 0, 0, 0, -1, 0, 0, 0, 1))  # the same first voxel

    with pytest.raises(DatasetError, match=r"c\.nrrd.*RAS.*LPS.*same place"):
        aligned(*_read(other), geometry, Path("c.nrrd"))


@pytest.mark.parametrize(
    "changes", [{"unit": "px"}, {"oriented": False}, {"direction": TURNED}]
)
def test_what_does_not_say_so_or_is_oblique_is_left_as_it_is(changes):
    values, geometry = _read(_image())
    flipped = {"direction": (-1.0, 0, 0, 0, -1, 0, 0, 0, 1)} | changes
    other = Geometry(shape=geometry.shape, spacing=geometry.spacing, **flipped)

    assert turn_between(other, geometry) is None
    assert aligned(values, other, geometry, Path("c"))[0] is values


def test_two_axes_are_turned_as_three_are():
    image = Geometry(shape=(3, 4), spacing=(1.0, 2.0))
    # x to the left, from the other end: 3 steps of 2.
    other = Geometry(
        shape=(3, 4), spacing=(1.0, 2.0), origin=(6.0, 0.0), direction=(-1.0, 0, 0, 1)
    )
    values = np.arange(12).reshape(3, 4)

    turned, _ = aligned(values, other, image, Path("c"))

    assert np.array_equal(turned, values[:, ::-1])
