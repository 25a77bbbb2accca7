import math

import numpy as np
import pytest
from scipy import ndimage

from autoseg.errors import UsageError
from autoseg.metrics.surface import assd, hd95, nsd, surface_distances
from tests.each import each


def _blobs(seed, shape, similar=0.5):
    rng = np.random.default_rng(seed)
    first = ndimage.gaussian_filter(rng.normal(size=shape), 1.2)
    second = first + similar * ndimage.gaussian_filter(rng.normal(size=shape), 1.2)
    return first > np.quantile(first, 0.7), second > np.quantile(second, 0.6)


CASES = [
    ((9, 14, 12), (3.0, 1.0, 0.7)),
    ((16, 16, 16), (1.0, 1.0, 1.0)),
    ((5, 20, 7), (0.4, 2.5, 1.3)),
    ((24, 31), (0.5, 2.0)),
    ((17, 12), (1.0, 1.0)),
]


@each("shape, spacing", CASES)
@each("seed", range(4))
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_metrics_equal_those_of_their_authors(shape, spacing, seed):
    oracle = pytest.importorskip("surface_distance")
    predicted, reference = _blobs(seed, shape)
    theirs = oracle.compute_surface_distances(reference, predicted, spacing)
    lengths = [theirs["distances_gt_to_pred"], theirs["distances_pred_to_gt"]]
    areas = [theirs["surfel_areas_gt"], theirs["surfel_areas_pred"]]
    mean = sum(a @ b for a, b in zip(lengths, areas, strict=True)) / sum(
        a.sum() for a in areas
    )

    ours = surface_distances(predicted, reference, spacing)

    for percent in (50, 95, 100):
        assert hd95(ours, percent) == pytest.approx(
            oracle.compute_robust_hausdorff(theirs, percent), abs=1e-6
        )
    for tolerance in (0.5, 1.0, 3.0):
        assert nsd(ours, tolerance) == pytest.approx(
            oracle.compute_surface_dice_at_tolerance(theirs, tolerance), abs=1e-6
        )
    assert assd(ours) == pytest.approx(mean, abs=1e-6)


def test_a_shifted_half_space_is_its_shift_away():
    # Two slabs across the whole image, the second one voxel of 2.5 mm further along.
    predicted, reference = np.zeros((2, 12, 6, 6), dtype=bool)
    predicted[3:7], reference[4:8] = True, True

    distances = surface_distances(predicted, reference, (2.5, 1.0, 1.0))

    assert hd95(distances, 100) == 2.5
    assert nsd(distances, 2.5) == 1
    assert nsd(distances, 2.4) < 1


def test_many_threads_measure_the_same(monkeypatch):
    # Two slabs of 14,000 corners on each face, four voxels of 2.5 mm between them.
    monkeypatch.setattr("autoseg.metrics.surface.threads_here", lambda: 4)
    predicted, reference = np.zeros((2, 10, 120, 120), dtype=bool)
    predicted[1:3], reference[7:9] = True, True

    distances = surface_distances(predicted, reference, (2.5, 1.0, 1.0))

    apart, counts = np.unique(distances.from_predicted, return_counts=True)
    assert apart.min() == 10 and apart.max() == 15
    assert counts[apart == 10] >= 119 * 119


def test_the_area_of_a_box_is_that_of_its_faces_less_its_rounded_rim():
    # A box of 10 x 20 x 30 voxels. Marching cubes cuts its edges (a chamfer of half a
    # voxel on both sides) and corners, so each face loses half a voxel all around.
    mask = np.zeros((14, 24, 34), dtype=bool)
    mask[2:12, 2:22, 2:32] = True
    faces = 2 * (9 * 19 + 9 * 29 + 19 * 29)
    rim = 4 * (9 + 19 + 29) * math.sqrt(0.5)
    corners = 8 * math.sqrt(3) / 8

    areas = surface_distances(mask, mask, (1, 1, 1)).reference_areas

    assert areas.sum() == pytest.approx(faces + rim + corners)


def test_the_contour_of_a_square_is_its_edges_less_its_cut_corners():
    mask = np.zeros((12, 12), dtype=bool)
    mask[2:10, 3:9] = True  # 8 rows of 2 mm, 6 columns of 3 mm
    expected = 2 * (7 * 2 + 5 * 3) + 4 * math.hypot(2, 3) / 2

    lengths = surface_distances(mask, mask, (2.0, 3.0)).reference_areas

    assert lengths.sum() == pytest.approx(expected)


def test_equal_masks_are_nowhere_apart():
    mask, _ = _blobs(0, (10, 11, 12))

    distances = surface_distances(mask, mask, (3.0, 1.0, 1.0))

    assert (hd95(distances), assd(distances), nsd(distances, 0.0)) == (0, 0, 1)


def test_swapping_the_masks_changes_nothing():
    first, second = _blobs(3, (9, 14, 12))

    there = surface_distances(first, second, (3.0, 1.0, 0.7))
    back = surface_distances(second, first, (3.0, 1.0, 0.7))

    assert hd95(there) == hd95(back)
    assert assd(there) == pytest.approx(assd(back))
    assert nsd(there, 1.0) == pytest.approx(nsd(back, 1.0))


def test_where_the_masks_are_in_the_image_changes_nothing():
    first, second = _blobs(4, (9, 10, 11))
    wide = [np.pad(mask, ((4, 0), (0, 7), (3, 2))) for mask in (first, second)]

    near = surface_distances(first, second, (3.0, 1.0, 0.7))
    far = surface_distances(*wide, (3.0, 1.0, 0.7))

    assert (hd95(near), assd(near)) == (hd95(far), assd(far))


def test_one_empty_mask_is_infinitely_far_away():
    mask = np.zeros((5, 6, 7), dtype=bool)
    mask[2:4, 2:4, 2:4] = True

    for pair in ((mask, ~mask & mask), (~mask & mask, mask)):
        distances = surface_distances(*pair, (1, 1, 1))
        assert hd95(distances) == assd(distances) == math.inf
        assert nsd(distances, 100.0) == 0


def test_two_empty_masks_have_no_distance():
    empty = np.zeros((5, 6), dtype=bool)

    distances = surface_distances(empty, empty, (1, 1))

    assert math.isnan(hd95(distances))
    assert math.isnan(assd(distances))
    assert math.isnan(nsd(distances, 1))


def test_surfaces_inside_what_does_not_count_are_left_out():
    # Reference and prediction agree on the left; on the right, which nobody annotated,
    # the prediction goes on.
    reference, predicted = np.zeros((2, 8, 20), dtype=bool)
    reference[2:6, 2:6] = predicted[2:6, 2:6] = True
    predicted[2:6, 12:18] = True
    counted = np.ones((8, 20), dtype=bool)
    counted[:, 10:] = False

    all_of_it = surface_distances(predicted, reference, (1, 1))
    annotated = surface_distances(predicted, reference, (1, 1), counted)

    assert hd95(all_of_it) > 5
    assert hd95(annotated) == assd(annotated) == 0
    assert nsd(annotated, 0) == 1


def test_the_edge_of_what_counts_is_no_surface():
    # One object reaches into the part that does not count; there the prediction is
    # shorter, which nobody can know.
    reference, predicted = np.zeros((2, 9, 20), dtype=bool)
    reference[3:6, 2:16] = True
    predicted[3:6, 2:12] = True
    counted = np.ones((9, 20), dtype=bool)
    counted[:, 10:] = False

    distances = surface_distances(predicted, reference, (1, 1), counted)

    # Left: two cut corners and two edges; top and bottom: seven edges up to column 9.
    assert hd95(distances, 100) == 0
    for areas in (distances.reference_areas, distances.predicted_areas):
        assert areas.sum() == pytest.approx(2 * math.sqrt(0.5) + 2 + 2 * 7)


def test_four_axes_are_refused():
    masks = np.ones((2, 3, 3, 3, 3), dtype=bool)

    with pytest.raises(UsageError, match="two or three axes"):
        surface_distances(*masks, (1, 1, 1, 1))


def test_masks_on_different_grids_are_refused():
    with pytest.raises(UsageError, match="same grid"):
        surface_distances(
            np.ones((3, 3), dtype=bool), np.ones((3, 4), dtype=bool), (1, 1)
        )
