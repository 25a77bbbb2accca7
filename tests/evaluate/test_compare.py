import itertools
import math

import numpy as np
import pytest

from autoseg.evaluate.compare import compare_pair, holm, rank_shares, verdict


def _runs(gains, base=0.7):
    first = {str(i): base for i in range(len(gains))}
    return ("A", first), ("B", {str(i): base + g for i, g in enumerate(gains)})


def test_a_gain_is_positive_where_the_second_run_is_better():
    a, b = _runs([0.1, 0.2, -0.05, 0.0])

    dice, hd95 = compare_pair(a, b, "dice"), compare_pair(a, b, "hd95")

    assert (dice.better, dice.worse, dice.equal) == (2, 1, 1)
    assert dice.gain == pytest.approx(0.25 / 4)
    assert hd95.gain == pytest.approx(-0.25 / 4) and hd95.worse == 2


def test_the_test_counts_every_flip_of_a_few_cases():
    gains = [0.11, 0.07, -0.02, 0.05, 0.03]
    a, b = _runs(gains)

    found = compare_pair(a, b, "dice").p

    sums = [
        abs(sum(s * g for s, g in zip(signs, gains, strict=True)))
        for signs in itertools.product((1, -1), repeat=5)
    ]
    assert found == sum(s >= abs(sum(gains)) - 1e-12 for s in sums) / 32


def test_if_all_of_many_cases_agree_chance_is_ruled_out():
    pair = compare_pair(*_runs([0.05 + 0.001 * i for i in range(20)]), "dice")

    assert pair.p < 0.001
    assert 0.05 < pair.low < pair.gain < pair.high < 0.07
    assert verdict(pair)[0] == "better"


def test_the_same_runs_the_other_way_round_are_worse():
    a, b = _runs([0.05 + 0.001 * i for i in range(20)])

    assert verdict(compare_pair(b, a, "dice"))[0] == "worse"


def test_noise_decides_nothing():
    gains = np.random.default_rng(0).normal(0, 0.05, 30)

    pair = compare_pair(*_runs(gains - gains.mean()), "dice")

    assert verdict(pair)[0] == "undecided"
    assert pair.low < 0 < pair.high and pair.p > 0.5


def test_a_difference_that_does_not_matter_is_none():
    pair = compare_pair(*_runs([0.001, 0.002] * 10), "dice")

    assert verdict(pair)[0] == "better"
    assert verdict(pair, margin=0.01)[0] == "same"


def test_five_cases_are_too_few_even_if_all_agree():
    pair = compare_pair(*_runs([0.2] * 5), "dice")

    # Two of the 32 ways to flip signs are as extreme.
    assert pair.p == 2 / 32
    assert verdict(pair)[0] == "too few"


def test_cases_of_one_patient_are_one_witness():
    a, b = _runs([0.1] * 12)
    groups = {str(i): f"patient {i % 3}" for i in range(12)}

    alone, grouped = compare_pair(a, b, "dice"), compare_pair(a, b, "dice", groups)

    assert (alone.groups, grouped.groups, grouped.cases) == (12, 3, 12)
    assert alone.p == 2 / 2**12 and grouped.p == 2 / 2**3


def test_a_missed_class_is_as_bad_as_can_be_and_makes_the_center_a_median():
    a = {"1": math.inf, "2": 5.0, "3": 4.0, "4": math.inf}
    b = {"1": 2.0, "2": 4.0, "3": 3.0, "4": math.inf}

    pair = compare_pair(("A", a), ("B", b), "hd95")

    assert pair.center == "median" and pair.gain == 1.0
    assert (pair.better, pair.worse, pair.equal) == (3, 0, 1)


def test_cases_without_a_value_in_one_run_are_left_out():
    a = {"1": 0.5, "2": math.nan, "3": 0.5}
    b = {"1": 0.6, "2": 0.9}

    pair = compare_pair(("A", a), ("B", b), "dice")

    assert list(pair.gains) == ["1"] and math.isnan(pair.low)


def test_several_pairs_are_corrected_after_holm():
    pairs = [
        compare_pair(*_runs([0.1] * n), "dice")
        for n in (6, 8, 10)  # p: 2/64, 2/256, 2/1024
    ]

    found = [pair.p for pair in holm(pairs)]

    assert found == pytest.approx([2 / 64, 2 * 2 / 256, 3 * 2 / 1024])


def test_ranks_are_stable_if_one_run_is_always_best():
    values = {
        "A": {str(i): 0.5 + 0.01 * i for i in range(8)},
        "B": {str(i): 0.6 + 0.01 * i for i in range(8)},
    }

    assert rank_shares(values, "dice") == {"A": [0.0, 1.0], "B": [1.0, 0.0]}
    assert rank_shares(values, "hd95") == {"A": [1.0, 0.0], "B": [0.0, 1.0]}


def test_ranks_of_runs_that_take_turns_are_not():
    values = {
        "A": {str(i): 0.5 + 0.1 * (i % 2) for i in range(20)},
        "B": {str(i): 0.6 - 0.1 * (i % 2) for i in range(20)},
    }

    first = rank_shares(values, "dice")["A"][0]

    assert 0.4 < first < 0.75  # ties count for both
