"""Slices whose places are rounded are even; where one is missing, they are not."""

from itertools import count

import numpy as np
import pytest

from autoseg.dicom.gaps import explains
from autoseg.dicom.voxels import read_volume
from autoseg.errors import FormatError
from tests.dicom.made import AXIAL, OBLIQUE, normal_of, stored, write_series
from tests.each import each


@pytest.fixture
def folders(tmp_path):
    """Return a function that gives a new folder each time."""
    numbers = count()
    return lambda: tmp_path / str(next(numbers))


def write(folder, heights, orientation=AXIAL):
    """Write a series with a slice at each height, as written."""
    pixels = stored((len(heights), 3, 4))
    positions = [float(height) * normal_of(orientation) for height in heights]
    write_series(folder, pixels, positions=positions, orientation=orientation)
    return pixels


@each(
    "heights, spacing",
    [
        (["0.0", "0.6", "1.3", "1.9", "2.5"], 0.625),
        (["0.6", "1.2", "1.9", "2.5", "3.1", "3.8"], 0.64),  # the mean of five gaps
        (["-1.3", "-0.6", "0", "0.6", "1.3"], 0.65),
        (["0", "3", "5", "8", "10"], 2.5),  # whole millimeters
        (["0", "1.333", "2.667", "4"], 4 / 3),
    ],
)
def test_places_that_are_rounded_are_of_even_slices(folders, heights, spacing):
    folder = folders()
    pixels = write(folder, heights)

    volume = read_volume(folder)

    assert volume.geometry.spacing[0] == pytest.approx(spacing, rel=1e-9)
    np.testing.assert_array_equal(volume.array[0], pixels.astype(float) - 1024)


def test_it_is_told_to_what_places_are_rounded(tmp_path):
    write(tmp_path, ["0.0", "0.6", "1.3", "1.9", "2.5"])

    assert (
        "the places of its slices are rounded to 0.1 mm along the normal; their mean "
        "distance is taken, 0.625 mm" in read_volume(tmp_path).notes
    )


def test_places_of_oblique_slices_are_rounded_along_each_axis(tmp_path):
    normal = normal_of(OBLIQUE)
    at = [np.round(number * 0.8 * normal, 1) for number in range(6)]
    write_series(tmp_path, stored((6, 3, 4)), positions=at, orientation=OBLIQUE)

    spacing = read_volume(tmp_path).geometry.spacing[0]

    assert spacing == pytest.approx((at[5] - at[0]) @ normal / 5, rel=1e-6)
    assert spacing == pytest.approx(0.8, abs=0.1 / 5)


@each(
    "heights, what",
    [
        (["0.0", "0.6", "1.9", "2.5"], "a slice is missing"),
        (["0.0", "0.6", "1.3", "1.9", "3.1"], "a slice is missing"),
        (["0", "2", "6"], "uneven"),
        (["0", "1", "2", "4"], "a slice is missing"),
        (["0.00", "0.63", "1.25", "1.95", "2.50"], "uneven"),  # to 0.01
        (["0", "0.6", "1.4", "1.8", "2.5"], "uneven"),  # on no line
    ],
)
def test_what_rounding_does_not_explain_is_an_error(folders, heights, what):
    folder = folders()
    write(folder, heights)

    with pytest.raises(FormatError, match=what):
        read_volume(folder)


def test_each_spacing_that_is_rounded_is_explained_and_each_missing_slice_is_not():
    random = np.random.default_rng(0)
    for _ in range(200):
        spacing, start = random.uniform(0.5, 5), random.uniform(-100, 100)
        slices = int(random.integers(6, 40))
        true = start + spacing * np.arange(slices)
        heights = np.round(true, 1)

        assert explains(0.1, heights)
        assert not explains(0.1, np.delete(heights, random.integers(1, slices - 1)))
