"""The learning rate over a training, and the clock that time budgets run by."""

from dataclasses import replace

import pytest

from autoseg.train.loop.schedule import Clock, learning_rate
from autoseg.train.setup.recipes import RECIPES

NNUNET = RECIPES["nnunet"]
FAST = replace(RECIPES["fast"], learning_rate=1.0, warmup=0.2)


def test_polynomial_falls_with_nine_tenths_of_a_power():
    # nnU-Net: 0.01 * (1 - 500 / 1000) ** 0.9
    assert learning_rate(NNUNET, 0.5) == pytest.approx(0.00535886731268146)
    assert learning_rate(NNUNET, 1.0) == 0.0


def test_one_cycle_rises_for_its_warmup_and_falls_to_almost_nothing():
    # Half a cosine from 1/25 to 1: in its middle, the mean of both.
    assert learning_rate(FAST, 0.0) == pytest.approx(0.04)
    assert learning_rate(FAST, 0.1) == pytest.approx(0.52)
    assert learning_rate(FAST, 0.2) == pytest.approx(1.0)
    assert learning_rate(FAST, 0.6) == pytest.approx((1 + 1e-4) / 2)
    assert learning_rate(FAST, 1.0) == pytest.approx(1e-4)


def test_without_warmup_one_cycle_starts_at_the_top():
    assert learning_rate(replace(FAST, warmup=0.0), 0.0) == 1.0


def test_a_warmup_rises_on_a_line_and_falls_over_the_rest():
    # A line from 1/25 to 1 is at 0.52 half way; 0.6 is half of what is left after 0.2.
    falling = {
        "warmup_polynomial": (0.5**0.9, 0.0),
        "warmup_cosine": (0.5, 0.0),
    }
    for schedule, (middle, end) in falling.items():
        recipe = replace(FAST, schedule=schedule)
        rates = [learning_rate(recipe, p) for p in (0.0, 0.1, 0.2, 0.6, 1.0)]
        assert rates == pytest.approx([0.04, 0.52, 1.0, middle, end])


def test_the_clock_moves_the_schedule_once_an_epoch_where_asked_to():
    clock = Clock(iterations=1000, seconds=None, step=250)
    seen = set()
    while not clock.finished:
        seen.add(clock.scheduled)
        clock.tick(0.1)

    assert clock.iteration == 1000
    assert seen == {0.0, 0.25, 0.5, 0.75}


def _run(clock, pace):
    rates = []
    while not clock.finished:
        rates.append(learning_rate(NNUNET, clock.scheduled))
        clock.tick(pace(clock))
    return rates


def test_a_time_budget_ends_in_time_with_the_schedule_at_its_end():
    clock = Clock(iterations=None, seconds=100.0)

    rates = _run(clock, lambda clock: 0.5)

    assert clock.used == pytest.approx(100, abs=1)
    assert len(rates) == pytest.approx(200, abs=2)
    assert rates[100] == pytest.approx(learning_rate(NNUNET, 0.5), rel=0.02)
    assert rates[-1] < 0.01 * NNUNET.learning_rate * 2
    assert all(a >= b for a, b in zip(rates, rates[1:], strict=False))


def test_a_machine_that_becomes_slow_half_way_does_not_overrun_the_budget():
    clock = Clock(iterations=None, seconds=100.0)

    rates = _run(clock, lambda clock: 0.1 if clock.used < 50 else 0.5)

    # 500 fast iterations, then 100 slow ones: the schedule still ends.
    assert clock.used == pytest.approx(100, abs=1.5)
    assert len(rates) == pytest.approx(600, abs=10)
    assert rates[-1] < 0.02 * NNUNET.learning_rate


def test_time_spent_beside_the_iterations_counts():
    clock = Clock(iterations=None, seconds=100.0)
    while not clock.finished:
        clock.tick(0.5)
        if clock.iteration % 10 == 0:
            clock.spend(5.0)  # a validation as long as ten iterations

    assert clock.used == pytest.approx(100, abs=6)
    assert clock.iteration == pytest.approx(100, abs=10)


def test_a_clock_goes_on_from_its_state():
    whole, first = Clock(None, 60.0), Clock(None, 60.0)
    for _ in range(40):
        whole.tick(0.25)
        first.tick(0.25)
    second = Clock(None, 60.0)

    second.load(first.state())
    for clock in (whole, second):
        for _ in range(40):
            clock.tick(0.25)

    assert second.state() == whole.state()


def test_what_is_left_is_known_after_the_first_iteration():
    clock = Clock(iterations=11, seconds=None)
    before = clock.left
    clock.tick(2.0)

    assert before is None
    assert clock.left == pytest.approx(20.0)
