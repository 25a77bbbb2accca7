"""A budget of operations narrows a network, and nothing else."""

import pytest

from autoseg.errors import PlanError, UsageError
from autoseg.networks.light_unet import LightUNet
from autoseg.networks.pspnet import PSPNet
from planners._operations import narrowed, operations_of
from planners.base import Budget
from planners.grids.topology import find_topology

PATCH = find_topology((1.0, 1.0), (128, 128))


def test_widths_shrink_until_a_pass_fits_and_no_further():
    planned = LightUNet.plan(PATCH, {})
    most = operations_of(LightUNet, planned, PATCH) / 3

    found = narrowed(LightUNet, planned, PATCH, most)

    assert most / 2 < operations_of(LightUNet, found, PATCH) <= most
    assert {k: v for k, v in found.items() if k != "features"} == {
        k: v for k, v in planned.items() if k != "features"
    }
    assert all(width % 4 == 0 for width in found["features"])


def test_what_fits_stays_as_it_is():
    planned = LightUNet.plan(PATCH, {})

    assert narrowed(LightUNet, planned, PATCH, 1e15) == planned


def test_an_encoder_is_divided_by_a_whole_number():
    planned = PSPNet.plan(PATCH, {})
    most = operations_of(PSPNet, planned, PATCH) / 3

    found = narrowed(PSPNet, planned, PATCH, most)

    assert found["narrow"] == 2
    assert operations_of(PSPNet, found, PATCH) <= most


def test_a_multiplication_and_an_addition_are_two_operations():
    planned = LightUNet.plan(PATCH, {})
    drawing = LightUNet.drawing(planned, (128, 128), 1, 1)

    products = sum(layer.multiply_adds for layer in drawing.layers)

    assert operations_of(LightUNet, planned, PATCH) == 2 * products


def test_what_cannot_be_narrow_enough_is_refused():
    planned = LightUNet.plan(PATCH, {})

    with pytest.raises(PlanError, match="the narrowest network takes .*, and the bud"):
        narrowed(LightUNet, planned, PATCH, 1e3)


def test_a_budget_of_nothing_is_refused():
    with pytest.raises(UsageError, match="operations is impossible"):
        Budget(operations=0)
