"""UNETR: counts of MONAI's, and that it sees one shape only."""

import pytest
import torch

from autoseg.errors import PlanError
from autoseg.networks.unetr import UNETR


@pytest.mark.parametrize(("dim", "count"), [(2, 87_165_070), (3, 92_802_478)])
def test_it_has_as_many_parameters_as_monais(dim, count):
    # UNETR of MONAI 1.6.1: patch of 96, 1 channel in, 14 out, counted by building it.
    # Each of its 12 layers has a norm of 768 channels that never gets a gradient, and
    # its instance norms learn nothing.
    options = {
        "dim": dim,
        "patch": [96] * dim,
        "strides": [[1] * dim] + [[2] * dim] * 4,
        "features": [16, 32, 64, 128],
        "affine": False,
    }

    drawing = UNETR.drawing(options, (96,) * dim, 1, 14)

    assert drawing.parameters == count - 12 * 2 * 768


def test_an_image_of_another_shape_is_refused():
    options, shape = UNETR.example(2)
    network = UNETR(1, {"a": 2}, **options)
    longer = (shape[0], 2 * shape[1])

    with pytest.raises(PlanError, match="learned where each token is"):
        network(torch.zeros(1, 1, *longer))


def test_where_a_token_lies_matters():
    options, shape = UNETR.example(2)
    torch.manual_seed(0)
    network = UNETR(1, {"a": 2}, **options).eval()
    image = torch.zeros(1, 1, *shape)

    with torch.no_grad():
        before = network(image)["a"]
        position = network.get_submodule("tokens.position").weight
        position[:, 0] += 1.0
        after = network(image)["a"]

    assert not torch.allclose(before, after)


def test_fewer_layers_than_skips_are_refused():
    options, shape = UNETR.example(2)

    with pytest.raises(PlanError, match="1 layers are too few"):
        UNETR.drawing(options | {"layers": 1}, shape, 1, 2)
