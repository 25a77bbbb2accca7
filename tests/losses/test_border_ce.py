"""U-Net's border weights against SciPy."""

import math

import numpy as np
import torch
from pytest import approx, raises
from scipy.ndimage import distance_transform_edt, label

from autoseg.errors import PlanError
from autoseg.losses.border_ce import BorderCrossEntropy, border_weights


def test_between_two_objects_the_weight_is_that_of_the_paper():
    inside = np.zeros((20, 30), bool)
    inside[5:9, 4:8] = inside[5:9, 10:14] = True  # two columns between them

    weights = border_weights(inside, height=10.0, sigma=5.0)

    far = [distance_transform_edt(~(label(inside)[0] == number)) for number in (1, 2)]
    wanted = 1 + 10 * np.exp(-((far[0] + far[1]) ** 2) / 50)
    assert weights[6, 8] == approx(1 + 10 * np.exp(-9 / 50), rel=1e-5)  # 1 and 2 away
    assert np.allclose(weights[~inside], wanted[~inside], atol=1e-2)
    assert (weights[inside] == 1).all()


def test_one_object_has_no_border():
    inside = np.zeros((8, 8, 8), bool)
    inside[2:5, 2:5, 2:5] = True

    assert (border_weights(inside, 10.0, 5.0) == 1).all()


def test_it_is_cross_entropy_where_nothing_touches_and_classes_may_weigh_more():
    logits = torch.tensor([math.log(3), 0.0]).reshape(1, 2, 1, 1).expand(1, 2, 1, 2)
    target = torch.tensor([[[0, 1]]])  # p of what is said: 3/4 and 1/4

    plain = BorderCrossEntropy(height=0.0)(logits, target).item()
    weighted = BorderCrossEntropy(height=0.0, weights=[1, 3])(logits, target).item()

    assert plain == approx((math.log(4 / 3) + math.log(4)) / 2)
    assert weighted == approx((math.log(4 / 3) + 3 * math.log(4)) / 4)


def test_weights_for_other_channels_are_refused():
    with raises(PlanError, match="3 weights for 2 channels"):
        BorderCrossEntropy(weights=[1, 2, 3])(*_two())


def _two():
    return torch.zeros((1, 2, 2, 2)), torch.zeros((1, 2, 2)).long()
