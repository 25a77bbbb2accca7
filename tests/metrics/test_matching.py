import numpy as np
import pytest

from autoseg.metrics.contingency import count_shared
from autoseg.metrics.matching import match
from tests.each import each


def _strips(seed, length=60):
    """Two rows of touching pieces of random length."""
    rng = np.random.default_rng(seed)
    return [np.repeat(np.arange(1, 40), rng.integers(1, 8, 39))[:length] for _ in "ab"]


def _best(table, threshold):
    """Try every way to pair the instances of a small table."""
    pairs = zip(table.rows, table.columns, table.ious, strict=True)
    good = [pair for pair in pairs if pair[2] > threshold]

    def best(first, rows, columns):
        found = (0, 0.0)
        for place in range(first, len(good)):
            row, column, iou = good[place]
            if row not in rows and column not in columns:
                more, quality = best(place + 1, {*rows, row}, {*columns, column})
                found = max(found, (more + 1, quality + iou))
        return found

    return best(0, set(), set())


@each("threshold", [0.0, 0.1, 0.3])
@each("seed", range(4))
def test_below_a_half_no_other_pairing_is_better(threshold, seed):
    predicted, reference = _strips(seed, 30)
    table = count_shared(predicted, reference)

    pairs = match(table, threshold)

    count, quality = _best(table, threshold)
    assert len(pairs) == count
    assert table.ious[pairs].sum() == pytest.approx(quality)
    assert len(set(table.rows[pairs])) == len(set(table.columns[pairs])) == count


@pytest.mark.parametrize("threshold", [0.5, 0.7])
def test_from_a_half_on_no_instance_has_two_partners(threshold):
    predicted, reference = _strips(7)
    table = count_shared(predicted, reference)

    pairs = match(table, threshold)

    assert 0 < len(pairs) == np.count_nonzero(table.ious > threshold)
    assert len(set(table.rows[pairs])) == len(set(table.columns[pairs])) == len(pairs)


def test_an_iou_of_exactly_the_threshold_is_no_match():
    table = count_shared(np.array([1, 2]), np.array([1, 1]))  # both 1/2

    assert table.ious.tolist() == [0.5, 0.5]
    assert len(match(table, 0.5)) == 0
    assert len(match(table, 0.49)) == 1


def test_more_pairs_come_before_better_pairs():
    # 1 could have 1 (IoU 3/5), but then 2 would have nobody: 2 and 1 share 1/4 and
    # 1 and 2 share 1/5.
    predicted = np.array([1, 1, 1, 1, 2, 0])
    reference = np.array([1, 1, 1, 2, 1, 2])
    table = count_shared(predicted, reference)

    pairs = match(table, 0.1)

    assert sorted(zip(table.rows[pairs], table.columns[pairs], strict=True)) == [
        (0, 1),
        (1, 0),
    ]


def test_nothing_is_paired_with_nothing():
    empty = np.zeros(4, dtype=np.int32)

    assert len(match(count_shared(empty, empty), 0.0)) == 0
