"""Labels from a stream of outputs are those of all outputs at once."""

import numpy as np
import pytest
import torch

from autoseg.errors import UsageError
from autoseg.geometry.argmax import resample_argmax
from autoseg.geometry.resample import resample_outputs
from autoseg.geometry.streaming import RowResampler, decide_blocks, streams
from autoseg.spec.configuration import Resampling
from tests.each import each
from tests.geometry.toy_outputs import GRIDS, PAINTED, RULES, decided, logits_of


@each("rule", RULES)
@each("shape, new_shape, spacing, new_spacing", GRIDS)
def test_rows_as_they_come(shape, new_shape, spacing, new_spacing, rule):
    logits = logits_of(shape, np.float32)
    grids = (new_shape, spacing, new_spacing)
    whole = decided(resample_outputs(logits, *grids, rule), None)
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


@each("rule", RULES)
@each("shape, new_shape, spacing, new_spacing", GRIDS)
def test_rows_of_all_heads(shape, new_shape, spacing, new_spacing, rule):
    logits = torch.from_numpy(logits_of(shape, np.float32))
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


@each("size", [1, 2, 5, 100])
@each("painted", [None, PAINTED])
@each("shape, new_shape, spacing, new_spacing", GRIDS)
def test_blocks_of_rows_give_rows_of_labels(
    shape, new_shape, spacing, new_spacing, painted, size
):
    logits = torch.from_numpy(logits_of(shape, np.float32))
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


def test_the_weights_on_another_device_are_those_on_the_cpu():
    """There, axes are resampled by gathering; run that way here on any machine."""
    from autoseg.geometry._library import nearest_index
    from autoseg.geometry._operators import operator_of
    from autoseg.geometry._separable import _gathered, rows_of

    values = torch.from_numpy(logits_of((9, 4), np.float32)[0])
    for order in (1, 3):
        operator = operator_of(9, 14, order, nearest_index)
        low, high = operator.needs(3, 11)

        gathered = _gathered(values[low:high], 0, operator, 3, 11)

        wanted = rows_of(values, 0, operator, 3, 11)
        torch.testing.assert_close(gathered, wanted, rtol=1e-5, atol=1e-5)


def test_cubic_outputs_need_all_rows_but_can_be_decided_head_by_head():
    rule = Resampling(output_order=3)
    logits = logits_of((6, 7), np.float32)
    grids = ((9, 5), (1.0, 1.0), (1.0, 1.0), rule)

    labels = resample_argmax(iter(logits), *grids)

    assert not streams((1.0, 1.0), (1.0, 1.0), rule)
    np.testing.assert_array_equal(
        labels, resample_outputs(logits, *grids).argmax(axis=0)
    )
    with pytest.raises(UsageError, match="row by row"):
        RowResampler((6, 7), *grids)
