"""Resampling one axis after the other, by dense products of small matrices.

The arithmetic is float32, within its rounding of the library's. Axis 0 is resampled
last where it grows, and the others a few rows at a time, so that most of the work stays
in the processor's cache. torch does the products, on any of its devices.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autoseg.geometry._operators import (
    BLOCK,
    Banded,
    Operator,
    Select,
    blocks_of,
    dense,
)
from autoseg.geometry.mapped import in_rows, is_mapped, let_go, zeros
from autoseg.geometry.threads import workers

if TYPE_CHECKING:
    import torch

    Tensor = torch.Tensor

Array = NDArray[Any]

AT_ONCE = 2**24  # numbers of an array that is in a file
IN_CACHE = 2**19  # numbers of float32 that a core's cache holds with room to spare


def resample(
    array: Array,
    operators: Sequence[Operator],
    result: Array,
    *,
    clip: bool,
    thick: int | None,
) -> None:
    """Resample each channel of an array.

    Parameters
    ----------
    array : ndarray of float, shape (C, *S)
        Computed in float32 whatever its type.
    operators : sequence of Operator, length D
        For each axis.
    result : ndarray of float, shape (C, *new)
        To be filled.
    clip : bool
        Keep to the range of each channel or, with a thick axis, of each slice.
    thick : int or None
        The thick axis.
    """
    order = list(range(len(operators)))
    if thick:  # slices along the first axis
        order.insert(0, order.pop(thick))
    kind = "" if not clip else "channel" if thick is None else "slice"
    operators = [operators[axis] for axis in order]

    def work(channel: int) -> None:
        source, target = array[channel], result[channel]
        _resample_channel(
            source.transpose(order), operators, target.transpose(order), kind
        )

    with workers() as (_, run):
        run(work, range(len(array)))


def _resample_channel(
    values: Array, operators: list[Operator], result: Array, clip: str
) -> None:
    import torch

    first, rest = operators[0], operators[1:]
    limits = None
    if clip == "channel":
        ends = [(float(p.min()), float(p.max())) for _, p in in_rows(values)]
        limits = min(low for low, _ in ends), max(high for _, high in ends)
    if isinstance(first, Select) and first.size <= len(values):
        values, first = _selected(values, first), None
    elif isinstance(first, Banded) and first.size <= len(values) and clip != "slice":
        values, first = _fewer_rows(values, first), None
    rows = max(1, IN_CACHE // max(1, result[0].size))
    if first is None or not any(rest):
        middle = values if is_mapped(values) else _floats(values)
    else:
        made = zeros((len(values), *result.shape[1:]), np.float32)
        for start in range(0, len(values), rows):
            part = slice(start, start + rows)
            done = inner(_floats(np.asarray(values[part])), rest, clip == "slice")
            made[part] = done.numpy()
            _let_go(values, made)
        middle = made if is_mapped(made) else torch.from_numpy(made)
    for start, stop, block in outer(middle, first, rows):
        if first is None:
            block = inner(block, rest, clip == "slice")
        if limits is not None:
            block = block.clamp(*limits)
        # torch is twenty times faster than NumPy at rounding to float16.
        torch.from_numpy(result[start:stop]).copy_(block)
        _let_go(middle, result)


def _selected(values: Array, operator: Select) -> Array:
    """Return some rows, in a file if there are many."""
    if not is_mapped(values):
        return values[operator.index]
    kept = zeros((operator.size, *values.shape[1:]), values.dtype)
    for row, index in zip(kept, operator.index.tolist(), strict=True):
        row[...] = values[index]
        _let_go(values, kept)
    return kept


def _fewer_rows(values: Array, operator: Banded) -> Array:
    """Resample the first axis, of what is in a file some columns at a time."""
    if not is_mapped(values):
        found: Array = _along(_floats(values), 0, operator).numpy()
        return found
    import torch

    made = zeros((operator.size, *values.shape[1:]), np.float32)
    step = max(1, AT_ONCE // max(1, BLOCK * math.prod(values.shape[2:])))
    for start, stop in blocks_of(operator):
        low, high = operator.needs(start, stop)
        matrix = dense(operator, start, stop)
        for column in range(0, values.shape[1], step):
            part = slice(column, column + step)
            source = _floats(np.asarray(values[low:high, part]))
            product = torch.bmm(matrix[None], source.reshape(1, len(source), -1))
            made[start:stop, part] = product.reshape(-1, *source.shape[1:]).numpy()
        _let_go(values, made)
    return made


def _let_go(*arrays: Any) -> None:
    """Take what is in files out of memory."""
    for array in arrays:
        if is_mapped(array):
            let_go(array)


def inner(values: Tensor, operators: Sequence[Operator], clip: bool = False) -> Tensor:
    """Resample all axes but the first, those that grow least first.

    Parameters
    ----------
    values : Tensor of float32, shape (N, ...)
        Some rows of a volume.
    operators : sequence of Operator, length D - 1
        For each axis but the first.
    clip : bool
        Keep to the range of each row.

    Returns
    -------
    Tensor of float32, shape (N, ...)
        The same rows.
    """
    limits = None
    if clip and any(operators):
        flat = values.reshape(len(values), -1)
        limits = flat.amin(1), flat.amax(1)
    growth = [
        1.0 if operator is None else operator.size / size
        for operator, size in zip(operators, values.shape[1:], strict=True)
    ]
    for axis in np.argsort(growth, kind="stable").tolist():
        values = _along(values, axis + 1, operators[axis])
    if limits is not None:
        shape = (-1,) + (1,) * (values.ndim - 1)
        values = values.clamp_(limits[0].view(shape), limits[1].view(shape))
    return values


def outer(
    values: Any, operator: Operator, rows: int
) -> Iterator[tuple[int, int, Tensor]]:
    """Resample the first axis; yield first row, one beyond, and rows (few, *S)."""
    if operator is None:
        for start in range(0, len(values), rows):
            part = _rows(values, start, start + rows)
            yield start, start + len(part), part
        return
    for start in range(0, operator.size, rows):
        stop = min(start + rows, operator.size)
        low, high = operator.needs(start, stop)
        old = _rows(values, low, high)
        yield start, stop, rows_of(old, low, operator, start, stop)


def _rows(values: Any, start: int, stop: int) -> Tensor:
    """Return some rows, of a tensor or of an array that is in a file."""
    part = values[start:stop]
    return _floats(np.asarray(part)) if is_mapped(values) else part


def rows_of(
    values: Tensor, low: int, operator: Operator, start: int, stop: int
) -> Tensor:
    """Return rows of the resampled first axis.

    Parameters
    ----------
    values : Tensor of float32, shape (N, ...)
        Old rows, at least those that the new ones need.
    low : int
        Which old row the first of them is.
    operator : Operator
        Of the first axis.
    start, stop : int
        First new row, and the first beyond.

    Returns
    -------
    Tensor of float32, shape (stop - start, ...)
        The new rows.
    """
    import torch

    if operator is None:
        return values[start - low : stop - low]
    if isinstance(operator, Select):
        index = torch.from_numpy(operator.index[start:stop] - low)
        return values.index_select(0, index.to(values.device))
    first, last = operator.needs(start, stop)
    source = values[first - low : last - low]
    if values.device.type != "cpu":
        return _gathered(source, 0, operator, start, stop)
    product = dense(operator, start, stop) @ source.reshape(len(source), -1)
    result: Tensor = product.reshape(stop - start, *values.shape[1:])
    return result


def _along(values: Tensor, axis: int, operator: Operator) -> Tensor:
    """Resample one axis of a tensor."""
    import torch

    if operator is None:
        return values
    if isinstance(operator, Select):
        index = torch.from_numpy(operator.index).to(values.device)
        return values.index_select(axis, index)
    if values.device.type != "cpu":
        return _gathered(values, axis, operator, 0, operator.size)
    shape = list(values.shape)
    lead, tail = int(np.prod(shape[:axis])), int(np.prod(shape[axis + 1 :]))
    source = values.reshape(lead, shape[axis], tail)
    result = values.new_empty(lead, operator.size, tail)
    for start, stop in blocks_of(operator):
        low, high = operator.needs(start, stop)
        matrix = dense(operator, start, stop)
        if tail == 1:
            out = result[:, start:stop, 0]
            torch.mm(source[:, low:high, 0], matrix.T, out=out)
        else:
            batch = matrix.expand(lead, *matrix.shape)
            torch.bmm(batch, source[:, low:high], out=result[:, start:stop])
    return result.reshape(*shape[:axis], operator.size, *shape[axis + 1 :])


def _gathered(
    values: Tensor, axis: int, operator: Banded, start: int, stop: int
) -> Tensor:
    """Resample one axis weight by weight: products on a GPU may round to 10 bits.

    ``values`` begins with the first old voxel that the new ones need.
    """
    import torch

    low, _ = operator.needs(start, stop)
    first = torch.from_numpy(operator.first[start:stop] - low).to(values.device)
    weights = torch.from_numpy(operator.weights[start:stop].astype(np.float32))
    weights = weights.to(values.device)
    shape = [1] * values.ndim
    shape[axis] = stop - start
    total = values.index_select(axis, first) * weights[:, 0].view(shape)
    for tap in range(1, weights.shape[1]):
        taken = values.index_select(axis, first + tap)
        total.addcmul_(taken, weights[:, tap].view(shape))
    return total


def _floats(array: Array) -> Tensor:
    """Return an array as a contiguous tensor of float32."""
    return tensor_of(array).float()


def tensor_of(array: Array) -> Tensor:
    """Return an array as a contiguous tensor, copied only if it must be.

    Parameters
    ----------
    array : ndarray
        Any view, also read-only or flipped.

    Returns
    -------
    Tensor
        On the CPU, of the array's type.
    """
    import torch

    values = np.require(array, requirements=["C", "W"])
    if min(values.strides, default=0) < 0:  # a flipped axis of length 0 or 1
        values = values.copy()
    return torch.from_numpy(values)
