"""Disagreement of folds and mirrors, and the number that it comes to."""

import json
import math

import nibabel
import numpy as np
import pytest
import torch

from autoseg.predict.options import Options
from autoseg.predict.predictor import Predictor
from autoseg.predict.readouts import READOUTS
from autoseg.predict.readouts.ensemble import apart
from autoseg.predict.readouts.uncertainty import (
    Doubt,
    Qualities,
    correlation,
    expected_dice,
    load_qualities,
)
from autoseg.predict.stage import predict
from autoseg.predict.windows.disagreement import Disagreement
from autoseg.spec.choice import Choice
from autoseg.spec.head import Head
from autoseg.spec.image import Geometry, Image
from autoseg.spec.instances import Instances
from autoseg.spec.points import Points
from tests import toy
from tests.predict import toy_model


def _heads(activation, channels=3):
    loss = Choice(name="dice_ce")
    return (Head(name="classes", channels=channels, activation=activation, loss=loss),)


def _disagreement(activation, *opinions):
    found = Disagreement(_heads(activation, len(opinions[0])))
    for opinion in opinions:
        found.add(torch.tensor(opinion, dtype=torch.float32)[:, None])
    return float(found.result()[0])


SURE = 50.0  # a logit after which the rest is 0


def test_opinions_that_agree_do_not_disagree():
    assert _disagreement("softmax", [0.3, 1.0, -2.0], [0.3, 1.0, -2.0]) < 1e-6


def test_of_certain_opinions_it_is_the_probability_that_two_differ():
    # Three say the first, one the second: 1 - (3/4)^2 - (1/4)^2 = 3/8.
    first, second = [SURE, 0, 0], [0, SURE, 0]

    found = _disagreement("softmax", first, first, first, second)

    assert found == pytest.approx(3 / 8, abs=1e-6)


def test_an_opinion_that_is_alone_is_as_unsure_as_its_probabilities():
    # Softmax of the logs of 6, 3 and 1: 1 - .6^2 - .3^2 - .1^2.
    logs = [math.log(6), math.log(3), 0.0]

    assert _disagreement("softmax", logs) == pytest.approx(0.54, abs=1e-6)
    # Two regions at 3/4 and at 1/2: 3/16 and 1/4.
    found = _disagreement("sigmoid", [math.log(3), 0.0])
    assert found == pytest.approx(7 / 16, abs=1e-6)


def test_regions_disagree_one_by_one():
    # Each of two regions: a variance of p (1 - p) with p = 1/2.
    found = _disagreement("sigmoid", [SURE, SURE], [-SURE, -SURE])

    assert found == pytest.approx(0.5, abs=1e-6)


def test_the_number_is_the_dice_of_two_opinions():
    # 100 voxels that both paint, and 20 that one of the two paints: each voxel of the
    # 20 is painted with probability 1/2. Two such masks share 100 + 20 / 4 voxels of
    # 110 each on average: Dice 210 / 220. Disagreement there is 1/2 for each pair of
    # classes; the foreground that was predicted may be 110.
    disagreement = np.zeros(200)
    disagreement[100:120] = 0.5
    foreground = np.arange(200) < 110

    assert expected_dice(disagreement, foreground) == pytest.approx(210 / 220)


def test_without_foreground_there_is_no_number():
    assert math.isnan(expected_dice(np.ones(4), np.zeros(4, bool)))


DOUBTING = Options(device="cpu", uncertainty=True)


def _two_folds(labels):
    """Return a predictor whose folds name the two classes the other way round."""
    model = toy_model.model(toy_model.plan(patch=8, mirror=False), folds=2)
    found = Predictor(model, DOUBTING)
    sharp = toy_model.nearest_label((0, 100, 200))
    other = toy_model.nearest_label((0, 200, 100))
    found._networks = [lambda x: 5 * sharp(x), lambda x: 5 * other(x)]
    geometry = Geometry(shape=labels.shape, spacing=(1.0,) * labels.ndim)
    image = Image(array=100.0 * labels[None].astype(np.float32), geometry=geometry)
    return found, image


def test_the_image_shows_where_folds_disagree():
    labels = toy_model.blobs((12, 14, 16))
    predictor, image = _two_folds(labels)
    doubt = Doubt()

    predictor.predict_image(image, doubt=doubt)

    # On background both are certain; on foreground they name different classes.
    np.testing.assert_allclose(doubt.map, 0.5 * (labels > 0), atol=2e-3)
    # All of the foreground was predicted: 1 - 0.5 V / 2 V.
    assert doubt.quality == pytest.approx(0.75, abs=2e-3)


def test_looking_for_doubt_changes_no_label():
    labels = toy_model.blobs((12, 14, 16))
    model = toy_model.model(toy_model.plan(patch=8), folds=2)
    image = _two_folds(labels)[1]

    plain = Predictor(model, Options(device="cpu")).predict_image(image)
    watched = Predictor(model, DOUBTING).predict_image(image, doubt=Doubt())

    np.testing.assert_array_equal(plain, watched)


def test_an_image_and_a_number_of_each_case_are_written(tmp_path):
    labels = toy_model.blobs((12, 14, 16))
    for name in "ab":
        path = tmp_path / "in" / f"{name}.nii.gz"
        toy.write_nifti(path, 100.0 * labels, (1.0, 1.0, 1.0))
    predictor, _ = _two_folds(labels)

    predict(predictor, tmp_path / "in", tmp_path / "out")

    found = nibabel.load(tmp_path / "out" / "uncertainty" / "a.nii.gz")
    image = nibabel.load(tmp_path / "in" / "a.nii.gz")
    np.testing.assert_array_equal(found.affine, image.affine)
    np.testing.assert_allclose(
        np.asarray(found.dataobj).T, 0.5 * (labels > 0), atol=2e-3
    )
    numbers = json.loads((tmp_path / "out" / "uncertainty.json").read_text())
    assert numbers["quality"].keys() == {"a", "b"}


def test_one_fold_without_mirrors_is_as_unsure_as_its_probabilities():
    model = toy_model.model(toy_model.plan(patch=8, mirror=False))
    predictor = Predictor(model, DOUBTING)
    logits = torch.tensor([0.0, math.log(6), math.log(3)])[:, None, None, None]
    predictor._networks = [lambda x: logits.repeat(len(x), 1, *x.shape[2:])]
    doubt = Doubt()

    predictor.predict_image(_two_folds(np.ones((9, 10, 11)))[1], doubt=doubt)

    # 1 - .1^2 - .6^2 - .3^2 in each voxel, and each is foreground: 1 - .54 V / 2 V.
    np.testing.assert_allclose(doubt.map, 0.54, atol=2e-3)
    assert doubt.quality == pytest.approx(0.73, abs=2e-3)


def test_numbers_of_earlier_runs_stay(tmp_path):
    Qualities(tmp_path / "q.json").add("a", 0.5)
    Qualities(tmp_path / "q.json").add("b", math.nan)

    found = load_qualities(tmp_path / "q.json")

    assert found["a"] == 0.5 and math.isnan(found["b"])


def test_the_correlation_is_that_of_the_ranks():
    scores = {"a": 0.1, "b": 0.4, "c": 0.9}

    assert correlation({"a": 1, "b": 2, "c": 9}, scores)["spearman"] == 1.0
    assert correlation({"a": 9, "b": 2, "c": 1}, scores)["spearman"] == -1.0
    assert correlation({"a": 1}, scores) == {
        "spearman": None,
        "pearson": None,
        "cases": 1,
    }


def test_models_that_are_certain_of_different_classes_disagree_like_folds():
    agreed, split = [255, 255], [255, 0]
    one = np.array([agreed, [0, 0]], np.uint8)
    other = np.array([split, [0, 255]], np.uint8)

    # The first voxel: both say the same. The second: two opinions drawn at random
    # differ with probability 1/2.
    np.testing.assert_allclose(apart([one, other]), [0, 0.5], atol=1e-6)


def test_variances_within_and_between_models_are_that_of_all_opinions():
    rng = np.random.default_rng(0)
    opinions = rng.dirichlet(np.ones(3), (2, 8)).transpose(0, 2, 1)  # models, 3, 8
    opinions = np.rint(255 * opinions)
    within = opinions.var(axis=2).sum(axis=1).mean() / 255**2
    means = opinions.mean(axis=2)[:, :, None]  # one voxel of each model's outputs

    between = apart([np.rint(mean).astype(np.uint8) for mean in means])

    everything = opinions.transpose(1, 0, 2).reshape(3, -1).var(axis=1).sum() / 255**2
    assert within + between[0] == pytest.approx(everything, abs=2e-3)  # 8 bits


def _quality(kind, found):
    model = toy_model.model(toy_model.plan(2))
    return READOUTS[kind](model, None, Options()).quality(found, None)


def test_of_points_and_instances_the_number_is_the_mean_score_of_what_was_found():
    scores = [0.9, 0.5, 0.1]
    points = Points(
        names=("tip", "root", "gone"), coordinates=np.zeros((3, 2)),
        status=np.array([1, 1, 0], np.int8), details={"score": np.array(scores)},
    )  # fmt: skip
    cells = Instances(np.array([[1, 2]], np.int32), scores={1: 0.2, 2: 0.4})

    nothing = Instances(np.zeros((2, 2), np.int32))

    assert _quality("points", points) == pytest.approx(0.7)
    assert _quality("instances", cells) == pytest.approx(0.3)
    assert math.isnan(_quality("instances", nothing))
