"""The Hausdorff loss against SciPy's distances."""

import torch
from pytest import approx
from scipy.ndimage import distance_transform_edt

from autoseg.losses.dice_ce import DiceCrossEntropy
from autoseg.losses.hausdorff import HausdorffDistance


def _from_border(mask):
    return distance_transform_edt(mask) + distance_transform_edt(~mask)


def test_errors_count_by_their_distance_from_both_borders():
    generator = torch.Generator().manual_seed(2)
    target = torch.zeros((1, 9, 12), dtype=torch.int64)
    target[0, 2:5, 3:8] = 1
    logits = torch.randn((1, 2, 9, 12), generator=generator)

    found = HausdorffDistance(alpha=2.0, weight=5.0)(logits, target)

    p, g = logits.softmax(1)[0, 1].numpy(), target[0].numpy() == 1
    far = (_from_border(p > 0.5) ** 2 + _from_border(g) ** 2) / (81 + 144)
    usual = DiceCrossEntropy()(logits, target).item()
    assert found.item() == approx(usual + 5 * ((p - g) ** 2 * far).mean(), abs=1e-4)
