"""Intensities that a later stage refuses, or of which float32 keeps little."""

import numpy as np
import pytest

from autoseg.errors import FormatError
from autoseg.fingerprint.check.values import value_problems
from autoseg.fingerprint.extremes import ends_of
from autoseg.normalizers.rgb_to_0_1 import RGBTo01

NOISE = np.random.default_rng(0).normal(100, 15, (8, 9, 10))


def told(tmp_path, array, *names):
    image = np.asarray(array)[None].astype(np.float32)
    ends = [ends_of(channel) for channel in image]
    return list(value_problems(ends, tmp_path / "c.nii.gz", names))


@pytest.mark.parametrize("offset", [0, 1e4, -1e5])
def test_values_that_float32_tells_apart_are_fine(tmp_path, offset):
    assert told(tmp_path, NOISE + offset) == []
    assert told(tmp_path, NOISE * 1e-30) == []
    assert told(tmp_path, NOISE > 100) == []  # two values
    assert told(tmp_path, np.full((3, 3), 1e9)) == []  # one value: told elsewhere


@pytest.mark.parametrize("offset", [1e9, -1e9, 1e7])
def test_values_far_from_0_that_fall_together_are_a_warning(tmp_path, offset):
    (problem,) = told(tmp_path, NOISE + offset)

    # A float32 has 24 bits: between 2**29 and 2**30 every 64th number.
    step = 64 if abs(offset) > 1e8 else 1
    low, high = np.round((np.array([NOISE.min(), NOISE.max()]) + offset) / step)
    assert problem.severity == "warning"
    assert f"which knows {int(high - low) + 1} numbers" in problem.found


def test_what_a_normalization_refuses_is_an_error(tmp_path):
    assert told(tmp_path, NOISE, "rgb_to_0_1") == []
    (problem,) = told(tmp_path, NOISE * 100, "RGB_to_0_1")
    assert problem.severity == "error" and "is of 0 to 255" in problem.found
    assert told(tmp_path, NOISE * 100, "red") == []

    with pytest.raises(FormatError, match="needs 0 to 255"):  # what comes later
        RGBTo01()((NOISE * 100).astype(np.float32))
