"""8-bit images."""

import numpy as np
import pytest

from autoseg.errors import FormatError
from autoseg.normalizers.rgb_to_0_1 import RGBTo01


def test_255_becomes_1():
    channel = np.array([0, 51, 255], np.float32)

    np.testing.assert_allclose(RGBTo01()(channel), [0, 0.2, 1], rtol=1e-6)


@pytest.mark.parametrize("bad", [-1, 256])
def test_what_is_no_8_bit_image_is_refused_with_its_range(bad):
    with pytest.raises(FormatError, match=rf"{bad}.*needs 0 to 255"):
        RGBTo01()(np.array([7, bad], np.float32))
