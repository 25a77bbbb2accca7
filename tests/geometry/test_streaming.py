"""Labels from a stream of outputs are those of all outputs at once."""

import numpy as np
import pytest
import torch

from autoseg.errors import UsageError
from autoseg.geometry.resample import resample_outputs
from autoseg.geometry.streaming import (
    RowResampler,
    decide_blocks,
    resample_argmax,
    streams,
)
from autoseg.spec.plan import Resampling

CUBE = (1.0, 1.0, 1.0)
GRIDS = [
    ((10, 14, 12), (15, 11, 25), CUBE, (0.7, 1.3, 0.5)),
    ((6, 16, 12), (11, 12, 16), (8.0, 1.5, 1.5), (5.0, 1.9, 1.2)),  # thick, grows
    ((11, 12, 16), (6, 16, 12), (5.0, 1.9, 1.2), (8.0, 1.5, 1.5)),  # shrinks
    ((14, 5, 12), (11, 9, 13), (1.0, 7.0, 1.0), (1.2, 3.0, 0.9)),  # second axis
    ((12, 14, 9), (12, 14, 9), CUBE, CUBE),
    ((13, 17), (20, 11), (1.0, 1.0), (0.7, 1.5)),
    ((1, 3, 1), (4, 2, 1), CUBE, (0.25, 1.5, 1.0)),
]
RULES = [
    Resampling(),
    Resampling(method="linear"),
    Resampling(output_order=0),
    Resampling(thick_order=1),
]
PAINTED = (3, 1, 2, 5, 4)


def _logits(shape, kind):
    values = np.random.default_rng(0).normal(size=(5, *shape), scale=4)
    return values.astype(kind)


def _decided(outputs, painted):
    """What NumPy decides from all heads at once."""
    if painted is None:
        return outputs.argmax(axis=0)
    labels = np.zeros(outputs.shape[1:], dtype=int)
    for head, value in zip(outputs, painted, strict=True):
        labels[1 / (1 + np.exp(-head.astype(np.float64))) > 0.5] = value
    return labels


@pytest.mark.parametrize("painted", [None, PAINTED])
@pytest.mark.parametrize("kind", [np.float16, np.float32])
@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("shape", "new_shape", "spacing", "new_spacing"), GRIDS)
def test_heads_one_by_one(
    shape, new_shape, spacing, new_spacing, rule, exact, kind, painted
):
    logits = _logits(shape, kind)
    grids = (new_shape, spacing, new_spacing, rule)

    labels = resample_argmax(iter(logits), *grids, painted=painted, exact=exact)

    outputs = resample_outputs(logits, *grids, exact=exact)
    np.testing.assert_array_equal(labels, _decided(outputs, painted))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("shape", "new_shape", "spacing", "new_spacing"), GRIDS)
def test_rows_as_they_come(shape, new_shape, spacing, new_spacing, rule):
    logits = _logits(shape, np.float32)
    grids = (new_shape, spacing, new_spacing)
    whole = _decided(resample_outputs(logits, *grids, rule), None)
    for axis in range(len(shape)):
        resampler = RowResampler(shape, *grids, rule, axis=axis)
        parts, done = [], 0
        for available in range(1, shape[axis] + 1):
            ready = resampler.ready(available)
            if ready == done:
                continue
            low, high = resampler.needs(done, ready)
            assert high <= available
            heads = np.take(logits, range(low, high), axis=axis + 1)
            parts.append(resampler.decide(heads, low, done, ready))
            done = ready

        np.testing.assert_array_equal(np.concatenate(parts, axis=axis), whole)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("shape", "new_shape", "spacing", "new_spacing"), GRIDS)
def test_rows_of_all_heads(shape, new_shape, spacing, new_spacing, rule):
    logits = torch.from_numpy(_logits(shape, np.float32))
    grids = (new_shape, spacing, new_spacing, rule)
    whole = resample_outputs(logits.numpy(), *grids)
    for axis in range(len(shape)):
        resampler = RowResampler(shape, *grids, axis=axis)
        start, stop = resampler.size // 3, resampler.size
        low, high = resampler.needs(start, stop)
        heads = logits.narrow(axis + 1, low, high - low)

        rows = resampler.outputs(heads, low, start, stop)

        wanted = np.take(whole, range(start, stop), axis=axis + 1)
        np.testing.assert_allclose(rows.numpy(), wanted, atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 5, 100])
@pytest.mark.parametrize("painted", [None, PAINTED])
@pytest.mark.parametrize(("shape", "new_shape", "spacing", "new_spacing"), GRIDS)
def test_blocks_of_rows_give_rows_of_labels(
    shape, new_shape, spacing, new_spacing, painted, size
):
    logits = torch.from_numpy(_logits(shape, np.float32))
    grids = (new_shape, spacing, new_spacing, Resampling())
    whole = resample_argmax(iter(logits), *grids, painted=painted)
    for axis in range(len(shape)):
        resampler = RowResampler(shape, *grids, axis=axis)
        blocks = (
            (start, logits.narrow(axis + 1, start, min(size, shape[axis] - start)))
            for start in range(0, shape[axis], size)
        )
        starts, labels = zip(*decide_blocks(blocks, resampler, painted), strict=True)

        joined = np.concatenate(labels, axis=axis)
        np.testing.assert_array_equal(joined, whole)
        assert starts == tuple(
            np.cumsum([0, *(part.shape[axis] for part in labels)])[:-1]
        )


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
    logits = _logits((6, 7), np.float32)
    grids = ((9, 5), (1.0, 1.0), (1.0, 1.0), Resampling())

    labels = resample_argmax(iter(torch.from_numpy(logits)), *grids)

    np.testing.assert_array_equal(labels, resample_argmax(iter(logits), *grids))


def test_the_weights_on_another_device_are_those_on_the_cpu():
    """There, axes are resampled by gathering; run that way here on any machine."""
    from autoseg.geometry._library import nearest_index
    from autoseg.geometry._operators import operator_of
    from autoseg.geometry._separable import _gathered, rows_of

    values = torch.from_numpy(_logits((9, 4), np.float32)[0])
    for order in (1, 3):
        operator = operator_of(9, 14, order, nearest_index)
        low, high = operator.needs(3, 11)

        gathered = _gathered(values[low:high], 0, operator, 3, 11)

        wanted = rows_of(values, 0, operator, 3, 11)
        torch.testing.assert_close(gathered, wanted, rtol=1e-5, atol=1e-5)


def test_cubic_outputs_need_all_rows_but_can_be_decided_head_by_head():
    rule = Resampling(output_order=3)
    logits = _logits((6, 7), np.float32)
    grids = ((9, 5), (1.0, 1.0), (1.0, 1.0), rule)

    labels = resample_argmax(iter(logits), *grids)

    assert not streams((1.0, 1.0), (1.0, 1.0), rule)
    np.testing.assert_array_equal(
        labels, resample_outputs(logits, *grids).argmax(axis=0)
    )
    with pytest.raises(UsageError, match="row by row"):
        RowResampler((6, 7), *grids)


def test_no_heads_and_too_many_heads_are_refused():
    grids = ((3, 3), (1.0, 1.0), (1.0, 1.0), Resampling())
    heads = [np.zeros((2, 2), np.float32)] * 2

    with pytest.raises(UsageError, match="no heads"):
        resample_argmax(iter([]), *grids)
    with pytest.raises(UsageError, match="more heads than the 1"):
        resample_argmax(iter(heads), *grids, painted=[4])
