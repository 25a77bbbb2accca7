"""Objects that windows find, each once, in the image's own grid."""

import numpy as np
import pytest
import torch

from autoseg.predict.readouts._instances.by_window import (
    Objects,
    in_image,
    predict_windows,
    resized,
    through_slices,
)
from autoseg.predict.readouts._instances.united import (
    Object,
    Piece,
    View,
    unite,
    views_of,
)
from autoseg.predict.windows.tiling import Grid
from autoseg.predict.windows.window import Windows
from autoseg.preprocess.placement import Placement
from autoseg.spec.arrays.overlaps import Mask
from autoseg.spec.image import Geometry


def rod(row, column, high, wide):
    return Mask((row, column), np.ones((high, wide), bool))


TRUTH = [rod(10, 2, 3, 60), rod(2, 30, 40, 3), rod(30, 50, 6, 6), rod(40, 2, 4, 20)]


def image(masks, shape=(48, 70)):
    """Channel n is 1 where object n is: what windows are cut from."""
    array = np.zeros((len(masks), *shape), np.float32)
    for channel, mask in zip(array, masks, strict=True):
        channel[mask.box] = mask.inside
    return array


def decode(logits):
    """What a network finds that sees each object as far as a window shows it."""
    found = []
    for number, channel in enumerate(logits.numpy()):
        places = np.nonzero(channel > 0.5)
        if len(places[0]):
            found.append((Mask.of_places(places), 0.9 - 0.1 * number, 1))
    return found


def objects_in(networks, array, windows, decode, same, progress):
    objects = Objects(windows.grid(array.shape[1:]), len(networks), decode, same)
    for window in predict_windows(networks, array, windows, progress):
        objects.take(window)
    return objects.united()


def keys(objects):
    return sorted((o.mask.start, o.mask.inside.shape, o.mask.size) for o in objects)


def windows(patch, **options):
    return Windows(patch=patch, **options)


@pytest.mark.parametrize("networks", [1, 3])
def test_objects_that_cross_windows_and_each_other_are_there_once_and_whole(networks):
    same = [lambda batch: batch] * networks

    found = objects_in(
        same, image(TRUTH), windows((24, 24)), decode, 0.6, lambda count: None
    )

    assert keys(found) == sorted((m.start, m.inside.shape, m.size) for m in TRUTH)
    assert {round(one.score, 2) for one in found} == {0.9, 0.8, 0.7, 0.6}


def test_what_at_most_half_of_the_networks_find_is_none():
    def blind(batch):
        return torch.cat([batch[:, :1] * 0, batch[:, 1:]], 1)

    def found(networks):
        return len(
            objects_in(
                networks, image(TRUTH), windows((24, 24)), decode, 0.6, lambda n: None
            )
        )

    assert found([blind, lambda batch: batch, lambda batch: batch]) == 4
    assert found([blind, blind, lambda batch: batch]) == 3


def test_what_only_the_edge_of_a_window_shows_is_no_object():
    grid = Grid(shape=(20, 60), window=(20, 40))
    left, right = (views_of(grid, index, n) for n, index in enumerate(((0, 0), (0, 1))))
    edge = rod(8, 36, 3, 4)  # in the last columns of the left window
    assert (left.core[1], right.core[1]) == (slice(0, 30), slice(30, 60))

    alone = unite([Piece(Object(edge, 0.9, 1), left)], 1, 0.6)
    seen = unite([Piece(Object(edge, 0.9, 1), right)], 1, 0.6)

    assert alone == [] and keys(seen) == [((8, 36), (3, 4), 12)]


def test_where_windows_differ_the_one_nearer_to_its_middle_counts_more():
    grid = Grid(shape=(20, 60), window=(20, 40))
    left, right = (views_of(grid, index, n) for n, index in enumerate(((0, 0), (0, 1))))
    pieces = [
        Piece(Object(rod(8, 22, 3, 12), 0.9, 1), left),  # to column 33
        Piece(Object(rod(8, 22, 3, 14), 0.7, 1), right),  # to column 35
    ]

    (found,) = unite(pieces, 1, 0.6)

    assert found.mask.inside.shape == (3, 14)  # the right one's middle is at 39.5
    assert found.score == pytest.approx((36 * 0.9 + 42 * 0.7) / 78)


def test_slices_of_one_object_are_joined_and_others_stay():
    def at(z, row, column):
        return Object(Mask((z, row, column), np.ones((1, 4, 4), bool)), 0.5, 1)

    found = through_slices([at(0, 0, 0), at(1, 1, 1), at(2, 8, 8), at(3, 8, 8)])

    assert sorted(one.mask.inside.shape for one in found) == [(2, 4, 4), (2, 5, 5)]


def test_a_mask_on_a_finer_grid_covers_the_same_place():
    found = resized(rod(2, 3, 4, 5), (10, 12), (30, 24))

    assert found.start == (6, 6) and found.inside.shape == (12, 10)
    assert found.size == 120  # at its corners, 2/3 * 3/4 is a half


def test_crop_and_order_of_axes_are_undone_and_the_surest_is_on_top():
    placement = Placement(
        geometry=Geometry(shape=(12, 9), spacing=(1.0, 1.0), unit="px"),
        orientation=None,
        transpose=(1, 0),
        box=((1, 8), (2, 12)),
        shape_before_crop=(9, 12),
        cropped_shape=(7, 10),
        shape=(7, 10),
        cropped_spacing=(1.0, 1.0),
        spacing=(1.0, 1.0),
    )
    objects = [
        Object(rod(0, 3, 7, 2), 0.6, 1),
        Object(rod(3, 0, 2, 10), 0.9, 2),
    ]

    found = in_image(objects, placement)

    # Rows and columns change places, after 1 and 2 for what was cropped.
    wide, high = (found.mask_of(i) for i in (2, 1))
    assert (high.start, high.inside.shape) == ((2, 4), (10, 2))
    assert (wide.start, wide.inside.shape) == ((5, 1), (2, 7))
    assert found.scores == {1: 0.9, 2: 0.6} and found.classes == {1: 2, 2: 1}
    assert (found.labels[5:7, 4:6] == 1).all()


LEFT = View((slice(0, 12), slice(0, 24)), (slice(0, 12), slice(0, 20)), 0)
RIGHT = View((slice(0, 12), slice(16, 40)), (slice(0, 12), slice(20, 40)), 1)


def seen(view, *masks):
    return [Piece(Object(mask, 0.8, 1), view) for mask in masks]


def test_objects_of_two_windows_that_only_touch_stay_two():
    # Both windows show columns 16 to 23, where the rods share 4 voxels of 32.
    one, other = rod(2, 4, 3, 18), rod(4, 18, 3, 18)

    found = unite([*seen(LEFT, one), *seen(RIGHT, other)], 1, 0.9)

    assert keys(found) == [((2, 4), (3, 18), 54), ((4, 18), (3, 18), 54)]


def test_two_objects_of_one_window_are_not_made_one_by_another_window():
    # Where both look, the right piece is like the first (36 of 48 voxels) and like the
    # second (30 of 54), but the left window saw that these are two.
    first, second = rod(2, 4, 6, 18), rod(3, 4, 6, 18)
    beyond = rod(2, 16, 6, 18)

    found = unite([*seen(LEFT, first, second), *seen(RIGHT, beyond)], 1, 0.9)

    assert len(found) == 2
    assert ((3, 4), (6, 18), 108) in keys(found)
    longest = max(found, key=lambda one: one.mask.size)
    assert longest.mask.start == (2, 4) and longest.mask.inside.shape == (6, 30)
