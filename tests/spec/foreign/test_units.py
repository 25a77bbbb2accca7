"""Words for units of length, by the definitions of the units."""

import pytest

from autoseg.spec.foreign.units import factor_between, in_pixels, unit_of
from tests.each import each

MICROMETERS = {
    "um": 1,
    "µm": 1,  # micro sign
    "μm": 1,  # Greek letter
    "\\u00B5m": 1,  # as ImageJ escapes it
    "micron": 1,
    "Microns": 1,
    "micrometer": 1,
    "micrometers": 1,
    "micrometre": 1,
    "micrometres": 1,
    "nm": 1e-3,
    "nanometers": 1e-3,
    "nanometre": 1e-3,
    "pm": 1e-6,
    "Å": 1e-4,
    "A\u030a": 1e-4,  # the letter and a ring
    "angstrom": 1e-4,
    "Angstroms": 1e-4,
    "Ångström": 1e-4,
}
MILLIMETERS = {
    "mm": 1,
    "MM": 1,
    "millimeter": 1,
    "millimetres": 1,
    "cm": 10,
    "centimeters": 10,
    "dm": 100,
    "m": 1000,
    "metre": 1000,
    "meters": 1000,
    "km": 1e6,
    "inch": 25.4,
    "inches": 25.4,
    "in": 25.4,
    "ft": 304.8,
}


@each("word", MICROMETERS)
def test_up_to_micrometers_lengths_are_in_micrometers(word):
    unit = unit_of(word)

    assert (unit.name, unit.known, unit.said) == ("um", True, True)
    assert unit.factor == pytest.approx(MICROMETERS[word], rel=1e-15)


@each("word", MILLIMETERS)
def test_longer_units_are_in_millimeters(word):
    unit = unit_of(f" {word} ")

    assert (unit.name, unit.known) == ("mm", True)
    assert unit.factor == pytest.approx(MILLIMETERS[word], rel=1e-15)


@pytest.mark.parametrize("word", ["pixel", "Pixels", "px", "voxel", "reference frame"])
def test_pixels_are_no_length(word):
    unit = unit_of(word)

    assert unit.known and unit.said and not unit.has_size


@pytest.mark.parametrize("word", [None, "", "  ", "???", "unknown", "\0"])
def test_nothing_is_no_unit_that_is_not_known(word):
    unit = unit_of(word)

    assert unit.known and not unit.said and not unit.has_size


@pytest.mark.parametrize("word", ["furlong", "sec", "um2", "mmm", "dpi"])
def test_other_words_are_not_known(word):
    unit = unit_of(word)

    assert not unit.known and unit.said and not unit.has_size


def test_lengths_are_converted_between_our_units_and_not_from_pixels():
    assert factor_between("mm", "um") == 1000
    assert factor_between("um", "mm") == 0.001
    assert factor_between("um", "um") == 1
    assert factor_between("px", "mm") is None


def test_a_ratio_is_in_pixels_of_the_last_axis():
    assert in_pixels((1.0, 0.25, 0.5)) == (2.0, 0.5, 1.0)
