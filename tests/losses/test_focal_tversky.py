"""The focal Tversky loss by hand."""

import torch
from pytest import approx

from autoseg.losses.focal_tversky import FocalTversky


def test_it_is_a_power_of_what_the_index_lacks():
    target = torch.zeros((1, 4, 4), dtype=torch.int16)
    target[:, 0] = 1  # the index is 2 / 5.2, as in test_tversky.py

    found = FocalTversky(gamma=2.0)(torch.zeros((1, 2, 4, 4)), target)

    assert found.item() == approx((1 - 2 / 5.2) ** 0.5, abs=1e-4)
