"""Turned and scaled copies show what the image shows, and give points back."""

import math

import numpy as np
import pytest

from autoseg.errors import UsageError
from autoseg.predict.options import Options
from autoseg.predict.readouts import READOUTS
from autoseg.predict.readouts._points.fine import find_landmarks
from autoseg.predict.readouts._points.turned import Turned, turned_copies
from autoseg.predict.windows.window import Windows, cut
from autoseg.preprocess.case import Prepared
from autoseg.spec.points import PRESENT
from autoseg.tasks import TASKS
from tests.predict import toy_model as toy
from tests.predict.readouts import test_fine as fine


def ramp(shape):
    """Return an image whose channels are its coordinates: it says where a voxel is."""
    return np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij")).astype("f4")


@pytest.mark.parametrize(
    ("shape", "spacing"), [((30, 24), (1, 2)), ((9, 14, 12), (3, 1, 1))]
)
def test_a_voxel_of_a_copy_shows_the_place_that_it_goes_back_to(shape, spacing):
    array = ramp(shape)

    for copy in turned_copies(array, spacing, 9):
        box = cut(copy, [2] * len(shape), [n - 4 for n in shape]).numpy()
        places = array[(slice(None), *(slice(2, n - 2) for n in shape))]
        places = places.reshape(len(shape), -1).T.astype(float)
        seen, expected = box.reshape(len(shape), -1).T, copy.back(places)
        inside = ((expected >= 0) & (expected <= np.array(shape) - 1)).all(1)
        assert inside.mean() > 0.5
        np.testing.assert_allclose(seen[inside], expected[inside], atol=1e-3)
        np.testing.assert_allclose(copy.there(expected), places, atol=1e-9)


def test_angles_are_those_of_the_body_and_not_of_flat_voxels():
    copy = next(turned_copies(ramp((9, 9)), (4.0, 1.0), 2))

    # A step of one voxel of 4 mm turns by 6 degrees: 4 sin(6) mm are as many voxels.
    step = copy.back(np.array([[5.0, 4.0]]))[0] - copy.back(np.array([[4.0, 4.0]]))[0]
    assert step == pytest.approx(
        [math.cos(math.radians(6)), 4 * math.sin(math.radians(6))]
    )


def test_copies_come_in_pairs_that_undo_each_other():
    one, two, three, four = turned_copies(ramp((9, 9)), (1.0, 1.0), 5)

    assert one.matrix @ two.matrix == pytest.approx(np.eye(2))
    assert three.matrix @ four.matrix == pytest.approx(np.eye(2))
    assert np.diag(three.matrix) == pytest.approx([1 / 1.06] * 2)
    assert list(turned_copies(ramp((9, 9)), (1.0, 1.0), 1)) == []


def test_what_a_copy_shows_beyond_the_image_is_nothing():
    copy = Turned(np.ones((1, 8, 8), np.float32), np.eye(2) * 3)

    whole = cut(copy, (-2, -2), (12, 12)).numpy()[0]
    # Of each axis the copy's voxels 3 and 4 lie inside: -1.5 and 1.5 from the middle.
    assert np.argwhere(whole).tolist() == [[5, 5], [5, 6], [6, 5], [6, 6]]


@pytest.mark.parametrize("coarse", [False, True])
def test_points_found_in_copies_are_where_they_are_in_the_image(coarse):
    known = fine.coarse(1.5) if coarse else None
    windows = Windows(patch=(32, 32) if coarse else (80, 80))
    prepared = Prepared(array=fine.array(), annotation=None, placement=fine.PLACEMENT)

    looks = {}
    for copies in (1, 5):
        network = fine.Echo()
        given = ([network], prepared, windows, fine.TASK, known)
        looks[copies] = find_landmarks(*given, copies=copies), network.count

    (alone, once), (found, often) = looks[1], looks[5]
    assert found.status.tolist() == [PRESENT] * 3
    assert often == 5 * once
    np.testing.assert_allclose(found.coordinates, alone.coordinates, atol=0.05)


@pytest.mark.parametrize("copies", [0, 10])
def test_a_number_of_copies_that_cannot_be_is_refused(copies):
    with pytest.raises(UsageError, match="1 to 9"):
        Options(copies=copies)


def test_copies_of_what_is_no_landmark_are_refused():
    task = TASKS["semantic"](labels={"background": 0, "cell": 1}).for_axes(2)
    readout = READOUTS[task.kind](toy.model(toy.plan(2)), task, Options(copies=5))
    with pytest.raises(UsageError, match="Leave copies out"):
        readout.check_options()
