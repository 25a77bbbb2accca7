"""A coarse stage says where to look, a fine one says where exactly."""

import numpy as np
import pytest
import torch

from autoseg.datasets.points import read_points, write_points
from autoseg.predict.readouts._points import fine
from autoseg.predict.readouts._points.fine import (
    as_seen,
    find_landmarks,
    join,
    views_of,
)
from autoseg.predict.readouts._points.views import predict_points
from autoseg.predict.windows.window import Windows
from autoseg.preprocess.case import Prepared
from autoseg.preprocess.placement import Placement
from autoseg.preprocess.points import place_coordinates, restore_coordinates
from autoseg.spec.image import Geometry
from autoseg.spec.points import ABSENT, PRESENT, Points
from autoseg.tasks.landmark import HEAD, LandmarkTask

NAMES = ("a", "b", "c")
TASK = LandmarkTask(NAMES, thresholds=dict.fromkeys(NAMES, 0.5))
PLACES = np.array([[20.3, 17.25], [62.0, 51.6], [64.5, 49.4]])
SHAPE = (80, 72)
PLACEMENT = Placement(
    geometry=Geometry(shape=(40, 36), spacing=(2.0, 2.0)),
    orientation=None,
    transpose=(0, 1),
    box=((0, 40), (0, 36)),
    shape_before_crop=(40, 36),
    cropped_shape=(40, 36),
    shape=SHAPE,
    cropped_spacing=(2.0, 2.0),
    spacing=(1.0, 1.0),
)


class Echo(torch.nn.Module):
    """Gives its input back, and counts the windows."""

    count = 0

    def forward(self, batch):
        self.count += 1
        return {HEAD: batch}


def array(seen=NAMES):
    """Return the logits of a perfect network, which knows nothing of some landmarks."""
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"))
    found = np.full((3, *SHAPE), -30.0, np.float32)
    for i, place in enumerate(PLACES):
        if NAMES[i] in seen:
            square = ((grid - place[:, None, None]) ** 2).sum(0)
            found[i] = np.maximum(8 - square / (2 * 1.5**2), -30)
    return found


def coarse(off, present=(True, True, True)):
    """Return points of the image's grid of 2 mm, so far off in voxels of 1 mm."""
    places = restore_coordinates(PLACES + off, PLACEMENT)
    status = np.where(present, PRESENT, ABSENT)
    details = {
        "score": np.where(present, 0.8, 0.1),
        "covariance": np.tile(np.eye(2) * 9, (3, 1, 1)),
    }
    return Points(NAMES, places, status, details, (40, 36))


def closer(points, seen=NAMES, network=None):
    prepared = Prepared(array=array(seen), annotation=None, placement=PLACEMENT)
    windows = Windows(patch=(32, 32))
    return find_landmarks([network or Echo()], prepared, windows, TASK, points)


def test_windows_have_their_landmarks_in_the_middle_half_and_share_what_they_can():
    views = views_of(PLACES, SHAPE, (32, 32))
    # b and c are 3 voxels apart: one window. Each is 8 from the middle at most.
    assert [sorted(view.landmarks) for view in views] == [[1, 2], [0]]
    assert views[1].corner == (20 - 16, 17 - 16)
    for view in views:
        for number in view.landmarks:
            away = PLACES[number] - view.corner - 16
            assert (np.abs(away) <= 8 + 0.5).all()


def test_windows_begin_in_the_image_as_in_training_and_unknown_places_get_none():
    places = np.array([[2.0, 3.0], [np.nan, np.nan]])
    (view,) = views_of(places, SHAPE, (32, 32))
    assert (view.corner, view.landmarks) == ((0, 0), {0})
    # A quarter of 32 voxels to each side of it, as far as the window goes.
    assert view.boxes == {0: ((0, 0), (10, 11))}


def test_the_fine_stage_corrects_the_coarse_one_by_fewer_windows_than_the_image_has():
    network = Echo()
    points = closer(coarse(np.array([5.0, -6.0])), network=network)
    exact = restore_coordinates(PLACES, PLACEMENT)
    np.testing.assert_allclose(points.coordinates, exact, atol=1e-3)
    assert network.count == 2
    assert Windows(patch=(32, 32)).grid(SHAPE).count == 16
    # A Gaussian of 1.5 voxels of 1 mm, and not the coarse 9 square millimeters.
    np.testing.assert_allclose(
        np.diagonal(points.details["covariance"], axis1=1, axis2=2), 2.25, rtol=0.05
    )
    np.testing.assert_allclose(points.details["score"], (0.8 + 1) / 2, atol=0.01)


def test_where_the_fine_stage_sees_nothing_the_coarse_point_stays():
    before = coarse(-3.0)
    points = closer(before, seen=("a", "c"))
    exact = restore_coordinates(PLACES, PLACEMENT)
    np.testing.assert_allclose(points.coordinates[[0, 2]], exact[[0, 2]], atol=1e-3)
    np.testing.assert_array_equal(points.coordinates[1], before.coordinates[1])
    assert points.status.tolist() == [PRESENT] * 3
    assert points.details["score"][1] == pytest.approx(0.4, abs=1e-3)
    np.testing.assert_array_equal(points.details["covariance"][1], np.eye(2) * 9)


def test_what_the_coarse_stage_calls_absent_is_not_looked_for():
    network = Echo()
    points = closer(coarse(0.0, (True, False, False)), network=network)
    assert network.count == 1
    assert points.status.tolist() == [PRESENT, ABSENT, ABSENT]
    np.testing.assert_allclose(points.details["score"][1:], 0.1)


def test_what_is_further_off_than_a_coarse_stage_may_be_is_not_taken():
    # a is 15 voxels beside where it was found, with a window of 32: over 8.
    before = coarse(np.array([-15.0, 0.0]), (True, False, False))
    points = closer(before)
    np.testing.assert_array_equal(points.coordinates[0], before.coordinates[0])
    near = closer(coarse(np.array([-7.0, 0.0]), (True, False, False)))
    exact = restore_coordinates(PLACES, PLACEMENT)
    np.testing.assert_allclose(near.coordinates[0], exact[0], atol=1e-3)


def test_a_place_too_far_off_is_not_seen():
    # 40 voxels: nothing of a landmark is in its window of 32.
    before = coarse(np.array([0.0, -40.0]), (False, True, False))
    points = closer(before)
    np.testing.assert_array_equal(points.coordinates[1], before.coordinates[1])


def test_a_landmark_is_as_likely_as_it_is_to_be_looked_for(monkeypatch):
    # In training 1 of 3 patches is about it. At odds of 1 in training, log(3) more.
    flat = np.full((3, 32, 32), -np.log(32 * 32), np.float32)
    windows = Windows(patch=(32, 32))
    for likelier, here in ((3, 3 / 4), (1, 1 / 2)):
        (one,) = predict_points(
            [Echo()], flat, windows, TASK, (1.0, 1.0), likelier=likelier
        )
        np.testing.assert_allclose(one.details["here"], here, rtol=1e-4)

    told = []

    def listen(*arguments, likelier, **options):
        told.append(likelier)
        return predict_points(*arguments, likelier=likelier, **options)

    monkeypatch.setattr(fine, "predict_points", listen)
    closer(coarse(1.0))
    closer(None)
    assert told == [3, 1]


def test_points_of_a_file_without_scores_can_be_looked_at_closer(tmp_path):
    before = coarse(2.0)
    plain = Points(NAMES, before.coordinates, before.status)
    write_points(tmp_path / "x.json", plain, PLACEMENT.geometry)
    read, _ = read_points(tmp_path / "x.json", None, PLACEMENT.geometry)
    points = closer(read, seen=("a", "b"))
    exact = restore_coordinates(PLACES, PLACEMENT)
    np.testing.assert_allclose(points.coordinates[:2], exact[:2], atol=1e-3)
    np.testing.assert_allclose(points.coordinates[2], before.coordinates[2])
    assert np.isnan(points.details["covariance"][2]).all()


def test_what_is_seen_has_a_place_and_what_is_not_has_none():
    details = {
        "here": np.array([0.9, 0.3, 0.5]),
        "score": np.zeros(3),
        "peak": PLACES,
        "covariance": np.tile(np.eye(2), (3, 1, 1)),
    }
    points = as_seen(Points(NAMES, PLACES, np.full(3, ABSENT), details), TASK)
    assert points.status.tolist() == [PRESENT, ABSENT, PRESENT]
    assert join(coarse(0.0), points, TASK).status.tolist() == [PRESENT] * 3


def test_places_go_to_the_network_s_grid_and_back():
    turned = Placement(
        geometry=Geometry(shape=(30, 20), spacing=(0.5, 2.0)),
        orientation=None,
        transpose=(1, 0),
        box=((4, 14), (6, 26)),
        shape_before_crop=(20, 30),
        cropped_shape=(10, 20),
        shape=(20, 10),
        cropped_spacing=(2.0, 0.5),
        spacing=(1.0, 1.0),
    )
    # (25.5, 3.5) is the corner of the crop on one axis and its end on the other.
    there = place_coordinates(np.array([[25.5, 3.5]]), turned)
    assert there.tolist() == [[-0.5, 9.5]]
    assert restore_coordinates(there, turned).tolist() == [[25.5, 3.5]]
