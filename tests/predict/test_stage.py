"""From a folder of images to a folder of predictions."""

import dataclasses
import errno
import json
import os
from pathlib import Path

import blosc2
import nibabel
import numpy as np
import pytest
import torch
from PIL import Image as Picture

import autoseg
from autoseg.errors import CaseErrors, ModelError, UsageError
from autoseg.formats.names import segments_of
from autoseg.outputs import JOURNAL
from autoseg.predict.stage import predict
from tests.predict import toy_model as toy

AFFINE = np.array([[-1, 0, 0, 5], [0, -1, 0, -7], [0, 0, 1, 2], [0, 0, 0, 1.0]])


def write(path, labels, affine=AFFINE):
    """Write a NIfTI image with 100 times the labels (z, y, x)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.ascontiguousarray(100 * labels.astype(np.int16).transpose())
    nibabel.save(nibabel.Nifti1Image(array, affine), path)


def read(path):
    return np.asarray(nibabel.load(path).dataobj).transpose()


@pytest.fixture
def images(tmp_path):
    """Three images, of different shapes, in a folder."""
    truth = {}
    for number, shape in enumerate([(12, 14, 10), (9, 20, 13), (16, 8, 8)]):
        truth[f"case_{number}"] = toy.blobs(shape, seed=number)
        name = f"case_{number}_0000.nii.gz"
        write(tmp_path / "images" / name, truth[f"case_{number}"])
    return truth


@pytest.fixture
def predictor():
    return toy.knowing(toy.plan(patch=8, mirror=False))


@pytest.mark.parametrize(("readers", "writers"), [(1, 1), (0, 0), (2, 3)])
def test_a_folder_is_predicted(images, predictor, tmp_path, readers, writers):
    written = predict(
        predictor,
        tmp_path / "images",
        tmp_path / "out",
        readers=readers,
        writers=writers,
    )

    assert [path.name for path in written] == [f"{case}.nii.gz" for case in images]
    for case, labels in images.items():
        assert np.array_equal(read(tmp_path / "out" / f"{case}.nii.gz"), labels)


@pytest.mark.parametrize(("threads", "seen"), [(1, 1), (2, 2), (None, 3)])
def test_networks_are_computed_with_as_many_threads_as_asked_for(
    images, predictor, tmp_path, monkeypatch, threads, seen
):
    found, answer = set(), type(predictor).look

    def watched(self, *arguments, **options):
        found.add(torch.get_num_threads())
        return answer(self, *arguments, **options)

    monkeypatch.setattr(type(predictor), "look", watched)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        predict(predictor, tmp_path / "images", tmp_path / "out", threads=threads)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert found == {seen}


@pytest.mark.parametrize("crop", ["nonzero", "none"])
def test_what_is_0_around_an_image_is_looked_at_if_nothing_is_cropped(tmp_path, crop):
    image = np.zeros((12, 11, 10), np.uint8)
    image[:8, 2:, 1:9] = 1
    write(tmp_path / "in" / "a_0000.nii.gz", image)
    plan = dataclasses.replace(toy.plan(mirror=False), crop=crop)
    predictor = toy.knowing(plan, intensities=(100, 0, 200))  # class one is 0

    predict(predictor, tmp_path / "in", tmp_path / "out")

    found = read(tmp_path / "out" / "a.nii.gz")
    assert np.array_equal(found, (image == 0) * (crop == "none"))


def test_predictions_have_the_geometry_of_their_images(images, predictor, tmp_path):
    predict(predictor, tmp_path / "images", tmp_path / "out")

    image = nibabel.load(tmp_path / "images" / "case_0_0000.nii.gz")
    prediction = nibabel.load(tmp_path / "out" / "case_0.nii.gz")
    assert np.array_equal(prediction.affine, image.affine)
    assert prediction.header.get_zooms() == image.header.get_zooms()
    assert prediction.shape == image.shape


def test_segments_for_slicer_have_names(images, predictor, tmp_path):
    image = tmp_path / "images" / "case_0_0000.nii.gz"

    predict(predictor, image, tmp_path / "case_0.seg.nrrd")

    assert segments_of(tmp_path / "case_0.seg.nrrd") == {"one": 1, "two": 2}


def test_one_bad_case_does_not_cost_the_others(images, predictor, tmp_path):
    (tmp_path / "images" / "case_1_0000.nii.gz").write_bytes(b"no image")

    with pytest.raises(CaseErrors) as caught:
        predict(predictor, tmp_path / "images", tmp_path / "out")

    assert list(caught.value.failures) == ["case_1"]
    assert "case_1_0000.nii.gz (channel 0)" in str(caught.value)
    assert (caught.value.finished, caught.value.exit_code) == (2, 1)
    found = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert found == [JOURNAL, "case_0.nii.gz", "case_2.nii.gz"]


def test_a_case_that_fails_while_it_is_predicted_is_reported(
    images, predictor, tmp_path
):
    network = predictor._networks[0]
    write(tmp_path / "images" / "case_1_0000.nii.gz", 3 * images["case_1"])

    def failing(batch):
        if batch.max() > 200:
            raise RuntimeError("the network tripped")
        return network(batch)

    predictor._networks = [failing]

    with pytest.raises(CaseErrors, match="RuntimeError: the network tripped"):
        predict(predictor, tmp_path / "images", tmp_path / "out")

    found = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert found == [JOURNAL, "case_0.nii.gz", "case_2.nii.gz"]


def test_memory_that_runs_out_is_called_by_its_name(images, predictor, tmp_path):
    def greedy(batch):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    predictor._networks = [greedy]

    with pytest.raises(CaseErrors, match="out of memory.*--max-memory"):
        predict(predictor, tmp_path / "images", tmp_path / "out")


def test_a_folder_in_the_place_of_a_prediction_is_refused_before_anything(
    images, predictor, tmp_path
):
    (tmp_path / "out" / "case_1.nii.gz" / "a folder").mkdir(parents=True)

    with pytest.raises(UsageError, match="case_1.nii.gz: a folder"):
        predict(predictor, tmp_path / "images", tmp_path / "out")

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["case_1.nii.gz"]


def test_what_cannot_be_written_is_reported(images, predictor, tmp_path, monkeypatch):
    replace = os.replace

    def refused(source, target):
        if Path(target).name == "case_1.nii.gz":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        replace(source, target)

    monkeypatch.setattr(os, "replace", refused)

    with pytest.raises(CaseErrors, match="case_1"):
        predict(predictor, tmp_path / "images", tmp_path / "out")

    assert (tmp_path / "out" / "case_2.nii.gz").is_file()


def test_what_is_there_is_left_out_if_asked(images, predictor, tmp_path):
    out = tmp_path / "out"
    predict(predictor, tmp_path / "images", out, num_parts=2)
    before = (out / "case_0.nii.gz").stat().st_mtime_ns

    written = predict(predictor, tmp_path / "images", out, continue_prediction=True)

    assert len(written) == 3
    assert (out / "case_0.nii.gz").stat().st_mtime_ns == before
    assert (out / "case_1.nii.gz").is_file()


def test_parts_share_the_cases(images, predictor, tmp_path):
    names = []
    for part_id in range(2):
        written = predict(
            predictor,
            tmp_path / "images",
            tmp_path / "out",
            num_parts=2,
            part_id=part_id,
        )
        names.append([path.name for path in written])

    assert names == [["case_0.nii.gz", "case_2.nii.gz"], ["case_1.nii.gz"]]


def test_a_part_that_is_none_is_refused(images, predictor, tmp_path):
    with pytest.raises(UsageError, match="counted from 0"):
        predict(predictor, tmp_path / "images", tmp_path / "out", part_id=1)


def test_an_empty_folder_says_what_was_expected(predictor, tmp_path):
    (tmp_path / "images").mkdir()

    with pytest.raises(UsageError, match=r"CASE_0000.nii.gz \(channel 0\) or CASE.nii"):
        predict(predictor, tmp_path / "images", tmp_path / "out")


def test_a_missing_folder_is_named(predictor, tmp_path):
    with pytest.raises(UsageError, match="nowhere"):
        predict(predictor, tmp_path / "nowhere", tmp_path / "out")


def test_two_images_of_one_name_are_refused(images, predictor, tmp_path):
    folder = tmp_path / "images"
    other = tmp_path / "other" / "case_0.nii.gz"
    write(other, images["case_0"])

    with pytest.raises(UsageError, match="case_0: several"):
        predict(predictor, [folder / "case_0_0000.nii.gz", other], tmp_path / "out")


def test_one_file_goes_into_one_file(images, predictor, tmp_path):
    image = tmp_path / "images" / "case_1_0000.nii.gz"

    predict(predictor, image, tmp_path / "deep" / "mask.nii.gz")

    found = read(tmp_path / "deep" / "mask.nii.gz")
    assert np.array_equal(found, images["case_1"])


def test_several_cases_do_not_go_into_one_file(images, predictor, tmp_path):
    with pytest.raises(UsageError, match="do not fit into one file"):
        predict(predictor, tmp_path / "images", tmp_path / "mask.nii.gz")


def two_channels():
    """A predictor that must see both channels: the label is in the second."""
    plan = toy.plan(channels=2, mirror=False)
    found = toy.knowing(plan, dataset=toy.description(channels=2))
    found._networks = [lambda x: toy.nearest_label((0, 100, 200))(x[:, 1:])]
    return found


def test_channels_are_files_of_one_case(images, tmp_path):
    labels = images["case_0"]
    write(tmp_path / "two" / "a_0000.nii.gz", 0 * labels + 1)
    write(tmp_path / "two" / "a_0001.nii.gz", labels)

    predict(two_channels(), tmp_path / "two", tmp_path / "out")

    assert np.array_equal(read(tmp_path / "out" / "a.nii.gz"), labels)


def test_files_of_two_channels_can_be_listed(images, tmp_path):
    labels = images["case_0"]
    files = [tmp_path / "two" / f"a_000{i}.nii.gz" for i in range(2)]
    write(files[0], 0 * labels + 1)
    write(files[1], labels)

    predict(two_channels(), files, tmp_path / "out")

    assert np.array_equal(read(tmp_path / "out" / "a.nii.gz"), labels)


def test_a_missing_channel_names_the_files_expected(images, tmp_path):
    with pytest.raises(CaseErrors) as caught:
        predict(two_channels(), tmp_path / "images", tmp_path / "out")

    assert "case_0_0001.nii.gz (channel 1)" in str(caught.value)


def test_pictures_go_through(tmp_path):
    labels = toy.blobs((24, 30))
    (tmp_path / "images").mkdir()
    Picture.fromarray(100 * labels).save(tmp_path / "images" / "a.png")
    dataset = toy.description(".png")
    predictor = toy.knowing(toy.plan(2, unit="px", mirror=False), dataset=dataset)

    predict(predictor, tmp_path / "images", tmp_path / "out")

    found = np.asarray(Picture.open(tmp_path / "out" / "a.png"))
    assert np.array_equal(found, labels)


def test_predictions_of_lossy_pictures_are_png(tmp_path):
    (tmp_path / "images").mkdir()
    picture = Picture.fromarray(np.zeros((16, 16), np.uint8))
    picture.save(tmp_path / "images" / "a.jpg")
    dataset = toy.description(".jpg")
    predictor = toy.knowing(toy.plan(2, unit="px", mirror=False), dataset=dataset)

    written = predict(predictor, tmp_path / "images", tmp_path / "out")

    assert [path.name for path in written] == ["a.png"]


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.4, 1.2, 1.3)])
@pytest.mark.parametrize("in_memory", [True, False])
def test_probabilities_are_written_with_their_geometry(
    tmp_path, spacing, in_memory, monkeypatch
):
    if not in_memory:  # as of a large image
        monkeypatch.setattr("autoseg.predict.readouts.probabilities.IN_MEMORY", 0)
    labels = np.zeros((20, 24, 22), np.uint8)
    labels[4:16, 2:20, 5:21] = toy.blobs((12, 18, 16))  # a border to cut off
    write(tmp_path / "images" / "a.nii.gz", labels)
    plan = toy.plan(spacing=spacing, mirror=False, transpose=(2, 0, 1))
    predictor = toy.knowing(plan)
    network = predictor._networks[0]
    predictor._networks = [lambda x: network(x) / 20]

    for kind in ("b2nd", "npz"):
        predict(
            predictor,
            tmp_path / "images",
            tmp_path / "out",
            save_probabilities=kind,
        )

    small = blosc2.open(str(tmp_path / "out" / "a_probabilities.b2nd"))
    exact = np.load(tmp_path / "out" / "a.npz")["probabilities"]
    side_car = json.loads((tmp_path / "out" / "a_probabilities.json").read_text())
    assert small.shape == exact.shape == (3, 20, 24, 22)
    assert np.abs(small[:] * side_car["scale"] - exact).max() <= 0.5 / 255 + 1e-6
    assert side_car["origin"] == [-5.0, 7.0, 2.0]
    assert np.allclose(exact.sum(axis=0), 1, atol=1e-5)
    assert np.array_equal(exact.argmax(axis=0), read(tmp_path / "out" / "a.nii.gz"))
    assert np.all(exact[0, 0] == 1)  # outside the crop: background
    if spacing == (1.0, 1.0, 1.0):
        # Logits of label 1 are -|100 k - 100| / 20: -5, 0, -5.
        sure = 1 / (1 + 2 * np.exp(-5))
        np.testing.assert_allclose(exact[1][labels == 1], sure, rtol=1e-5)


def test_probabilities_of_another_kind_are_refused(images, predictor, tmp_path):
    with pytest.raises(UsageError, match="b2nd or npz"):
        predict(
            predictor, tmp_path / "images", tmp_path / "out", save_probabilities="jpg"
        )


def test_a_prediction_without_its_probabilities_is_not_done(
    images, predictor, tmp_path
):
    images, out = tmp_path / "images", tmp_path / "out"
    predict(predictor, images, out)

    predict(predictor, images, out, save_probabilities=True, continue_prediction=True)

    assert len(list(out.glob("*_probabilities.b2nd"))) == 3


def test_nothing_is_left_of_an_interrupted_case(images, predictor, tmp_path):
    predictor._networks = [lambda x: toy.nearest_label((0, 1, 2))(x) * float("nan")]

    with pytest.raises(CaseErrors, match="not finite"):
        predict(
            predictor, tmp_path / "images", tmp_path / "out", save_probabilities=True
        )

    assert [path.name for path in (tmp_path / "out").iterdir()] == [JOURNAL]


def cascade(tmp_path):
    from autoseg.predict.options import Options
    from autoseg.predict.predictor import Predictor

    plan = toy.plan(cascade=True, mirror=False)
    first = toy.model(plan)
    second = toy.model(plan, configuration="second", previous=first)
    found = Predictor(second, Options(device="cpu"))
    found.previous._networks = [toy.nearest_label((0, 100, 200))]
    # It swaps the labels of the stage before.
    found._networks = [
        lambda x: torch.cat([0.5 + 0 * x[:, :1], x[:, 2:3], x[:, 1:2]], dim=1)
    ]
    return found


def test_both_stages_of_a_cascade_run_from_one_call(images, tmp_path):
    predict(cascade(tmp_path), tmp_path / "images", tmp_path / "out")

    for case, labels in images.items():
        swapped = np.array([0, 2, 1])[labels]
        assert np.array_equal(read(tmp_path / "out" / f"{case}.nii.gz"), swapped)


def test_a_cascade_reads_given_predictions(images, predictor, tmp_path):
    predict(predictor, tmp_path / "images", tmp_path / "first")
    whole = cascade(tmp_path)
    whole.previous = None

    predict(whole, tmp_path / "images", tmp_path / "out", previous=tmp_path / "first")

    swapped = np.array([0, 2, 1])[images["case_2"]]
    assert np.array_equal(read(tmp_path / "out" / "case_2.nii.gz"), swapped)


def test_a_missing_prediction_of_the_stage_before_is_named(images, tmp_path):
    (tmp_path / "first").mkdir()

    with pytest.raises(CaseErrors, match="first/case_0.nii.gz is missing"):
        predict(
            cascade(tmp_path),
            tmp_path / "images",
            tmp_path / "out",
            previous=tmp_path / "first",
        )


def test_a_model_folder_predicts_as_its_folds_do(images, tmp_path):
    plan = toy.plan(mirror=False)
    folder = toy.saved(tmp_path, plan, folds=("0", "1"), seed=2)

    autoseg.predict(folder, tmp_path / "images", tmp_path / "out", device="cpu")
    one = autoseg.Predictor.load(folder, folds=[1], device="cpu")
    both = autoseg.Predictor.load(folder, device="cpu")

    image = tmp_path / "images" / "case_0_0000.nii.gz"
    expected = both.predict(image).labels
    assert np.array_equal(read(tmp_path / "out" / "case_0.nii.gz"), expected)
    assert one.model.folds == ("1",)
    assert not np.array_equal(one.predict(image).labels, expected)


def test_a_fold_that_is_not_there_is_named(tmp_path):
    folder = toy.saved(tmp_path, toy.plan())

    with pytest.raises(ModelError, match="no finished fold 3; it has 0"):
        predict(folder, tmp_path, tmp_path / "out", folds=[3])


def test_images_unlike_the_training_images_are_noticed(images, tmp_path, caplog):
    from dataclasses import replace

    predictor = toy.knowing(toy.plan(mirror=False))
    fingerprint = {
        "spacings": [[5.0, 1.0, 1.0], [6.0, 1.0, 1.0]],
        "shapes": [[10, 100, 100], [12, 100, 100]],
        "intensities": [{"percentile_00_5": -900, "percentile_99_5": -800}],
    }
    predictor.model = replace(predictor.model, fingerprint=fingerprint)

    predict(predictor, tmp_path / "images" / "case_0_0000.nii.gz", tmp_path / "out")

    text = caplog.text
    assert "case_0: its spacing is 1 x 1 x 1 mm" in text
    assert "less than half of the smallest" in text
    assert "channel 0 goes from 0 to 200" in text


def test_images_like_the_training_images_are_not_mentioned(images, tmp_path, caplog):
    from dataclasses import replace

    predictor = toy.knowing(toy.plan(mirror=False))
    fingerprint = {
        "spacings": [[1.0, 1.0, 1.0]],
        "shapes": [[12, 14, 10]],
        "intensities": [{"percentile_00_5": 100, "percentile_99_5": 200}],
    }
    predictor.model = replace(predictor.model, fingerprint=fingerprint)

    predict(predictor, tmp_path / "images" / "case_0_0000.nii.gz", tmp_path / "out")

    assert not [r for r in caplog.records if r.levelname == "WARNING"]
