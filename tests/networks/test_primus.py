"""Primus: counts of its authors' package in all versions and sizes."""

import pytest
import torch

from autoseg.errors import PlanError
from autoseg.networks.primus import SIZES, Primus
from tests.each import each

# dynamic-network-architectures at d35f85c with timm 1.0.15, counted by building them:
# 1 channel in, 2 out, patch of 64, tokens of 8.
COUNTS = {
    (1, "S"): 23_386_526,
    (1, "B"): 92_243_498,
    (1, "M"): 145_551_770,
    (1, "L"): 324_270_626,
    (2, "S"): 24_159_518,
    (2, "B"): 92_864_426,
    (2, "M"): 146_145_050,
    (2, "L"): 324_790_178,
    (3, "S"): 70_596_165,
    (3, "B"): 148_578_165,
    (3, "M"): 203_545_533,
    (3, "L"): 386_688_645,
}


@each("version, size", COUNTS)
def test_it_has_as_many_parameters_as_the_authors(version, size):
    layers, heads, hidden = SIZES[size]
    options = {
        "dim": 3,
        "patch": [64] * 3,
        "strides": [[1] * 3] + [[2] * 3] * 3,
        "hidden": hidden,
        "attention": heads,
        "layers": layers,
        "version": version,
    }

    drawing = Primus.drawing(options, (64,) * 3, 1, 2)

    assert drawing.parameters == COUNTS[version, size]


@pytest.mark.parametrize("version", [1, 2])
def test_each_version_computes_what_is_drawn(version):
    options, shape = Primus.example(2)
    options = {**options, "version": version}

    network = Primus(1, {"a": 2}, **options)

    drawing = Primus.drawing(options, shape, 1, 2)
    assert sum(p.numel() for p in network.parameters()) == drawing.parameters
    assert network(torch.zeros(1, 1, *shape))["a"].shape == (1, 2, *shape)


def test_channels_that_cannot_be_rotated_are_refused():
    options, shape = Primus.example(3)

    with pytest.raises(PlanError, match="give a multiple of 12"):
        Primus.drawing({**options, "hidden": 16}, shape, 1, 2)
