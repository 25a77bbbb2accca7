"""From windows to points: combined, mirrored back, and in the image's own grid."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from autoseg.errors import UsageError
from autoseg.landmarks.decoders import DECODERS
from autoseg.model.model import Model
from autoseg.networks.base import LateLogits
from autoseg.predict.readouts._points.views import predict_points, restore
from autoseg.predict.readouts.consensus import average, combine
from autoseg.predict.windows.window import Windows
from autoseg.preprocess.placement import Placement
from autoseg.spec.choice import Choice
from autoseg.spec.image import Geometry
from autoseg.spec.points import ABSENT, PRESENT, Points
from autoseg.tasks.landmark import HEAD, LandmarkTask
from tests.predict import toy_model

NAMES = ("left", "right", "gone")
TASK = LandmarkTask(NAMES, mirror_pairs=[["left", "right"]])
PLACES = np.array([[20.3, 7.25], [22.0, 31.6]])
SHAPE = (48, 40)
SPACING = (1.0, 1.0)


def image(shape=SHAPE):
    """Return three channels: the logits of a perfect network for each landmark."""
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"))
    array = np.full((3, *shape), -30.0, np.float32)
    for i, place in enumerate(PLACES):
        square = ((grid - place[:, None, None]) ** 2).sum(0)
        array[i] = np.maximum(8 - square / (2 * 1.5**2), -30)
    return array


class Perfect(torch.nn.Module):
    """Gives its input back, left and right as they look: the lower half is mirrored."""

    def __init__(self, late=True):
        super().__init__()
        self.late = late

    def forward(self, batch):
        left = batch[:, :1]
        # What stands further along the second axis looks like a right one.
        where = torch.arange(batch.shape[3], dtype=torch.float32)
        mass = torch.exp(left).sum((1, 2))
        flipped = (mass * where).sum(1) / mass.sum(1) > (batch.shape[3] - 1) / 2
        out = batch.clone()
        out[flipped] = batch[flipped][:, [1, 0, 2]]
        if not self.late:
            return {HEAD: out}
        weight = torch.eye(3)[:, :, None, None]
        return {HEAD: LateLogits(out, weight, torch.zeros(3))}


def found(patch, mirror=(), late=True):
    windows = Windows(patch=patch, mirror_axes=mirror)
    return predict_points([Perfect(late)], image(), windows, TASK, SPACING)


@pytest.mark.parametrize("late", [True, False])
@pytest.mark.parametrize("patch", [SHAPE, (64, 64)])
def test_points_are_found_between_the_voxels_and_absent_ones_are_said_to_be(
    patch, late
):
    points = combine(found(patch, late=late), TASK)
    np.testing.assert_allclose(points.coordinates[:2], PLACES, atol=1e-3)
    assert points.status.tolist() == [PRESENT, PRESENT, ABSENT]
    score = points.details["score"]
    assert (score[:2] > 0.9).all() and score[2] < 1e-6
    variance = np.diagonal(points.details["covariance"][0])
    np.testing.assert_allclose(variance, 1.5**2, rtol=0.05)


def test_mirrored_copies_agree_with_left_and_right_swapped_back():
    opinions = found(SHAPE, mirror=(1,))
    assert len(opinions) == 2
    for points in opinions:
        np.testing.assert_allclose(points.coordinates[:2], PLACES, atol=1e-3)


class Plain(torch.nn.Module):
    def forward(self, batch):
        return {HEAD: batch}


def test_windows_together_find_what_the_whole_image_shows():
    windows = Windows(patch=(16, 16))
    points = predict_points([Plain()], image(), windows, TASK, SPACING)[0]
    np.testing.assert_allclose(points.coordinates[:2], PLACES, atol=1e-3)
    assert points.status.tolist() == [PRESENT, PRESENT, ABSENT]


def test_opinions_are_weighted_by_how_sure_they_are():
    def opinion(place, score):
        return Points(
            ("a",),
            np.array([[place, 0.0]]),
            np.array([PRESENT]),
            {
                "score": np.array([score]),
                "covariance": np.eye(2)[None],
                "peak": np.array([[place, 0.0]]),
            },
        )

    task = LandmarkTask(["a"])
    mean = combine([opinion(0.0, 0.9), opinion(4.0, 0.3)], task)
    assert mean.coordinates[0, 0] == pytest.approx(1.0)
    # 1 within each, and (0.75 * 1 + 0.25 * 9) between them.
    assert mean.details["covariance"][0, 0, 0] == pytest.approx(1 + 0.75 * 1 + 0.25 * 9)
    assert mean.details["score"][0] == pytest.approx(0.6)


def test_of_several_models_lengths_and_voxels_are_told_apart():
    def opinion(place, score):
        return Points(
            ("a", "b"),
            np.array([[place, 0.0], [1.0, 1.0]]),
            np.array([PRESENT, PRESENT]),
            {
                "score": np.array([score, score]),
                "covariance": np.stack([np.eye(2)] * 2),
                "peak": np.array([[place, 0.0], [np.nan, np.nan]]),
            },
        )

    task = LandmarkTask(["a", "b"])
    known = opinion(0.0, 0.9)
    known.details["peak"][1] = 3.0
    mean = average([known, opinion(4.0, 0.3)], task, (0.5, 1.0))

    assert mean.details["peak"].tolist() == [[1.0, 0.0], [3.0, 3.0]]
    apart = 0.75 * 0.5**2 + 0.25 * 1.5**2
    assert mean.details["covariance"][0, 0, 0] == pytest.approx(1 + apart)
    np.testing.assert_allclose(mean.details["covariance"][1], np.eye(2))


def test_going_back_undoes_crop_axis_order_and_resampling():
    placement = Placement(
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
    details = {
        "score": np.array([1.0]),
        "covariance": np.array([np.diag([4.0, 9.0])]),
        "peak": np.array([[-0.5, 9.5]]),
    }
    points = Points(("a",), details["peak"], np.array([PRESENT]), details)
    back = restore(points, placement)
    # The crop's first corner on one axis, its last on the other, in the image's order.
    assert back.coordinates.tolist() == [[25.5, 3.5]]
    # In mm both grids are the same, with the axes in the other order.
    np.testing.assert_allclose(back.details["covariance"][0], np.diag([9.0, 4.0]))


@pytest.mark.parametrize("name", DECODERS)
def test_each_decoder_gives_the_place_as_well_as_it_can(name):
    task = LandmarkTask(NAMES, mirror_pairs=[["left", "right"]], decoder=name)
    windows = Windows(patch=SHAPE, mirror_axes=(1,))
    points = combine(predict_points([Perfect()], image(), windows, task, SPACING), task)
    found = points.coordinates[:2]
    if name == "argmax":
        assert found.tolist() == PLACES.round().tolist()
    else:
        np.testing.assert_allclose(found, PLACES, atol=0.12)
    assert points.status.tolist() == [PRESENT, PRESENT, ABSENT]


def test_a_model_decodes_by_its_plan_or_as_it_is_told():
    options = {"landmarks": list(NAMES), "decoder": "dark"}
    task = Choice(name="landmark", options=options)
    plan = replace(toy_model.plan(2), task=task)
    model = Model(plan=plan, configuration="net", weights=(), folds=(), dataset={})

    assert model.task_options()["decoder"] == "dark"
    assert model.task_options("argmax")["decoder"] == "argmax"
    assert model.task_options("argmax")["landmarks"] == list(NAMES)
    with pytest.raises(UsageError, match="'peak'; there are log_quadratic, argmax"):
        model.task_options("peak")
    with pytest.raises(UsageError, match="predicts no points"):
        replace(model, plan=toy_model.plan(2)).task_options("argmax")


class Halved(torch.nn.Module):
    """Outputs of half the resolution: each is the mean of its voxels' places."""

    def forward(self, batch):
        # The logits are a parabola about the point: on coarser outputs, too. Two voxels
        # of the input give their place, so that the answer does not come from pooling.
        size = np.array(batch.shape[2:]) // 2
        y, x = np.meshgrid(*map(np.arange, size), indexing="ij")
        outputs = torch.full((1, 3, *size.tolist()), -30.0)
        for i in range(2):
            place = batch[0, i].nonzero()
            if len(place):
                # A voxel of value v marks a point v - 1 beside its middle on each axis.
                index = tuple(place[0].tolist())
                at = place[0].numpy() + float(batch[0, i][index]) - 1
                square = ((y + 0.5) * 2 - 0.5 - at[0]) ** 2
                square = square + ((x + 0.5) * 2 - 0.5 - at[1]) ** 2
                outputs[0, i] = torch.from_numpy(8 - square / (2 * 4.0**2))
        return {HEAD: outputs}


@pytest.mark.parametrize("patch", [(48, 40), (18, 22)])
def test_outputs_of_half_the_resolution_give_the_same_places(patch):
    # Windows of 18 x 22 begin at odd voxels, too.
    task = LandmarkTask(NAMES, sigma_voxels=4)
    marked = np.zeros((3, *SHAPE), np.float32)
    marked[0, 20, 7] = 1.25  # 20.25, 7.25
    marked[1, 22, 31] = 0.6  # 21.6, 30.6
    windows = Windows(patch=patch)
    starts = {a % 2 for a in np.concatenate(windows.grid(SHAPE).origins)}
    assert patch == SHAPE or 1 in starts
    (points,) = predict_points(
        [Halved()], marked, windows, task, SPACING, stride=(2, 2)
    )
    expected = [[20.25, 7.25], [21.6, 30.6]]
    np.testing.assert_allclose(points.coordinates[:2], expected, atol=1e-3)
    # The same Gaussian of 4 voxels, in voxels.
    variance = np.diagonal(points.details["covariance"], axis1=1, axis2=2)[:2]
    np.testing.assert_allclose(variance, 16, rtol=0.05)
