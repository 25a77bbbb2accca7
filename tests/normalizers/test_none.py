"""Nothing is done."""

import numpy as np

from autoseg.normalizers.none import NoNormalization


def test_the_channel_is_left_alone():
    channel = np.array([-5, 0, 1e6], np.float32)

    assert NoNormalization()(channel) is channel
    assert channel.tolist() == [-5, 0, 1e6]
