import numpy as np
import pytest
from scipy import ndimage

from autoseg.errors import UsageError
from autoseg.metrics import contingency
from autoseg.metrics.contingency import count_shared, ids_at_border, is_one_of


def _cells(seed, shape=(40, 37), step=6):
    """Ids of a jittered grid's nearest points, with background between some."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, dtype=np.int32)
    points = [np.arange(0, size, step) for size in shape]
    for number, point in enumerate(np.stack(np.meshgrid(*points), -1).reshape(-1, 2)):
        y, x = np.clip(point + rng.integers(-2, 3, 2), 0, np.array(shape) - 1)
        labels[y, x] = 3 * number + 2
    away, near = ndimage.distance_transform_edt(labels == 0, return_indices=True)
    return np.where(away < 3.2, labels[tuple(near)], 0)


def test_every_pair_is_counted_as_two_masks_would_be():
    predicted, reference = _cells(1), _cells(2)

    table = count_shared(predicted, reference)

    expected = {
        (p, r): np.count_nonzero((predicted == p) & (reference == r))
        for p in np.unique(predicted[predicted > 0])
        for r in np.unique(reference[reference > 0])
    }
    found = dict(
        zip(
            zip(
                table.predicted[table.rows], table.reference[table.columns], strict=True
            ),
            table.shared,
            strict=True,
        )
    )
    assert found == {pair: count for pair, count in expected.items() if count}
    assert table.predicted_sizes.tolist() == [
        np.count_nonzero(predicted == p) for p in table.predicted
    ]
    assert table.reference_sizes.tolist() == [
        np.count_nonzero(reference == r) for r in table.reference
    ]


def test_counting_in_pieces_changes_nothing(monkeypatch):
    predicted, reference = _cells(3), _cells(4)
    whole = count_shared(predicted, reference)

    monkeypatch.setattr(contingency, "CHUNK", 100)
    pieces = count_shared(predicted, reference)

    for name in ("predicted", "reference", "predicted_sizes", "rows", "shared"):
        assert np.array_equal(getattr(whole, name), getattr(pieces, name))


def test_values_below_one_are_background():
    table = count_shared(np.array([-1, -1, 4]), np.array([-1, 9, 9]))

    assert (table.predicted.tolist(), table.reference.tolist()) == ([4], [9])
    assert table.shared.tolist() == [1]


def test_empty_maps_give_an_empty_table():
    table = count_shared(np.zeros((3, 4), np.int32), np.zeros((3, 4), np.int32))

    assert len(table.predicted) == len(table.reference) == len(table.ious) == 0


def test_large_ids_do_not_run_over():
    big = np.iinfo(np.int32).max
    table = count_shared(np.array([big, big, 0]), np.array([big, 1, 1]))

    assert table.predicted.tolist() == [big]
    assert table.reference.tolist() == [1, big]
    assert table.shared.tolist() == [1, 1]


def test_maps_of_different_shape_are_refused():
    with pytest.raises(UsageError, match="shape"):
        count_shared(np.zeros((3, 4), np.int32), np.zeros((4, 3), np.int32))


def test_ignored_voxels_belong_to_nothing():
    # Of 1, two of four voxels are ignored: half is not more than half, so it stays.
    # Of 2, two of three: it is left out. 3 is not touched.
    predicted = np.array([1, 1, 1, 1, 2, 2, 2, 3, 3])
    reference = np.array([5, 5, 5, 5, 0, 0, 0, 6, 0])
    ignored = np.array([0, 0, 1, 1, 1, 1, 0, 0, 0], dtype=bool)

    table = count_shared(predicted, reference, ignored)

    assert table.predicted.tolist() == [1, 3]
    assert table.predicted_sizes.tolist() == [2, 2]
    assert table.reference_sizes.tolist() == [2, 1]
    assert table.shared.tolist() == [2, 1]


def test_what_is_left_out_is_neither_right_nor_wrong():
    # Prediction 1 stands for 1, which is left out; 2 for 2; 3 for nothing, not marked;
    # 4 for nothing, marked.
    predicted = np.array([1, 1, 2, 2, 0, 3, 3, 4, 4])
    reference = np.array([1, 1, 2, 2, 3, 0, 0, 0, 0])
    table = count_shared(predicted, reference)

    kept = table.without(
        is_one_of(table.predicted, [2, 4]), is_one_of(table.reference, [1])
    )

    assert kept.predicted.tolist() == [2, 3]
    assert kept.reference.tolist() == [2, 3]
    assert kept.shared.tolist() == [2]


def test_instances_on_any_face_touch_the_border():
    labels = np.zeros((5, 6, 7), dtype=np.int32)
    labels[0, 2, 2], labels[2, 5, 2], labels[2, 2, 6], labels[2, 2, 2] = 4, 3, 2, 1

    assert ids_at_border(labels).tolist() == [2, 3, 4]


def test_an_axis_of_one_voxel_has_no_faces():
    labels = np.zeros((1, 5, 5), dtype=np.int32)
    labels[0, 2, 2], labels[0, 4, 2] = 1, 2

    assert ids_at_border(labels).tolist() == [2]
