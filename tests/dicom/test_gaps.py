"""Slices whose places are rounded are even; where one is missing, they are not."""

from itertools import count

import numpy as np
import pydicom
import pytest

from autoseg.dicom.gaps import explains, named_distance
from autoseg.dicom.planes import Plane
from autoseg.dicom.voxels import read_volume
from autoseg.errors import FormatError
from autoseg.formats.base import find_format
from autoseg.formats.header import remarks_of
from tests.dicom.made import (
    AXIAL,
    OBLIQUE,
    normal_of,
    stored,
    write_enhanced,
    write_series,
)
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


FINE = np.arange(11) * 1.25  # 0, 1.25, 2.5, ...: 0 1 2 4 5 6 8 9 10 11 12 when rounded


def write_coarse(folder, heights=FINE, **more):
    """Write slices whose places are whole millimeters."""
    at = [np.round(height) * normal_of(AXIAL) for height in heights]
    write_series(folder, stored((len(heights), 3, 4)), positions=at, **more)


@each(
    "tags",
    [
        {"SpacingBetweenSlices": 1.25, "SliceThickness": 5.0},
        {"SpacingBetweenSlices": -1.25},  # the sign says which way a table moved
        {"SliceThickness": 1.25},
        {"SliceThickness": 1.25, "order": range(10, -1, -1)},  # from above to below
    ],
)
def test_a_distance_that_a_header_names_explains_coarse_places(folders, tags):
    folder = folders()
    write_coarse(folder, **tags)

    volume = read_volume(folder)

    assert volume.geometry.spacing[0] == pytest.approx(1.25, rel=1e-12)
    key = "SpacingBetweenSlices" if len(tags) > 1 and "order" not in tags else ""
    (remark,) = remarks_of(find_format(folder).geometry(folder, None, None, 1))
    assert f"{key} says 1.25 mm, which agrees with all of them" in remark


@each(
    "heights, tags",
    [
        (FINE, {"SliceThickness": 2.5}),  # overlapping
        (FINE, {"SliceThickness": 1.0}),  # with gaps between slices
        (
            FINE,
            {"SliceThickness": 1.25, "each": lambda n: {"InstanceNumber": n + n // 7}},
        ),
        (FINE, {"each": lambda n: {"SliceThickness": 1.25 if n else 1.3}}),
        (np.delete(FINE, 4), {"SliceThickness": 1.25}),
        (np.delete(np.arange(11.0), 5), {"SliceThickness": 1.0}),
        (np.arange(11) * 0.8, {"SliceThickness": 0.8, "SpacingBetweenSlices": 0.8}),
    ],
)
def test_coarse_places_that_no_header_explains_are_an_error(folders, heights, tags):
    folder = folders()
    write_coarse(folder, heights, **tags)

    with pytest.raises(FormatError, match="uneven|missing|two planes at one place"):
        read_volume(folder)


def test_what_to_do_with_coarse_places_is_said(tmp_path):
    write_coarse(tmp_path, SliceThickness=2.5)

    with pytest.raises(
        FormatError, match="rounded to 1 mm.*ImagePositionPatient.*NIfTI"
    ):
        read_volume(tmp_path)


def planes_at(heights, distance, numbers):
    """Return slices at some heights whose headers name their distance."""
    return [
        Plane(
            name=str(number),
            frame=0,
            uid="",
            number=int(number),
            position=(0.0, 0.0, float(height)),
            orientation=AXIAL,
            spacing=(1.0, 1.0),
            slope=1.0,
            intercept=0.0,
            distances={"SliceThickness": distance},
        )
        for height, number in zip(heights, numbers, strict=True)
    ]


def test_no_missing_slice_is_hidden_by_the_distance_that_headers_name():
    """Those that lack one are refused, whatever is rounded."""
    random = np.random.default_rng(0)
    found = refused = 0
    for _ in range(300):
        distance, slices = random.uniform(1.01, 4), int(random.integers(4, 40))
        heights = np.round(random.uniform(0, 9) + distance * np.arange(slices))
        planes = planes_at(heights, distance, range(1, slices + 1))
        found += named_distance(planes, heights, 1.0) is not None
        kept = np.delete(np.arange(slices), random.integers(1, slices - 1))
        planes = planes_at(heights[kept], distance, kept + 1)
        refused += named_distance(planes, heights[kept], 1.0) is None
    assert found == refused == 300


def test_how_thick_one_slice_is_stands_in_its_frame_too(tmp_path):
    path = tmp_path / "one.dcm"
    write_enhanced(path, stored((1, 3, 4)), SliceThickness=None)
    assert read_volume(path).geometry.spacing[0] == 1.0
    assert any("1 mm is taken" in note for note in read_volume(path).notes)

    ds = pydicom.dcmread(path)
    shared = ds.SharedFunctionalGroupsSequence[0]
    shared.PixelMeasuresSequence[0].SliceThickness = 2.5
    ds.save_as(path)

    assert read_volume(path).geometry.spacing[0] == 2.5
    assert "its series has one slice" in read_volume(path).notes
