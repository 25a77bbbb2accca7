"""Outputs that were kept are decoded as prediction does."""

from dataclasses import replace

import numpy as np
import pytest

from autoseg.predict.pipeline import Pipeline
from autoseg.predict.predictor import Predictor
from autoseg.predict.readouts.kept import KeptOutputs
from autoseg.predict.stage import predict
from autoseg.predict.windows.canvas import Canvas, cut_out
from autoseg.preprocess.case import prepare_image
from autoseg.spec.choice import Choice
from autoseg.spec.image import Geometry, Image
from tests.predict import toy_model as toy


def instance_plan(**change):
    options = {
        "labels": {"cell": 1},
        "representation": {"name": "border_core", "options": {"core": 0.3}},
        "axes": 3,
    }
    of_plan = toy.plan(3, orientation="LPS", transpose=(1, 0, 2), **change)
    return replace(of_plan, task=Choice(name="instance", options=options))


@pytest.mark.parametrize("axes", ["LPS", "RAI", "SRP"])
def test_what_is_cut_out_is_what_is_put_back(axes):
    directions = {
        "LPS": np.eye(3),
        "RAI": np.diag([-1.0, -1.0, 1.0]),
        "SRP": np.array([[0, -1.0, 0], [0, 0, 1], [1, 0, 0]]),
    }
    geometry = Geometry(
        shape=(8, 9, 10),
        spacing=(1.0, 1.0, 1.0),
        direction=tuple(map(float, directions[axes].ravel())),
        origin=(0.0,) * 3,
        unit="mm",
    )
    image = np.zeros((8, 9, 10), np.float32)
    image[2:6, 1:8, 3:9] = np.random.default_rng(0).random((4, 7, 6)) + 1
    found = Image(array=image[None], geometry=geometry)
    placement = prepare_image(found, instance_plan(), "net").placement
    values = np.arange(image.size).reshape(image.shape)

    cut = cut_out(values, placement)

    assert cut.shape == placement.cropped_shape != image.shape
    back = np.zeros_like(values)
    Canvas(back, placement).put(cut, 0, 0)
    assert np.array_equal(back, np.where(image > 0, values, 0))


def test_kept_outputs_are_decoded_to_what_prediction_writes(tmp_path):
    from tests import toy as data

    labels = toy.blobs((10, 12, 14))
    for number in range(2):
        data.write_nifti(tmp_path / "in" / f"c{number}_0000.nii.gz", 100.0 * labels)
    of_plan = instance_plan(spacing=(1.0, 0.9, 1.0))
    predictor = Predictor(toy.model(of_plan))
    predict(predictor, tmp_path / "in", tmp_path / "out", progress=False)
    kept = KeptOutputs(tmp_path / "kept", predictor.task)
    pipeline = Pipeline(predictor=predictor, kept=kept, show=False)

    predict_kept(pipeline, tmp_path)

    for number in range(2):
        array, placement = kept.open(f"c{number}")
        assert array.dtype == np.float16 and array.shape[0] == 3
        found, _ = kept.decode(f"c{number}", predictor.task)
        written = data_of(tmp_path / "out" / f"c{number}.nii.gz")
        assert np.array_equal(found.labels, written)
        assert written.any()
    made = {path.name for path in (tmp_path / "kept").iterdir()}
    assert made == {f"c{i}_outputs.{e}" for i in (0, 1) for e in ("b2nd", "json")}
    assert not (tmp_path / "none").exists()  # no prediction in their place


def predict_kept(pipeline, folder):
    from autoseg.predict.cases import find_jobs

    jobs = find_jobs(folder / "in", folder / "none", pipeline.predictor.model)
    pipeline.run(jobs)


def data_of(path):
    import SimpleITK

    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))


def test_outputs_older_than_the_network_are_not_taken(tmp_path):
    import os

    task = Predictor(toy.model(instance_plan())).task
    kept = KeptOutputs(tmp_path / "kept", task)
    checkpoint = tmp_path / "checkpoint.pt"
    checkpoint.touch()
    with kept.sink("a") as sink:
        geometry = Geometry(shape=(2, 2, 2), spacing=(1.0,) * 3, unit="mm")
        image = Image(array=np.ones((1, 2, 2, 2), np.float32), geometry=geometry)
        sink.open(prepare_image(image, instance_plan(), "net").placement)

    assert kept.has("a", checkpoint) and not kept.has("b", checkpoint)
    os.utime(checkpoint, ns=(0, 2**62))
    assert not kept.has("a", checkpoint)


def test_a_case_that_fails_leaves_nothing(tmp_path):
    kept = KeptOutputs(tmp_path, Predictor(toy.model(instance_plan())).task)

    with pytest.raises(ZeroDivisionError), kept.sink("a"):
        raise ZeroDivisionError

    assert not list(tmp_path.iterdir())
