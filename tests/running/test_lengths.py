"""A time is shared out among folds and what follows them."""

import pytest

from autoseg.running.lengths import folds_in, kept, offered, spoken
from autoseg.train.setup.options import seconds_of


def test_three_lengths_are_offered_the_shortest_first():
    lengths = offered(False, 2.0)
    assert [length.seconds for length in lengths] == [1200, 7200, 36000]
    # Of 1,200 s 144 are kept: 1,056 s of steps of two.
    assert lengths[0].iterations == 528
    assert "528 steps: a first impression" in str(lengths[0])
    assert "steps" not in str(offered(True, None)[0])


def test_a_fold_gets_forty_minutes_or_is_the_only_one():
    assert [folds_in(60 * minutes, 5) for minutes in (4, 79, 81, 600)] == [1, 1, 2, 5]


def test_half_of_the_time_is_for_training_whatever_is_to_be_predicted():
    assert kept(100, images=1000) == 50


@pytest.mark.parametrize("seconds", [45, 60, 100, 1200, 5400, 7200])
def test_a_time_is_spoken_as_it_is_read(seconds):
    assert seconds_of(spoken(seconds)) == seconds
