import numpy as np
from scipy import ndimage
from skimage.draw import polygon2mask

from autoseg.instancefiles.outline import outlines
from tests.each import each


def _filled(pieces, shape):
    """Fill rings by scikit-image: pixel centers lie half a pixel inside the corners."""
    filled = np.zeros(shape, dtype=int)
    for outer, *holes in pieces:
        for sign, ring in ((1, outer), *((-1, hole) for hole in holes)):
            corners = np.array(ring)[:, ::-1] - 0.5
            filled += sign * polygon2mask(shape, corners)
    return filled


def test_a_pixel_is_the_square_around_its_middle():
    assert outlines(np.array([[True]]), top=3, left=5) == [
        [[(5, 3), (6, 3), (6, 4), (5, 4)]]
    ]


@each("corners", [False, True])
@each("seed", range(6))
def test_whoever_fills_the_outlines_gets_the_mask(seed, corners):
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=(40, 37)), 0.6 + 0.3 * seed)
    mask = noise > 0

    pieces = outlines(mask, corners=corners)

    assert np.array_equal(_filled(pieces, mask.shape), mask.astype(int))
    faces, all_eight = ndimage.generate_binary_structure(2, 1), np.ones((3, 3))
    inside, outside = (all_eight, faces) if corners else (faces, all_eight)
    assert len(pieces) == ndimage.label(mask, inside)[1]
    # Where pixels do not touch at corners, background does, and the other way round:
    # Euler's number, with four and eight neighbors, gives the count of holes.
    _, around = ndimage.label(np.pad(~mask, 1, constant_values=True), outside)
    assert sum(len(rings) - 1 for rings in pieces) == around - 1


def test_a_hole_comes_after_the_ring_around_it_and_runs_the_other_way():
    mask = np.ones((4, 4), dtype=bool)
    mask[1:3, 1:3] = False

    ((outer, hole),) = outlines(mask)

    assert outer == [(0, 0), (4, 0), (4, 4), (0, 4)]
    assert hole == [(1, 1), (1, 3), (3, 3), (3, 1)]


def test_pixels_that_touch_at_a_corner_are_two_pieces():
    assert len(outlines(np.eye(2, dtype=bool))) == 2
    assert outlines(np.eye(2, dtype=bool), corners=True) == [
        [[(0, 0), (1, 0), (1, 1), (2, 1), (2, 2), (1, 2), (1, 1), (0, 1)]]
    ]


def test_a_piece_that_pinches_a_corner_keeps_one_ring_around_it():
    # The two diagonal neighbors in the middle belong to one piece by way of the rest.
    mask = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]], dtype=bool)

    (rings,) = outlines(mask)

    assert np.array_equal(_filled([rings], mask.shape), mask.astype(int))
    assert len(rings) == 1  # the hole opens to the outside by its corner
