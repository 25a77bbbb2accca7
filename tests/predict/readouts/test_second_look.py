"""Points that do not fit the others are looked for where the others have them."""

import numpy as np
import pytest
import torch

from autoseg.landmarks.shape import fit_shapes
from autoseg.predict.readouts._points.fine import find_landmarks
from autoseg.predict.windows.window import Windows
from autoseg.preprocess.case import Prepared
from autoseg.preprocess.placement import Placement
from autoseg.spec.image import Geometry
from autoseg.tasks.landmark import HEAD, LandmarkTask

NAMES = ("a", "b", "c", "d", "e")
TASK = LandmarkTask(NAMES)
OUTLINE = np.array([[20, 20], [20, 60], [60, 60], [60, 20], [40, 42]], float)
SHAPE, SPACING = (96, 90), (1.0, 1.0)
DECOY = (85.0, 80.0)  # looks like b, a little more than b itself


class Echo(torch.nn.Module):
    def forward(self, batch):
        return {HEAD: batch}


def prior(noise=1.5):
    rng = np.random.default_rng(0)
    moved = OUTLINE + rng.normal(0, 20, (60, 1, 2))
    return fit_shapes(moved + rng.normal(0, noise, (60, *OUTLINE.shape)))


def image(itself=8.0, decoy=9.0):
    grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"))
    array = np.full((len(NAMES), *SHAPE), -30.0, np.float32)

    def draw(number, place, height):
        square = ((grid - np.asarray(place)[:, None, None]) ** 2).sum(0)
        blob = height - square / (2 * 1.5**2)
        array[number] = np.maximum(array[number], blob)

    for number, place in enumerate(OUTLINE):
        draw(number, place, itself if number == 1 else 8.0)
    draw(1, DECOY, decoy)
    return array


def find(array, shapes, patch=SHAPE):
    geometry = Geometry(shape=SHAPE, spacing=SPACING)
    placement = Placement(
        geometry=geometry,
        orientation=None,
        transpose=(0, 1),
        box=((0, SHAPE[0]), (0, SHAPE[1])),
        shape_before_crop=SHAPE,
        cropped_shape=SHAPE,
        shape=SHAPE,
        cropped_spacing=SPACING,
        spacing=SPACING,
    )
    prepared = Prepared(array=array, annotation=None, placement=placement)
    return find_landmarks([Echo()], prepared, Windows(patch=patch), TASK, prior=shapes)


@pytest.mark.parametrize("patch", [SHAPE, (48, 48)])
def test_a_point_far_from_where_the_others_have_it_is_found_at_its_own_place(patch):
    before = find(image(), None, patch)
    np.testing.assert_allclose(before.coordinates[1], DECOY, atol=0.05)

    found = find(image(), prior(), patch)

    np.testing.assert_allclose(found.coordinates, OUTLINE, atol=0.05)
    np.testing.assert_allclose(found.details["peak"], OUTLINE, atol=0.05)
    assert found.present.all() and found.details["score"][1] > 0.9


def test_where_the_network_sees_nothing_the_point_stays():
    # -9 for each of the voxels of a blob is far below the 0 of "nowhere".
    found = find(image(itself=-9.0), prior())
    np.testing.assert_allclose(found.coordinates[1], DECOY, atol=0.05)


def test_points_that_fit_are_not_looked_for_again():
    array = image(decoy=5.0)
    plain, found = find(array, None), find(array, prior())
    np.testing.assert_array_equal(found.coordinates, plain.coordinates)
    np.testing.assert_array_equal(found.details["score"], plain.details["score"])
