import numpy as np
import pytest

from autoseg.spec.arrays import windowed as module
from autoseg.spec.arrays.windowed import Held, Joined, Windowed, pieces, windowed

ARRAY = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)


class Seen(Held):
    """Remembers which boxes were read."""

    def __init__(self, array):
        super().__init__(array)
        object.__setattr__(self, "boxes", [])

    def read(self, box):
        self.boxes.append(box)
        return super().read(box)


@pytest.mark.parametrize(
    "look",
    [
        lambda a: a[1],
        lambda a: a[-1, ..., 2],
        lambda a: a[:, 1:3, ::-1, 4:1:-1],
        lambda a: a[:, 2:2],
        lambda a: a[:, None, 1:, 3][..., ::-1],
        lambda a: a.transpose(2, 0, 3, 1)[1:, ..., ::-1][::-1, 1],
        lambda a: a.transpose(),
        lambda a: a.swapaxes(1, 3)[0],
        lambda a: np.flip(np.moveaxis(a, 0, -1), (0, 2))[:, 1:],
        lambda a: a[1, 2, 3, 4],
        lambda a: a[:, :, np.array([0, 2])],
        lambda a: a[:, ::2],
    ],
    ids=range(12),
)
def test_a_view_has_the_numbers_that_the_same_view_of_an_array_has(look):
    found = look(windowed(ARRAY))

    assert found.shape == look(ARRAY).shape
    np.testing.assert_array_equal(np.asarray(found), look(ARRAY))


def test_no_more_is_read_than_what_is_looked_at():
    source = Seen(ARRAY)

    view = Windowed(source)[1].transpose(2, 1, 0)[::-1, 1:3]
    assert source.boxes == []
    np.asarray(view[2:4, 1])

    assert source.boxes == [(slice(1, 2), slice(0, 3), slice(2, 3), slice(1, 3))]


def test_strides_are_those_of_a_view_of_an_array():
    view = windowed(ARRAY)[:, ::-1].transpose(3, 0, 1, 2)

    assert view.strides == ARRAY[:, ::-1].transpose(3, 0, 1, 2).strides


def test_what_is_computed_with_it_is_an_array():
    lazy = windowed(ARRAY)

    np.testing.assert_array_equal(lazy * 2 + lazy, ARRAY * 3)
    np.testing.assert_array_equal(lazy != 7, ARRAY != 7)
    assert lazy.astype(np.float32).dtype == np.float32


def test_a_function_of_each_number_is_applied_to_what_is_read():
    lazy = windowed(ARRAY)[0, ::-1].each(lambda part: part % 3 == 0, np.bool_)

    assert lazy.dtype == np.bool_
    np.testing.assert_array_equal(np.asarray(lazy[1:]), ARRAY[0, ::-1][1:] % 3 == 0)


def test_it_is_looked_through_part_by_part(monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 45)
    source = Seen(ARRAY)
    lazy = Windowed(source)[0]

    assert (lazy.min(), lazy.max(), lazy.any(), lazy.all()) == (0, 59, True, False)
    assert [len(part) for part in pieces(lazy)] == [2, 1]
    assert list(pieces(ARRAY))[0] is ARRAY
    assert (slice(0, 1), slice(0, 3), slice(0, 4), slice(0, 5)) not in source.boxes


def test_files_are_joined_along_the_first_axis():
    joined = Windowed(Joined((ARRAY, windowed(ARRAY[:1].astype(np.float64)))))

    assert joined.shape == (3, 3, 4, 5) and joined.dtype == np.float64
    np.testing.assert_array_equal(
        np.asarray(joined[1:, 0]), np.concatenate([ARRAY[1:, 0], ARRAY[:1, 0]])
    )
