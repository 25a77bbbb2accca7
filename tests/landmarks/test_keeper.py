import numpy as np
import pytest

from autoseg.errors import UsageError
from autoseg.landmarks.keeper import PeakKeeper
from tests.each import each

SHAPES = {2: (17, 12), 3: (17, 9, 8)}


def outputs_of(dim, points=6, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(points, *SHAPES[dim])).astype(np.float32)


def whole(outputs, radius):
    """Return peaks and windows from all outputs at once."""
    shape = outputs.shape[1:]
    peaks = np.stack(
        np.unravel_index(outputs.reshape(len(outputs), -1).argmax(1), shape), 1
    )
    edges = [(0, 0), *((r, r) for r in radius)]
    padded = np.pad(outputs, edges, constant_values=np.nan)
    windows = [
        of[tuple(slice(p, p + 2 * r + 1) for p, r in zip(peak, radius, strict=True))]
        for of, peak in zip(padded, peaks, strict=True)
    ]
    return peaks, np.stack(windows)


@each("dim", [2, 3])
@each("axis", [0, 1])
@each("rows", [1, 2, 5, 17])
@each("seed", range(3))
def test_rows_give_the_same_as_the_whole_volume(dim, axis, rows, seed):
    outputs = outputs_of(dim, seed=seed)
    radius = (3, 2, 1)[:dim]
    keeper = PeakKeeper(len(outputs), SHAPES[dim], radius, axis=axis)
    for start in range(0, SHAPES[dim][axis], rows):
        part = slice(start, start + rows)
        block = outputs[:, part] if axis == 0 else outputs[:, :, part]
        keeper.add_rows(block[:4], start)
        keeper.add_rows(block[4:], start, first=4)

    peaks, windows = whole(outputs, radius)

    np.testing.assert_array_equal(keeper.peak, peaks)
    np.testing.assert_array_equal(keeper.window, windows)
    np.testing.assert_array_equal(keeper.value, outputs.max((1, 2, 3)[:dim]))


def test_nothing_of_the_volume_is_kept_at_the_end():
    keeper = PeakKeeper(6, SHAPES[2], (3, 2))
    outputs = outputs_of(2)
    keeper.add_rows(outputs[:, :9], 0)
    halfway = sum(rows.size for rows in keeper._last_rows.values())
    keeper.add_rows(outputs[:, 9:], 9)

    assert halfway == 6 * 3 * 12  # landmarks, radius, the other axis
    assert not keeper._last_rows


def test_of_equal_peaks_the_first_is_kept():
    outputs = np.zeros((1, 6, 5), np.float32)
    outputs[0, 1, 2] = outputs[0, 5, 0] = 3
    keeper = PeakKeeper(1, (6, 5), (1, 1))
    for start in range(0, 6, 2):
        keeper.add_rows(outputs[:, start : start + 2], start)

    assert keeper.peak.tolist() == [[1, 2]]


def test_rows_that_are_left_out_are_an_error():
    keeper = PeakKeeper(1, (6, 5), (1, 1))
    keeper.add_rows(np.zeros((1, 2, 5)), 0)

    with pytest.raises(UsageError, match="next row 2"):
        keeper.add_rows(np.zeros((1, 2, 5)), 4)


def test_tiles_that_overlap_enough_give_the_same_as_the_whole_volume():
    outputs, radius = outputs_of(2), (2, 2)
    keeper = PeakKeeper(len(outputs), SHAPES[2], radius)
    middle = np.full((9, 9), -100.0)
    middle[2:-2, 2:-2] = 0  # peaks near the edge of a tile are another tile's
    padded = np.pad(outputs, [(0, 0), (2, 9), (2, 9)], constant_values=-50)
    for row in range(-2, 17, 5):
        for column in range(-2, 12, 5):
            tile = padded[:, row + 2 : row + 11, column + 2 : column + 11]
            keeper.add_tile(tile, (row, column), weight=middle)

    peaks, windows = whole(outputs, radius)

    np.testing.assert_array_equal(keeper.peak, peaks)
    np.testing.assert_array_equal(keeper.window, windows)


def test_a_tile_beside_the_volume_counts_for_nothing():
    keeper = PeakKeeper(1, (6, 5), (1, 1))
    keeper.add_tile(np.ones((1, 4, 4)), (-4, 0))

    assert keeper.value.tolist() == [-np.inf]
