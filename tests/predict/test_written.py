"""Predictions replace nothing that autoseg did not write."""

import hashlib
import json
import os

import nibabel
import numpy as np
import pytest
from PIL import Image as Picture

from autoseg.errors import UsageError
from autoseg.outputs import JOURNAL
from autoseg.predict.stage import predict
from tests.predict import toy_model as toy

AFFINE = np.diag([-1.0, -1, 1, 1])


def write(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.ascontiguousarray(100 * labels.astype(np.int16).transpose())
    nibabel.save(nibabel.Nifti1Image(array, AFFINE), path)
    return path


def read(path):
    return np.asarray(nibabel.load(path).dataobj).transpose()


def tree(folder):
    """Return a hash of every file in a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {p.name: hashlib.md5(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture
def predictor():
    """A predictor that must not be asked, until a test says that it may."""
    found = toy.knowing(toy.plan(mirror=False))
    answer, found.asked = found._networks[0], []

    def network(batch):
        found.asked.append(batch)
        return answer(batch)

    found._networks = [network]
    return found


LABELS = toy.blobs((12, 14, 10))


def refused(predictor, given, output, **options):
    """Predict in vain; return the message. No file changes, no window is predicted."""
    before = tree(output.parent)
    with pytest.raises(UsageError) as caught:
        predict(predictor, given, output, **options)
    assert tree(output.parent) == before
    assert not predictor.asked
    return str(caught.value)


@pytest.mark.parametrize("name", ["p.nii.gz", "p_0000.nii.gz"])
@pytest.mark.parametrize(
    "options",
    [{}, {"overwrite": True}, {"continue_prediction": True}],
    ids=["plain", "overwrite", "continue"],
)
def test_the_folder_of_the_images_is_no_place_for_predictions(
    predictor, tmp_path, name, options
):
    write(tmp_path / "x" / name, LABELS)

    text = refused(predictor, tmp_path / "x", tmp_path / "x", **options)

    assert "folder of the images" in text


def test_a_link_to_the_folder_and_another_spelling_are_the_same(predictor, tmp_path):
    write(tmp_path / "x" / "p.nii.gz", LABELS)
    (tmp_path / "link").symlink_to(tmp_path / "x")

    assert refused(predictor, tmp_path / "x", tmp_path / "link")
    assert refused(predictor, tmp_path / "x", tmp_path / "x" / ".." / "x")


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("link", [os.symlink, os.link, None])
def test_an_image_is_never_replaced(predictor, tmp_path, link, overwrite):
    image = output = write(tmp_path / "x" / "p.nii.gz", LABELS)
    if link is not None:
        output = tmp_path / "x" / "q.nii.gz"
        link(image, output)

    text = refused(predictor, image, output, overwrite=overwrite)

    assert str(output) in text


def test_files_that_are_given_are_not_replaced_in_their_folder(predictor, tmp_path):
    files = [write(tmp_path / "x" / f"{n}.nii.gz", LABELS) for n in "ab"]

    assert "a.nii.gz" in refused(predictor, files, tmp_path / "x")


def test_annotations_in_the_output_folder_are_kept(predictor, tmp_path):
    write(tmp_path / "x" / "p_0000.nii.gz", LABELS)
    drawn = write(tmp_path / "drawn" / "p.nii.gz", LABELS)

    text = refused(predictor, tmp_path / "x", tmp_path / "drawn")
    assert str(drawn) in text and "--overwrite" in text
    assert refused(
        predictor, tmp_path / "x", tmp_path / "drawn", continue_prediction=True
    )


def test_whoever_insists_replaces_them(predictor, tmp_path):
    write(tmp_path / "x" / "p_0000.nii.gz", LABELS)
    drawn = write(tmp_path / "drawn" / "p.nii.gz", 0 * LABELS)

    predict(predictor, tmp_path / "x", tmp_path / "drawn", overwrite=True)

    assert np.array_equal(read(drawn), LABELS)


@pytest.mark.parametrize("part", ["imagesTr", "labelsTr", "imagesTs"])
def test_folders_of_a_data_set_take_no_predictions(predictor, tmp_path, part):
    write(tmp_path / "x" / "new_0000.nii.gz", LABELS)
    (tmp_path / "Set" / part).mkdir(parents=True)
    (tmp_path / "Set" / "dataset.json").write_text("{}")

    text = refused(predictor, tmp_path / "x", tmp_path / "Set" / part)

    assert "belongs to the data set Set" in text


def test_own_predictions_are_replaced_without_a_word(predictor, tmp_path):
    write(tmp_path / "x" / "p_0000.nii.gz", 0 * LABELS)
    predict(predictor, tmp_path / "x", tmp_path / "out")
    write(tmp_path / "x" / "p_0000.nii.gz", LABELS)

    predict(predictor, tmp_path / "x", tmp_path / "out")

    assert np.array_equal(read(tmp_path / "out" / "p.nii.gz"), LABELS)


def test_a_prediction_that_was_corrected_by_hand_is_kept(predictor, tmp_path):
    write(tmp_path / "x" / "p_0000.nii.gz", LABELS)
    predict(predictor, tmp_path / "x", tmp_path / "out")
    predictor.asked.clear()
    write(tmp_path / "out" / "p.nii.gz", 1 - LABELS.clip(0, 1))

    assert "changed since" in refused(predictor, tmp_path / "x", tmp_path / "out")


def test_predictions_of_an_earlier_version_can_be_adopted(predictor, tmp_path):
    write(tmp_path / "x" / "p_0000.nii.gz", LABELS)
    predict(predictor, tmp_path / "x", tmp_path / "out")
    (tmp_path / "out" / JOURNAL).unlink()
    predictor.asked.clear()
    before = tree(tmp_path / "out")
    options = {"continue_prediction": True}

    assert refused(predictor, tmp_path / "x", tmp_path / "out", **options)
    predict(predictor, tmp_path / "x", tmp_path / "out", overwrite=True, **options)
    predict(predictor, tmp_path / "x", tmp_path / "out", **options)

    assert not predictor.asked
    (tmp_path / "out" / JOURNAL).unlink()
    assert tree(tmp_path / "out") == before


def test_a_prediction_does_not_replace_the_images_of_another_kind(tmp_path):
    # Predictions of .mhd images would take the voxels from under another header.
    import SimpleITK

    image = SimpleITK.GetImageFromArray(100 * LABELS.astype(np.int16))
    (tmp_path / "x").mkdir()
    SimpleITK.WriteImage(image, str(tmp_path / "x" / "p.mhd"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "p.raw").write_bytes(b"somebody's voxels")
    found = toy.knowing(
        toy.plan(mirror=False), dataset=toy.description(".mhd", label_ending=".mhd")
    )

    with pytest.raises(UsageError, match=r"p\.raw"):
        predict(found, tmp_path / "x", tmp_path / "out")


def test_side_cars_and_probabilities_are_files_too(predictor, tmp_path):
    write(tmp_path / "x" / "p_0000.nii.gz", LABELS)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "p_probabilities.json").write_text("{}")

    text = refused(predictor, tmp_path / "x", tmp_path / "out", save_probabilities=True)
    assert "p_probabilities.json" in text
    predict(predictor, tmp_path / "x", tmp_path / "out")  # that writes no such file


def test_the_side_car_of_a_picture_is_not_replaced_by_a_prediction(tmp_path):
    import tifffile

    labels = toy.blobs((24, 30))
    for name in ("x", "out"):
        (tmp_path / name).mkdir()
    tifffile.imwrite(tmp_path / "x" / "a_0000.tif", 100 * labels)
    side_car = tmp_path / "out" / "a.json"
    side_car.write_text(json.dumps({"spacing": [2, 2], "unit": "um"}))
    predictor = toy.knowing(
        toy.plan(2, unit="um", mirror=False), dataset=toy.description(".tif")
    )

    with pytest.raises(UsageError, match=r"a\.json"):
        predict(predictor, tmp_path / "x", tmp_path / "out")


def test_files_of_what_is_made_of_predictions_are_looked_at_first(predictor, tmp_path):
    write(tmp_path / "x" / "p_0000.nii.gz", LABELS)
    (tmp_path / "out").mkdir()
    preview = tmp_path / "out" / "p_preview.png"
    Picture.new("L", (2, 2)).save(preview)

    text = refused(
        predictor,
        tmp_path / "x",
        tmp_path / "out",
        after=lambda jobs, dataset: preview.write_bytes(b"ours"),
        after_files=lambda jobs: [preview],
    )

    assert "p_preview.png" in text
