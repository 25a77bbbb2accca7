"""Objects that overlap, through everything that moves a map of labels."""

import numpy as np
import pytest

from autoseg.spec.arrays.overlaps import Mask, Shares, in_layers, painted
from autoseg.spec.instances import Instances, arrange


def boxes(seed, shape=(30, 40), count=8):
    """Masks by id, many of which overlap."""
    random = np.random.default_rng(seed)
    found = {}
    for i in range(3, 3 + 2 * count, 2):
        row, column = random.integers(0, 24), random.integers(0, 32)
        found[i] = np.zeros(shape, bool)
        high, wide = random.integers(2, 9, 2)
        found[i][row : row + high, column : column + wide] = True
    return found


def annotation(masks):
    shape = next(iter(masks.values())).shape
    named = [(i, Mask.of_places(np.nonzero(mask))) for i, mask in masks.items()]
    labels, shared = painted(shape, named)
    return Instances(labels, dict.fromkeys(masks, 1), {}, shared)


def whole(instances, i):
    found, mask = np.zeros(instances.shape, bool), instances.mask_of(i)
    found[mask.box] = mask.inside
    return found


@pytest.fixture(params=range(3), ids=["first", "second", "third"])
def masks(request):
    return boxes(request.param)


def overlapping(masks):
    return {
        i
        for i, one in masks.items()
        if any((one & other).any() for j, other in masks.items() if i != j)
    }


def test_the_later_one_is_on_top_and_only_what_overlaps_is_kept_beside(masks):
    found = annotation(masks)

    top = np.zeros(found.shape, int)
    for i, mask in masks.items():
        top[mask] = i
    np.testing.assert_array_equal(found.labels, top)
    assert set(found.masks) == overlapping(masks)
    assert found.ids == sorted(masks)


MOVES = {
    "cropped": (
        lambda x: x[5:22, 8:35],
        lambda x: x.cropped((slice(5, 22), slice(8, 35))),
    ),
    "transposed": (lambda x: x.T, lambda x: x.transposed((1, 0))),
    "resized": (
        lambda x: x[::2, ::2],
        lambda x: x.resized((15, 20), lambda labels: labels[::2, ::2]),
    ),
}


@pytest.mark.parametrize("name", MOVES)
def test_every_object_stays_whole_when_the_grid_changes(masks, name):
    of_array, of_annotation = MOVES[name]

    found = of_annotation(annotation(masks))

    moved = {i: of_array(mask) for i, mask in masks.items()}
    left = {i: mask for i, mask in moved.items() if mask.any()}
    assert found.ids == sorted(left)
    for i, mask in left.items():
        np.testing.assert_array_equal(whole(found, i), mask)
    assert set(found.masks) == overlapping(left)


def test_layers_hold_each_object_once_and_no_two_in_one_voxel(masks):
    arranged = annotation(masks).arranged

    shares = Shares.from_json(arranged.shares.to_json())
    layers = in_layers(arranged.codes, shares)

    assert len(layers) == shares.depth
    for i, mask in masks.items():
        own = [layer for layer in layers if (layer == i).any()]
        assert len(own) == 1
        np.testing.assert_array_equal(own[0] == i, mask)
    np.testing.assert_array_equal(np.asarray(arranged), annotation(masks).labels)


def test_what_an_object_hid_is_seen_when_it_is_gone(masks):
    gone = sorted(overlapping(masks))[-1]

    found = annotation(masks).without([gone])

    left = {i: mask for i, mask in masks.items() if i != gone}
    assert found.ids == sorted(left)
    for i, mask in left.items():
        np.testing.assert_array_equal(whole(found, i), mask)
    assert set(found.masks) == overlapping(left)


def test_nothing_is_kept_beside_a_map_where_nothing_overlaps():
    labels = np.array([[1, 1, 0], [0, 2, -2]], np.int32)

    arranged = arrange(labels, {})

    np.testing.assert_array_equal(arranged.codes, labels)
    assert arranged.sets == () and in_layers(labels, arranged.shares).shape[0] == 1


def test_parts_of_one_object_add_up_also_over_others():
    parts = [(1, (0, 0)), (2, (0, 1)), (1, (0, 3)), (2, (0, 3))]
    made = [(i, Mask(start, np.ones((2, 2), bool))) for i, start in parts]

    labels, shared = painted((2, 6), made)

    assert labels[0].tolist() == [1, 2, 2, 2, 2, 0]
    assert shared[1].inside.tolist() == [[True, True, False, True, True]] * 2
    assert shared[2].start == (0, 1) and shared[2].size == 8
