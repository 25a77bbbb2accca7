"""Several models on one image: averages, thresholds, and what comes of them."""

import dataclasses

import numpy as np
import pytest

from autoseg.model.bundle import write_bundle
from autoseg.model.dense_crf import DenseCrf
from autoseg.model.load import load_model
from autoseg.model.postprocessing import Postprocessing, Rule
from autoseg.predict.options import Options
from autoseg.predict.predictor import Predictor
from autoseg.predict.readouts.ensemble import decide
from autoseg.predict.stage import predict
from autoseg.spec.image import Geometry, Image
from autoseg.tasks.semantic import SemanticTask
from tests import toy
from tests.predict import toy_model

TASK = SemanticTask(labels={"background": 0, "one": 1, "two": 2})
REGIONS = SemanticTask(
    labels={"background": 0, "whole": [1, 2], "core": 2}, regions_class_order=[1, 2]
)


def outputs(*voxels):
    """Return outputs (K, 1, voxels) from one tuple of shares of 255 for each voxel."""
    return np.array(voxels, np.uint8).T[:, None]


def test_the_mean_decides():
    one = outputs((100, 155, 0), (200, 0, 55))
    other = outputs((200, 55, 0), (0, 0, 255))

    # Sums: (300, 210, 0) and (200, 0, 310).
    assert decide([one, other], TASK, {}).tolist() == [[0, 2]]


def test_of_equal_outputs_the_first_wins():
    assert decide([outputs((127, 127, 1))], TASK, {}).tolist() == [[0]]


def test_a_low_threshold_takes_background_and_a_high_one_gives_it_back():
    # one's share of one and background: 100 / 255 = 0.39 and 155 / 255 = 0.61.
    array = outputs((155, 100, 0), (100, 155, 0), (0, 100, 155))

    assert decide([array], TASK, {"one": 0.35}).tolist() == [[1, 1, 2]]
    assert decide([array], TASK, {"one": 0.65}).tolist() == [[0, 0, 2]]


def test_background_goes_to_the_likeliest_class_only():
    array = outputs((105, 70, 80))

    # 70 * 0.7 / 0.3 = 163 and 80 * 0.6 / 0.4 = 120 are both over 105.
    assert decide([array], TASK, {"one": 0.3, "two": 0.4}).tolist() == [[2]]
    assert decide([array], TASK, {"one": 0.3}).tolist() == [[0]]


def test_thresholds_of_classes_do_not_meet():
    rng = np.random.default_rng(0)
    array = np.rint(255 * rng.dirichlet([1] * 3, (4, 50))).astype(np.uint8)
    array = array.transpose(2, 0, 1)
    both = decide([array], TASK, {"one": 0.3, "two": 0.7})

    for label, (name, value) in enumerate([("one", 0.3), ("two", 0.7)], start=1):
        alone = decide([array], TASK, {name: value})
        np.testing.assert_array_equal(alone == label, both == label)


def test_regions_have_thresholds_of_their_own():
    array = outputs((140, 100), (100, 100), (200, 140))

    assert decide([array], REGIONS, {}).tolist() == [[1, 0, 2]]
    assert decide([array], REGIONS, {"core": 0.3}).tolist() == [[2, 2, 2]]
    assert decide([array], REGIONS, {"whole": 0.6}).tolist() == [[0, 0, 2]]


def _image(labels):
    geometry = Geometry(shape=labels.shape, spacing=(1.0,) * labels.ndim)
    return Image(array=100.0 * labels[None].astype(np.float32), geometry=geometry)


NOTHING = Postprocessing()


def _together(postprocessing=NOTHING, partners=1, intensities=(0, 100, 200)):
    """Return a predictor of models that know the answer, on several grids."""
    fine = toy_model.plan(patch=8)
    coarse = toy_model.plan(patch=8, spacing=(1.0, 1.5, 1.0))
    others = tuple(toy_model.model(coarse) for _ in range(partners))
    model = dataclasses.replace(
        toy_model.model(fine), partners=others, postprocessing=postprocessing
    )
    found = Predictor(model, toy_model.knowing(fine).options)
    for one in (found, *found.partners):
        one._networks = [toy_model.nearest_label(intensities)]
    return found


def test_models_of_different_grids_are_averaged_in_the_images_own():
    labels = toy_model.blobs((12, 14, 16))

    found = _together().predict_image(_image(labels))

    assert found.dtype == np.uint8
    assert (found == labels).mean() > 0.97  # all but some voxels at edges


def test_one_model_with_a_threshold_takes_the_same_way():
    labels = toy_model.blobs((12, 14, 16))
    rules = Postprocessing(classes={"one": Rule(threshold=0.999)})

    # The network's logits differ by 100: its outputs are 1 and 0, over any threshold.
    found = _together(rules, partners=0).predict_image(_image(labels))

    np.testing.assert_array_equal(found, labels)


def test_components_are_removed_from_the_average():
    labels = toy_model.blobs((12, 14, 16))
    labels[11, 0, 0] = 2
    rules = Postprocessing(classes={"two": Rule(largest_component=True)})

    found = _together(rules, partners=0).predict_image(_image(labels))

    labels[11, 0, 0] = 0
    np.testing.assert_array_equal(found, labels)


def test_a_field_takes_voxels_to_their_neighbors_before_labels_are_decided():
    labels = toy_model.blobs((12, 14, 16))
    labels[11, 0, 0] = 2  # alone; its outputs are 1 and 0, which are 0.5 / 255 at least
    rules = Postprocessing(crf=DenseCrf(near=20.0, alike=0.0, reach=1))

    found = _together(rules, partners=0).predict_image(_image(labels))

    assert found[11, 0, 0] == 0
    assert (found == labels).mean() > 0.9  # and blobs are there


@pytest.mark.parametrize("kind", ["b2nd", "npz"])
def test_files_come_out_of_it_with_the_averaged_outputs(tmp_path, kind):
    import blosc2
    import nibabel

    labels = toy_model.blobs((12, 14, 16))
    toy.write_nifti(tmp_path / "in" / "a.nii.gz", 100.0 * labels, (1.0, 1.0, 1.0))

    predict(_together(), tmp_path / "in", tmp_path / "out", save_probabilities=kind)

    found = np.asarray(nibabel.load(tmp_path / "out" / "a.nii.gz").dataobj).T
    if kind == "npz":
        kept = np.load(tmp_path / "out" / "a.npz")["probabilities"]
    else:
        kept = blosc2.open(str(tmp_path / "out" / "a_probabilities.b2nd"))[:]
    assert kept.shape == (3, *labels.shape)
    np.testing.assert_array_equal(kept.argmax(axis=0), found)


def test_a_cascade_can_be_averaged_with_others(tmp_path):
    labels = toy_model.blobs((12, 14, 16))
    of_plan = toy_model.plan(patch=8, cascade=True)
    first = toy_model.model(of_plan)
    second = toy_model.model(of_plan, configuration="second", previous=first)
    joint = dataclasses.replace(first, partners=(second,))

    model = load_model(write_bundle(joint, tmp_path / "joint.zip"))
    predictor = Predictor(model, Options(device="cpu"))
    (partner,) = predictor.partners
    for one in (predictor, partner, partner.previous):
        one._networks = [toy_model.nearest_label((0, 100, 200))]

    np.testing.assert_array_equal(predictor.predict_image(_image(labels)), labels)
