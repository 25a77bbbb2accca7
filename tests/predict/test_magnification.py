"""Objects of other sizes are brought to the size that the model knows."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import ndimage

from autoseg.errors import PlanError, UsageError
from autoseg.model.bundle import read_bundle, write_bundle
from autoseg.predict.magnification import (
    View,
    bright_ground,
    find_view,
    liveliest,
    measured,
)
from autoseg.predict.options import Options
from autoseg.predict.predictor import Predictor
from autoseg.spec.image import Geometry, Image
from autoseg.spec.instances import Instances
from autoseg.spec.scale import Scale
from tests.predict import toy_model as toy

SCALE = Scale(diameter=20.0, low=8.0, high=50.0)


def disks(diameter, edge=256, gap=1.6):
    """Return an image of disks on a grid, 100 on 0, with its ids."""
    step = round(diameter * gap)
    labels = np.zeros((edge, edge), np.int32)
    rows, columns = np.indices(labels.shape)
    for y in range(step // 2, edge - step // 2, step):
        for x in range(step // 2, edge - step // 2, step):
            inside = np.hypot(rows - y, columns - x) <= diameter / 2
            labels[inside] = labels.max() + 1
    return labels


def image_of(labels, low=0.0, high=100.0, spacing=(1.0, 1.0)):
    array = np.where(labels > 0, high, low)[None].astype(np.float32)
    geometry = Geometry(shape=labels.shape, spacing=spacing, unit="px")
    return Image(array=array, geometry=geometry)


def seer(low=4.0, high=60.0, levels=(0.0, 100.0)):
    """Return a model that finds bright disks if it sees them neither small nor large.

    `asked` says by what each look enlarged.
    """
    asked = []

    def look(image, view):
        asked.append(view.factor)
        array = view.of(image).array[0]
        labels, count = ndimage.label(array > np.mean(levels))
        sizes = np.bincount(labels.ravel(), minlength=count + 1)
        seen = 2 * np.sqrt(sizes / math.pi) * view.factor
        labels[((seen < low) | (seen > high))[labels]] = 0
        kept = [int(i) for i in np.unique(labels) if i]
        return Instances(
            labels.astype(np.int32), dict.fromkeys(kept, 1), dict.fromkeys(kept, 0.9)
        )

    return look, asked


@pytest.mark.parametrize(
    ("diameter", "expected"),
    [(5, 20 / 5), (12, 1.0), (30, 1.0), (80, 50 / 80), (100, 50 / 100)],
)
def test_an_image_is_seen_so_that_its_objects_are_as_large_as_training_s(
    diameter, expected
):
    edge = 96 if diameter == 5 else max(256, 6 * diameter)
    look, asked = seer()

    view = find_view(image_of(disks(diameter, edge)), SCALE, look)

    assert not view.inverted
    assert view.factor == pytest.approx(expected, rel=0.08)
    assert asked[0] == 0.5  # a coarse look comes first


def test_an_image_with_nothing_in_it_is_seen_as_it_is():
    look, _ = seer()

    assert find_view(image_of(np.zeros((64, 64), int)), SCALE, look) == View()


def test_dark_objects_on_a_bright_ground_are_seen_bright():
    look, _ = seer()
    dark = image_of(disks(20), low=100.0, high=0.0)

    view = find_view(dark, SCALE, look)

    assert view == View(1.0, inverted=True)
    assert np.array_equal(view.of(dark).array, 100 - dark.array)
    assert bright_ground(dark.array) and not bright_ground(100 - dark.array)


def test_bright_objects_that_fill_the_image_are_not_inverted():
    look, _ = seer()
    full = image_of(disks(30, gap=1.1))

    assert bright_ground(full.array)
    assert not find_view(full, SCALE, look).inverted


def test_the_liveliest_part_is_where_the_objects_are():
    labels = np.zeros((300, 300), int)
    labels[200:, 200:] = disks(12, 100)

    part = liveliest(image_of(labels), 100)

    assert part.array.shape == (1, 100, 100)
    assert np.array_equal(part.array[0] > 0, labels[200:, 200:] > 0)


def test_diameters_are_those_of_disks_of_the_same_size_and_cut_ones_do_not_count():
    labels = np.zeros((20, 20), np.int32)
    labels[5:9, 5:9], labels[0:3, 10:13], labels[12:14, 12:14] = 1, 2, 3
    found = Instances(labels, dict.fromkeys((1, 2, 3), 1), {1: 0.5, 2: 1.0, 3: 0.25})

    seen = measured(found, (2.0, 2.0))

    # 16 and 4 pixels of 4: areas of 64 and 16.
    expected = [2 * math.sqrt(area / math.pi) for area in (64, 16)]
    assert np.allclose(seen.diameters, expected)
    assert seen.sure == 0.75 and seen.usual is None  # two say too little


def _instance_model(**fields):
    plan = toy.plan(2, unit="px")
    options = {"labels": {"cell": 1}, "axes": 2}
    maps = {"name": "border_core", "options": {"least": 9}}
    task = dataclasses.replace(
        plan.task, name="instance", options={**options, "representation": maps}
    )
    described = toy.description(".png", labels={"background": 0, "cell": 1})
    return toy.model(dataclasses.replace(plan, task=task), dataset=described, **fields)


def test_a_given_diameter_is_taken_and_nothing_is_looked_for():
    model = _instance_model(scale=SCALE)
    image = image_of(disks(40))

    def view(diameter):
        return Predictor(model, Options(diameter=diameter, device="cpu")).view(image)

    assert view(40.0) == View()
    assert view(100.0) == View(0.5)
    known = {"annotation": {"diameter": {"p5": 8.0, "p50": 20.0, "p95": 50.0}}}
    plain = _instance_model(fingerprint=known)
    predictor = Predictor(plain, Options(diameter=80.0, device="cpu"))
    assert predictor.view(image) == View(0.625)


def test_a_view_gives_the_network_more_pixels_and_the_image_its_own_back():
    predictor = Predictor(
        _instance_model(scale=SCALE), Options(diameter=5.0, device="cpu")
    )
    image = image_of(disks(5, 24), low=1.0)  # nothing is cropped

    begun = predictor.begin(image)

    assert begun.prepared.array.shape == (1, 96, 96)
    assert begun.geometry == image.geometry
    assert np.asarray(predictor.look(begun)).shape == (24, 24)


def test_numbers_of_voxels_follow_the_grid():
    task = Predictor(_instance_model(), Options(device="cpu")).task

    assert task.on_finer_grid(4.0).representation.least == 36
    assert task.on_finer_grid(0.01).representation.least == 1


def test_a_diameter_that_says_nothing_is_refused():
    with pytest.raises(UsageError, match="does not say how large"):
        Predictor(_instance_model(), Options(diameter=5.0)).view(image_of(disks(5, 24)))
    with pytest.raises(UsageError, match="finds none"):
        Predictor(toy.model(toy.plan(2)), Options(diameter=5.0))
    with pytest.raises(UsageError, match="diameter is -1"):
        Options(diameter=-1)


def test_a_bundle_keeps_the_scale_and_models_without_one_their_schema(tmp_path):
    model = _instance_model(scale=SCALE)

    assert read_bundle(write_bundle(model, tmp_path / "a.zip")).scale == SCALE
    with pytest.raises(PlanError, match="cannot be"):
        Scale(diameter=5, low=8, high=9)
