"""Labels decided head after head are those of all heads at once."""

import numpy as np
import pytest
import torch

from autoseg.errors import UsageError
from autoseg.geometry.argmax import resample_argmax
from autoseg.geometry.resample import resample_outputs
from autoseg.spec.configuration import Resampling
from tests.each import each
from tests.geometry.toy_outputs import CUBE, GRIDS, PAINTED, RULES, decided, logits_of


@each("painted", [None, PAINTED])
@each("kind", [np.float16, np.float32])
@each("exact", [True, False])
@each("rule", RULES)
@each("shape, new_shape, spacing, new_spacing", GRIDS)
def test_heads_one_by_one(
    shape, new_shape, spacing, new_spacing, rule, exact, kind, painted
):
    logits = logits_of(shape, kind)
    grids = (new_shape, spacing, new_spacing, rule)

    labels = resample_argmax(iter(logits), *grids, painted=painted, exact=exact)

    outputs = resample_outputs(logits, *grids, exact=exact)
    np.testing.assert_array_equal(labels, decided(outputs, painted))


def test_of_equal_heads_the_first_wins():
    heads = [np.zeros((3, 3, 3), np.float32)] * 3

    labels = resample_argmax(iter(heads), (5, 5, 5), CUBE, CUBE, Resampling())

    assert not labels.any()


def test_a_region_at_exactly_one_half_is_not_painted():
    heads = [np.zeros((2, 2), np.float32), np.full((2, 2), 1e-3, np.float16)]
    grids = ((3, 3), (1.0, 1.0), (1.0, 1.0), Resampling())

    assert not resample_argmax(iter(heads[:1]), *grids, painted=[5]).any()
    assert (resample_argmax(iter(heads[1:]), *grids, painted=[5]) == 5).all()


def test_half_precision_is_compared_as_half_precision():
    # Steps of float16 near 1000 are 0.5: a little more than 1000 is a tie, not a win.
    first, second = np.full((2, 2), 1000, np.float16), np.full((2, 2), 1000, np.float16)
    second[0, 0] = 1001
    grids = ((7, 7), (1.0, 1.0), (1.0, 1.0), Resampling())

    labels = resample_argmax(iter([first, second]), *grids)

    rounded = resample_outputs(np.stack([first, second]), *grids)
    np.testing.assert_array_equal(labels, rounded[1] > rounded[0])


def test_more_heads_than_a_byte_can_number():
    heads = [np.full((2, 2), k, np.float32) for k in range(300)]

    labels = resample_argmax(iter(heads), (3, 3), (1.0, 1.0), (1.0, 1.0), Resampling())

    assert (labels == 299).all()


def test_tensors_are_taken_as_arrays_are():
    logits = logits_of((6, 7), np.float32)
    grids = ((9, 5), (1.0, 1.0), (1.0, 1.0), Resampling())

    labels = resample_argmax(iter(torch.from_numpy(logits)), *grids)

    np.testing.assert_array_equal(labels, resample_argmax(iter(logits), *grids))


def test_no_heads_and_too_many_heads_are_refused():
    grids = ((3, 3), (1.0, 1.0), (1.0, 1.0), Resampling())
    heads = [np.zeros((2, 2), np.float32)] * 2

    with pytest.raises(UsageError, match="no heads"):
        resample_argmax(iter([]), *grids)
    with pytest.raises(UsageError, match="more heads than the 1"):
        resample_argmax(iter(heads), *grids, painted=[4])
