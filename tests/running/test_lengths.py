"""A time is shared out among folds and what follows them."""

import pytest

from autoseg.running.lengths import folds_in, kept, offered, spoken
from autoseg.train.setup.options import seconds_of


def test_three_lengths_are_offered_the_shortest_first():
    lengths = offered(False, 2.0, page=20.0)
    assert [length.seconds for length in lengths] == [1200, 7200, 36000]
    # Of 1,200 s 20 are kept: 1,180 s of steps of two.
    assert lengths[0].iterations == 590
    assert "590 steps: a first impression" in str(lengths[0])
    assert "steps" not in str(offered(True, None)[0])


def test_a_fold_gets_forty_minutes_or_is_the_only_one():
    assert [folds_in(60 * minutes, 5) for minutes in (4, 79, 81, 600)] == [1, 1, 2, 5]


def test_half_of_the_time_is_for_training_however_long_the_page_takes():
    assert kept(100, page=30) == 30
    assert kept(100, page=80) == 50


def test_making_one_model_of_all_folds_gets_time_of_its_own():
    # An eighth and less of the time, and five minutes at most.
    assert kept(1000, page=30, whole=True) == 30 + 120
    assert kept(10_000, page=30, whole=True) == 30 + 300


@pytest.mark.parametrize("seconds", [45, 60, 100, 1200, 5400, 7200])
def test_a_time_is_spoken_as_it_is_read(seconds):
    assert seconds_of(spoken(seconds)) == seconds
