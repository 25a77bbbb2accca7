"""What every inner annotation can do, whatever its kind."""

import numpy as np
import pytest

from autoseg.geometry.orientation import Turn
from autoseg.spec.annotation import OUTSIDE, as_annotation
from autoseg.spec.instances import Instances
from autoseg.spec.points import Points

SHAPE, PLACE = (3, 4, 5), (1, 3, 0)


def _map():
    labels = np.zeros(SHAPE, np.int16)
    labels[PLACE] = 7
    return labels


def _twice(labels):
    """A grid of half the spacing: each voxel becomes eight."""
    return labels.repeat(2, 0).repeat(2, 1).repeat(2, 2)


KINDS = {
    "labels": _map(),
    "instances": Instances(_map().astype(np.int32), {7: 2}, {7: 0.5}),
    "points": Points(("tip",), np.array([PLACE]), np.array([1]), shape=SHAPE),
}


def _place(annotation):
    """Return where the one thing is that was annotated: the middle of its voxels."""
    if annotation.map is None:
        return annotation.coordinates[0].tolist()
    return np.argwhere(annotation.map == 7).mean(0).tolist()


@pytest.fixture(params=KINDS)
def annotation(request):
    return as_annotation(KINDS[request.param])


def test_it_knows_its_grid_and_whether_something_is_there(annotation):
    assert annotation.shape == SHAPE
    assert not annotation.empty
    assert annotation.nbytes > 0


def test_it_is_turned_with_its_grid(annotation):
    turned = annotation.turned(Turn(axes=(2, 0, 1), flips=(2,)))

    assert turned.shape == (5, 3, 4)
    assert _place(turned) == [0, 1, 4 - 1 - 3]


def test_its_axes_come_in_another_order(annotation):
    transposed = annotation.transposed((1, 2, 0))

    assert transposed.shape == (4, 5, 3)
    assert _place(transposed) == [3, 0, 1]


def test_it_is_cropped_to_a_box(annotation):
    cropped = annotation.cropped((slice(1, 3), slice(2, 4), slice(0, 5)))

    assert cropped.shape == (2, 2, 5)
    assert _place(cropped) == [0, 1, 0]


def test_it_is_brought_to_a_finer_grid_of_the_same_box(annotation):
    finer = annotation.resized((6, 8, 10), _twice)

    assert finer.shape == (6, 8, 10)
    assert _place(finer) == [2.5, 6.5, 0.5]  # voxels 2 and 3, 6 and 7, 0 and 1


def test_an_array_comes_back_as_an_array():
    labels = _map()

    assert as_annotation(labels).inner is labels
    assert isinstance(as_annotation(labels).transposed((0, 1, 2)).inner, np.ndarray)


def test_instances_keep_their_classes_and_scores_wherever_they_go():
    mask = np.ones((1, 1, 1), bool)

    moved = KINDS["instances"].cropped((slice(1, 2),) * 3).masked(mask)

    assert moved.class_of(7) == 2
    assert moved.scores == {7: 0.5}


def test_background_outside_of_the_image_is_marked_and_ids_keep_their_type():
    mask = np.zeros(SHAPE, bool)
    mask[0] = True

    small = as_annotation(KINDS["labels"]).masked(mask)
    wide = as_annotation(KINDS["instances"]).masked(mask)

    assert small.map.dtype == np.int16 and wide.map.dtype == np.int32
    assert (small.map[0] == 0).all()
    assert small.map[PLACE] == 7
    assert np.count_nonzero(small.map == OUTSIDE) == 2 * 20 - 1


def test_the_region_is_where_something_is_annotated_and_somebody_looked():
    labels = np.array([[0, 1, 2], [3, -1, 3]])

    assert as_annotation(labels).region().tolist() == [
        [False, True, True],
        [True, False, True],
    ]
    assert as_annotation(labels).region(3).tolist() == [
        [False, True, True],
        [False, False, False],
    ]
    assert KINDS["points"].region() is None


def test_nothing_annotated_is_empty():
    none = Points.of({"tip": None}, dim=3)

    assert none.empty
    assert as_annotation(np.zeros(SHAPE, int) - 1).empty
    assert Instances(np.zeros(SHAPE, np.int32)).empty


def test_points_are_stored_and_read_again():
    points = Points.of({"tip": (1.0, 2.5), "root": None}, dim=2)

    again = Points.from_stored(points.to_stored()["points"], (4, 4))

    assert again.names == ("tip", "root")
    np.testing.assert_array_equal(again.coordinates, points.coordinates)
    assert again.status.tolist() == [1, 0]
    assert again.shape == (4, 4)
