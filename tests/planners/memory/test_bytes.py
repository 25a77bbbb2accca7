"""The budget rule that counts bytes."""

import pytest

from planners.grids.topology import find_topology
from planners.memory.bytes import ByteBudget
from planners.memory.model import GIB
from planners.residual_unet import PRESETS
from planners.setting import LossCost
from planners.unet import UNET
from tests.each import each


def _budget(gb, family=UNET, channels=1, classes=2):
    return ByteBudget(
        family=family,
        memory_gb=gb,
        in_channels=channels,
        heads=[LossCost(channels=classes)],
    )


CUBE = find_topology((1.0, 1.0, 1.0), (64, 64, 64))


@pytest.mark.parametrize("family", [UNET, PRESETS["M"]])
def test_the_largest_batch_fits_and_one_more_does_not(family):
    budget = _budget(6, family)

    batch = budget.largest_batch(CUBE)

    assert budget.needed_gb(CUBE, batch) <= 6 < budget.needed_gb(CUBE, batch + 1)
    assert budget.fits(CUBE, batch)
    assert not budget.fits(CUBE, batch + 1)


def test_no_batch_fits_a_budget_below_the_weights():
    assert _budget(0.1).largest_batch(CUBE) == 0


@each("family", [UNET, PRESETS["M"], PRESETS["XL"]])
@each("patch", [(64, 64, 64), (16, 96, 96), (320, 256)])
@each("gb", [1.0, 2.0, 3.0])
def test_the_quick_look_refuses_nothing_that_fits(family, patch, gb):
    topology = find_topology((1.0,) * len(patch), patch)
    quick, walked = _budget(gb, family), _budget(gb, family)
    walked.step(topology)  # known: no quick look is taken any more

    assert quick.fits(topology) == walked.fits(topology)


CUBES = [find_topology((1.0,) * 3, (edge,) * 3) for edge in range(128, 32, -16)]


def test_where_the_budget_ends_is_not_guessed_before_a_step_is_known():
    assert _budget(4).likely(CUBES, None) is None


def test_a_step_with_three_times_the_budget_has_three_times_the_voxels_that_may_fit():
    budget = _budget(4)
    budget = _budget(budget.needed_gb(CUBES[0]) / 3)
    budget.step(CUBES[0])

    # 128 ** 3 / 3 = 88.8 ** 3: of 128, 112, 96, 80 the fourth.
    assert budget.likely(CUBES, None) == 3


@pytest.mark.parametrize("gb", [1.5, 3.0, 5.0])
def test_between_two_known_steps_the_end_of_the_budget_is_guessed_to_a_place(gb):
    budget, walked = _budget(gb), _budget(gb)
    budget.step(CUBES[0])
    budget.step(CUBES[-1])
    fitting = [walked.needed_gb(cube) <= gb for cube in CUBES]
    first = fitting.index(True) if any(fitting) else len(CUBES)

    assert abs(budget.likely(CUBES, None) - first) <= 1


def test_what_is_needed_is_the_peak_with_driver_and_gaps():
    budget = _budget(8)

    parts = budget.parts(CUBE, 4)

    assert sum(parts.values()) / GIB == pytest.approx(budget.needed_gb(CUBE, 4))
    peak = sum(parts.values()) - parts["reserve"]
    assert parts["reserve"] == pytest.approx(0.5 * GIB + 0.04 * peak, abs=1)


def test_classes_and_channels_cost_memory():
    few = _budget(8).needed_gb(CUBE)

    # One input channel more: 2 samples, in float32 and in the copy for bf16.
    more = _budget(8, channels=2).needed_gb(CUBE)
    assert more - few >= 2 * 64**3 * (4 + 2) / GIB
    # A class more: logits at least, in bf16, are there at the end of the forward pass.
    many = _budget(8, classes=102).needed_gb(CUBE)
    assert many - few >= 100 * 2 * 64**3 * 2 / GIB
