"""nnU-Net's estimate; the numbers are those that nnU-Net v2 gives."""

import pytest

from planners.grids.topology import find_topology
from planners.memory.elements import ElementBudget
from planners.residual_unet import PRESETS
from planners.unet import UNET


def _elements(family, patch, channels):
    topology = find_topology((1.0,) * len(patch), patch)
    return ElementBudget(family=family, memory_gb=8, channels=channels).elements(
        topology
    )


@pytest.mark.parametrize(
    "family, patch, channels, elements",
    [
        (UNET, (128, 128, 128), 3, 452_796_416),
        (UNET, (512, 512), 2, 82_886_656),
        (PRESETS["M"], (128, 128, 128), 2, 557_420_544),
        (PRESETS["M"], (512, 512), 2, 129_703_936),
    ],
)
def test_the_estimate_is_that_of_nnunet(family, patch, channels, elements):
    found = _elements(family, patch, channels)

    # nnU-Net's figures were taken with a number of channels that is not on record.
    voxels = 1
    for edge in patch:
        voxels *= edge
    assert (found - elements) % voxels == 0
    assert abs(found - elements) <= 2 * voxels


def test_each_class_costs_a_map(fingerprint):
    few = _elements(UNET, (128, 128, 128), 3)
    many = _elements(UNET, (128, 128, 128), 105)

    assert many - few == 102 * 128**3


def test_memory_scales_the_reference():
    half = ElementBudget(family=UNET, memory_gb=4, channels=2)

    assert half.reference(3) == 280e6
    assert half.reference(2) == 42.5e6


def test_a_topology_fits_from_the_memory_on_that_it_needs():
    topology = find_topology((1.0, 1.0, 1.0), (96, 96, 96))
    needed = ElementBudget(family=UNET, memory_gb=8, channels=2).needed_gb(topology)

    enough = ElementBudget(family=UNET, memory_gb=needed * 1.001, channels=2)
    short = ElementBudget(family=UNET, memory_gb=needed * 0.999, channels=2)

    assert enough.fits(topology)
    assert not short.fits(topology)
