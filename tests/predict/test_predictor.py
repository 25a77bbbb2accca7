"""A network that knows the answer gives the annotation back, wherever the image is."""

import threading
from dataclasses import replace

import nibabel
import numpy as np
import pytest
import SimpleITK
import torch

from autoseg.errors import FormatError, ModelError, UsageError
from autoseg.geometry.orientation import orientation_of
from autoseg.predict.inputs import Prediction
from autoseg.predict.options import Options
from autoseg.predict.predictor import Predictor
from autoseg.spec.configuration import Resampling
from autoseg.spec.image import Geometry, Image
from tests.predict import toy_model as toy


def image_of(labels, spacing=None, direction=(), origin=()):
    """Return an image whose intensities are 100 times the label."""
    geometry = Geometry(
        shape=labels.shape,
        spacing=tuple(spacing or (1.0,) * labels.ndim),
        direction=direction,
        origin=origin,
    )
    return Image(array=100.0 * labels[None].astype(np.float32), geometry=geometry)


def dice(a, b, value):
    return (
        2
        * np.sum((a == value) & (b == value))
        / ((a == value).sum() + (b == value).sum())
    )


def test_the_annotation_comes_back():
    labels = toy.blobs((19, 23, 21))

    found = toy.knowing(toy.plan()).predict_image(image_of(labels))

    assert np.array_equal(found, labels)
    assert found.dtype == np.uint8


@pytest.mark.parametrize("transpose", [(1, 2, 0), (2, 0, 1), (0, 2, 1)])
def test_axes_in_another_order_come_back(transpose):
    labels = toy.blobs((12, 16, 20))

    found = toy.knowing(toy.plan(transpose=transpose)).predict_image(image_of(labels))

    assert np.array_equal(found, labels)


@pytest.mark.parametrize("transpose", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize(
    "direction",
    [
        (-1, 0, 0, 0, -1, 0, 0, 0, 1),
        (0, 0, -1, 1, 0, 0, 0, -1, 0),
        (0, 1, 0, 0, 0, 1, 1, 0, 0),
    ],
)
def test_an_image_of_another_orientation_comes_back(direction, transpose):
    labels = toy.blobs((12, 16, 20))
    plan = toy.plan(orientation="LPS", transpose=transpose)
    image = image_of(labels, direction=tuple(map(float, direction)))

    found = toy.knowing(plan).predict_image(image)

    assert np.array_equal(found, labels)


def test_empty_borders_are_cut_off_and_come_back_as_background():
    labels = np.zeros((30, 30, 30), np.uint8)
    labels[10:20, 5:15, 12:25] = toy.blobs((10, 10, 13))

    found = toy.knowing(toy.plan()).predict_image(image_of(labels))

    assert np.array_equal(found, labels)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    ("spacing", "network"),
    [((1, 1, 1), (1.4, 1.3, 1.2)), ((6, 1, 1), (4.5, 1.5, 1.5))],
)
def test_another_spacing_costs_the_borders_only(spacing, network, exact):
    # Boxes of a dozen voxels, resampled there and back: borders move by less than one.
    labels = toy.blobs((30, 40, 44) if spacing[0] == 1 else (16, 40, 44))
    plan = toy.plan(spacing=network, resampling=Resampling(image_order=1))

    found = toy.knowing(plan, exact=exact).predict_image(image_of(labels, spacing))

    assert found.shape == labels.shape
    assert min(dice(found, labels, 1), dice(found, labels, 2)) > 0.9


def test_a_2d_network_predicts_a_volume_slice_by_slice():
    labels = toy.blobs((5, 24, 20))
    plan = toy.plan(network_dim=2, spacing=(1.0, 1.0))

    found = toy.knowing(plan).predict_image(image_of(labels, (8.0, 1.0, 1.0)))

    assert np.array_equal(found, labels)


def test_a_2d_image_comes_back():
    labels = toy.blobs((33, 26))

    found = toy.knowing(toy.plan(2)).predict_image(image_of(labels))

    assert np.array_equal(found, labels)


def test_label_values_are_those_of_the_data_set():
    values = {"background": 0, "cell": 255, "debris": 300}
    labels = toy.blobs((12, 12, 12))
    plan = toy.plan(labels=values)

    found = toy.knowing(plan).predict_image(image_of(labels))

    assert np.array_equal(found, np.array([0, 255, 300])[labels])
    assert found.dtype == np.uint16


def test_regions_are_painted_one_over_the_other():
    # "whole" is 1 and 2, "core" is 2; painted in that order with 1 and 2.
    plan = toy.plan(
        labels={"background": 0, "whole": [1, 2], "core": 2},
        regions_class_order=[1, 2],
    )
    labels = toy.blobs((12, 12, 12))
    predictor = toy.knowing(plan)
    predictor._networks = [lambda x: torch.cat([x - 50, x - 150], dim=1)]

    found = predictor.predict_image(image_of(labels))

    assert np.array_equal(found, labels)


def test_folds_are_averaged():
    labels = toy.blobs((12, 12, 12))
    predictor = toy.knowing(toy.plan())
    right, wrong = (
        predictor._networks[0],
        lambda x: torch.zeros_like(x).repeat(1, 3, 1, 1, 1),
    )
    predictor._networks = [wrong, right, wrong]

    assert np.array_equal(predictor.predict_image(image_of(labels)), labels)


def cascade(labels):
    """Return a two-stage predictor; the second only sees what the first said."""
    plan = toy.plan(cascade=True)
    first = toy.model(plan)
    second = toy.model(plan, configuration="second", previous=first)
    predictor = Predictor(second, Options(device="cpu"))
    predictor.previous._networks = [toy.nearest_label((0, 100, 200))]

    def network(batch):
        one, two = batch[:, 1:2], batch[:, 2:3]
        assert set(batch[:, 1:].unique().tolist()) <= {0.0, 1.0}
        # It swaps the two labels, so that its own answer is told from the first's.
        return torch.cat([torch.full_like(one, 0.5), two, one], dim=1)

    predictor._networks = [network]
    return predictor


def test_a_cascade_predicts_both_stages():
    labels = toy.blobs((12, 16, 20))

    found = cascade(labels).predict_image(image_of(labels))

    assert np.array_equal(found, np.array([0, 2, 1])[labels])


def test_a_cascade_takes_given_predictions_of_the_stage_before():
    labels, given = toy.blobs((12, 16, 20)), toy.blobs((12, 16, 20), seed=5)
    image = Image(
        array=np.ones((1, *labels.shape), np.float32),
        geometry=image_of(labels).geometry,
    )

    found = cascade(labels).predict_image(image, previous=given)

    assert np.array_equal(found, np.array([0, 2, 1])[given])


def test_a_cascade_without_its_first_stage_says_what_is_missing():
    plan = toy.plan(cascade=True)
    predictor = Predictor(
        toy.model(plan, configuration="second"), Options(device="cpu")
    )

    with pytest.raises(ModelError, match="'net'"):
        predictor.predict_image(image_of(toy.blobs((8, 8, 8))))


def test_an_array_gives_an_array():
    labels = toy.blobs((12, 16, 20))

    found = toy.knowing(toy.plan()).predict(100 * labels, spacing=(1, 1, 1))

    assert isinstance(found, np.ndarray)
    assert np.array_equal(found, labels)


def test_an_array_is_not_changed():
    array = 100 * toy.blobs((12, 16, 20)).astype(np.float32)
    before = array.copy()
    plan = toy.plan()

    toy.knowing(plan).predict(array, spacing=(1, 1, 1))

    assert np.array_equal(array, before)


def test_a_path_gives_labels_with_geometry(tmp_path):
    labels = toy.blobs((12, 16, 20))
    image = SimpleITK.GetImageFromArray(100.0 * labels)
    image.SetSpacing((1.0, 1.0, 1.0))
    image.SetOrigin((3.0, -2.0, 7.0))
    SimpleITK.WriteImage(image, str(tmp_path / "image.nii.gz"))

    found = toy.knowing(toy.plan()).predict(tmp_path / "image.nii.gz")

    assert isinstance(found, Prediction)
    assert np.array_equal(found.labels, labels)
    assert found.geometry.origin == pytest.approx((3.0, -2.0, 7.0))


def test_a_simpleitk_image_gives_one_with_its_geometry():
    labels = toy.blobs((12, 16, 20))
    image = SimpleITK.GetImageFromArray(100.0 * labels)
    image.SetSpacing((1.0, 1.0, 1.0))
    image.SetOrigin((3.0, -2.0, 7.0))
    image.SetDirection((0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0))

    found = toy.knowing(toy.plan(orientation="LPS")).predict(image)

    assert np.array_equal(SimpleITK.GetArrayFromImage(found), labels)
    assert found.GetSpacing() == image.GetSpacing()
    assert found.GetOrigin() == image.GetOrigin()
    assert found.GetDirection() == image.GetDirection()


def test_a_nibabel_image_gives_one_with_its_affine():
    labels = toy.blobs((12, 16, 20)).transpose()  # nibabel's axes are x, y, z
    affine = np.array([[0, -1, 0, 5], [1, 0, 0, -7], [0, 0, 1, 2], [0, 0, 0, 1.0]])
    image = nibabel.Nifti1Image(100.0 * labels, affine)

    found = toy.knowing(toy.plan(orientation="LPS")).predict(image)

    assert isinstance(found, nibabel.Nifti1Image)
    assert np.array_equal(np.asarray(found.dataobj), labels)
    assert np.array_equal(found.affine, affine)
    assert found.get_data_dtype() == np.uint8


def test_sitk_and_nibabel_images_of_one_file_are_predicted_alike(tmp_path):
    rng = np.random.default_rng(0)
    affine = np.array([[0, -2, 0, 5], [1.5, 0, 0, -7], [0, 0, 3, 2], [0, 0, 0, 1.0]])
    array = rng.normal(size=(14, 12, 10)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(array, affine), tmp_path / "a.nii")
    plan = toy.plan(orientation="RAI", patch=16, mirror=False)
    predictor = Predictor(toy.model(plan), Options(device="cpu"))

    one = predictor.predict(SimpleITK.ReadImage(str(tmp_path / "a.nii")))
    other = predictor.predict(nibabel.load(tmp_path / "a.nii"))

    first = SimpleITK.GetArrayFromImage(one)
    assert np.array_equal(first, np.asarray(other.dataobj).transpose())
    assert len(np.unique(first)) > 1


def test_an_array_without_spacing_is_refused():
    with pytest.raises(UsageError, match="spacing="):
        toy.knowing(toy.plan()).predict(np.zeros((8, 8, 8)))


def test_pixels_need_no_spacing():
    labels = toy.blobs((16, 16))

    found = toy.knowing(toy.plan(2, unit="px")).predict(100 * labels)

    assert np.array_equal(found, labels)


@pytest.mark.parametrize("shape", [(2, 8, 8, 8), (8, 8), (1, 1, 8, 8, 8)])
def test_an_array_of_another_shape_is_refused(shape):
    with pytest.raises(UsageError, match="channel 0"):
        toy.knowing(toy.plan()).predict(np.zeros(shape), spacing=(1, 1, 1))


def test_what_is_no_image_is_refused():
    with pytest.raises(UsageError, match="no image"):
        toy.knowing(toy.plan()).predict({"image": 1})


def test_a_value_that_is_not_finite_is_reported():
    array = np.zeros((8, 8, 8), np.float32)
    array[1, 2, 3] = np.nan

    with pytest.raises(FormatError, match="NaN"):
        toy.knowing(toy.plan()).predict(array, spacing=(1, 1, 1))


def test_threads_share_a_predictor():
    predictor = Predictor(toy.model(toy.plan(), folds=2), Options(device="cpu"))
    arrays = [
        np.random.default_rng(i).normal(size=(10 + i, 12, 9)).astype(np.float32)
        for i in range(4)
    ]
    alone = [predictor.predict(a, spacing=(1, 1, 1)) for a in arrays]
    again = Predictor(predictor.model, Options(device="cpu"))
    found = {}

    def work(i):
        found[i] = again.predict(arrays[i], spacing=(1, 1, 1))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(np.array_equal(found[i], alone[i]) for i in range(4))


def test_exact_and_default_arithmetic_agree():
    plan = toy.plan(spacing=(1.3, 1.2, 1.1), patch=16)
    array = np.random.default_rng(0).normal(size=(30, 24, 28)).astype(np.float32)
    model = toy.model(plan, folds=2)

    default = Predictor(model, Options(device="cpu"))
    exact = Predictor(model, Options(device="cpu", exact=True))

    a = default.predict(array, spacing=(1, 1, 1))
    b = exact.predict(array, spacing=(1, 1, 1))
    assert len(np.unique(b)) > 1
    # Random weights decide by small margins everywhere; trained ones do not.
    assert np.mean(a != b) < 5e-3


def test_a_budget_that_cannot_be_kept_is_refused():
    predictor = toy.knowing(toy.plan(), max_memory=0.001)

    with pytest.raises(UsageError, match="GB"):
        predictor.predict_image(image_of(toy.blobs((12, 12, 12))))


@pytest.mark.parametrize(
    ("field", "value", "word"),
    [
        ("step_size", 0, "step size"),
        ("backend", "tensorrt", "backend"),
        ("precision", "int8", "precision"),
        ("max_memory", -1, "memory"),
        ("batch", 0, "batch"),
    ],
)
def test_options_that_cannot_be_are_refused(field, value, word):
    with pytest.raises(UsageError, match=word):
        Options(**{field: value})


@pytest.mark.parametrize(
    "mirrored, asked, told",
    [(False, True, True), (True, True, False), (False, None, False)],
)
def test_who_asks_for_mirrored_copies_is_told_that_there_are_none(
    mirrored, asked, told, caplog
):
    model = toy.model(toy.plan(mirror=mirrored))

    Predictor(model, Options(device="cpu", mirror=asked))

    assert ("no mirrored copies" in caplog.text) is told


def rising(x):
    """Answer "one" where an image gets brighter along its last axis, else not."""
    rise = torch.diff(x, dim=-1, append=x[..., -1:])
    return torch.cat([-rise, rise, torch.full_like(rise, -1e4)], dim=1)


@pytest.mark.parametrize("planned", [None, "LPS"])
def test_an_image_that_lies_in_another_way_is_turned_as_those_of_the_training(planned):
    plan = toy.plan(patch=8, mirror=False, orientation=planned)
    known = {"orientations": {"LPS": 5}}
    predictor = Predictor(
        replace(toy.model(plan), fingerprint=known), Options(device="cpu")
    )
    predictor._networks = [rising]
    image = image_of(np.random.default_rng(0).permutation(8 * 9 * 10).reshape(8, 9, 10))
    # The same patient in a file whose axis x runs the other way, and comes first.
    array = np.ascontiguousarray(image.array[..., ::-1].transpose(0, 3, 1, 2))
    direction = ((0, 0, -1), (1, 0, 0), (0, 1, 0))  # of x, y, z in world's rows
    other = image_of(array[0] / 100, direction=tuple(np.ravel(direction).tolist()))

    expected = predictor.predict_image(image)
    found = predictor.predict_image(other)

    assert orientation_of(other.geometry) == "PSR"
    assert 0.3 < expected.mean() < 0.7
    np.testing.assert_array_equal(found, expected[..., ::-1].transpose(2, 0, 1))


def test_what_does_not_say_how_its_axes_lie_is_never_turned():
    known = {"orientations": {"RAS": 5}}
    plan = toy.plan(patch=8, mirror=False)
    predictor = Predictor(
        replace(toy.model(plan), fingerprint=known), Options(device="cpu")
    )
    predictor._networks = [rising]
    array = np.random.default_rng(0).permutation(8 * 9 * 10).reshape(8, 9, 10)

    found = predictor.predict(100.0 * array[None], spacing=(1, 1, 1))

    inside = found[..., :-1] == 1
    np.testing.assert_array_equal(inside, np.diff(array, axis=-1) > 0)


def test_images_of_a_training_that_lay_in_several_ways_say_nothing():
    known = {"orientations": {"LPS": 5, "RAS": 3}}  # a plan of nobody's making
    model = replace(toy.model(toy.plan()), fingerprint=known)

    assert Predictor(model, Options(device="cpu")).model.plan.orientation is None


def test_exact_results_exclude_other_arithmetic():
    with pytest.raises(UsageError, match="fp32.*torch backend"):
        Options(exact=True, precision="bf16", backend="openvino")


def test_a_task_that_looks_at_neighbors_gets_all_outputs_at_once(monkeypatch):
    # The same task, but it does not say that it decides voxel by voxel.
    labels = toy.blobs((16, 18, 20))
    plan = toy.plan(spacing=(1.3, 1.2, 1.1), resampling=Resampling(image_order=1))
    predictor = toy.knowing(plan)
    by_rows = predictor.predict_image(image_of(labels))
    monkeypatch.setattr(type(predictor.task), "pointwise", None)
    seen = []
    decode = predictor.task.decode
    monkeypatch.setattr(
        predictor.task,
        "decode",
        lambda outputs, spacing: (
            seen.append((outputs["classes"].shape, spacing)) or decode(outputs, spacing)
        ),
    )

    whole = predictor.predict_image(image_of(labels))

    shape, spacing = seen[0]
    assert shape[0] == 3 and spacing == (1.0, 1.0, 1.0)
    assert np.mean(whole != by_rows) < 1e-3
