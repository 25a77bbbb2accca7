"""The boundary loss against SciPy's distances."""

import numpy as np
import torch
from pytest import approx, mark
from scipy.ndimage import distance_transform_edt

from autoseg.losses.boundary import Boundary
from autoseg.losses.dice_ce import DiceCrossEntropy


def _signed(mask, spacing):
    """Return scipy's distances, as the paper's authors take them."""
    outside = distance_transform_edt(~mask, sampling=spacing)
    inside = distance_transform_edt(mask, sampling=spacing)
    return np.where(mask, min(spacing) - inside, outside)


@mark.parametrize("shape", [(9, 12), (5, 8, 7)], ids=["2-D", "3-D"])
def test_it_adds_probabilities_times_distances(shape):
    spacing = (2.0, 1.0, 0.5)[-len(shape) :]
    generator = torch.Generator().manual_seed(2)
    target = torch.zeros((1, *shape), dtype=torch.int64)
    target[(0, *(slice(2, 4),) * len(shape))] = 1
    logits = torch.randn((1, 2, *shape), generator=generator)

    found = Boundary(weight=3.0, spacing=spacing)(logits, target)

    far = _signed(target[0].numpy() == 1, spacing) / np.linalg.norm(
        np.multiply(shape, spacing)
    )
    term = (logits.softmax(1)[0, 1].numpy() * far).mean()
    assert found.item() == approx(
        DiceCrossEntropy()(logits, target).item() + 3 * term, abs=1e-4
    )


def test_a_class_that_is_not_there_has_no_border():
    logits, target = torch.randn((1, 2, 4, 4)), torch.zeros((1, 4, 4)).long()

    found = Boundary()(logits, target)

    assert found.item() == approx(DiceCrossEntropy()(logits, target).item(), abs=1e-5)
