"""Which images of a folder are predicted."""

import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image as Picture

from autoseg.errors import CaseErrors, UsageError
from autoseg.predict.predictor import Predictor
from autoseg.predict.stage import predict
from tests.predict import toy_model as toy

LABELS = toy.blobs((12, 14, 10))


def write(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        image = sitk.GetImageFromArray(100 * LABELS.astype(np.int16))
        sitk.WriteImage(image, str(folder / name))


@pytest.fixture
def predictor():
    return toy.knowing(toy.plan(mirror=False))


def test_images_of_several_endings_are_all_predicted(predictor, tmp_path):
    write(tmp_path / "x", "a.nii.gz", "b.nii", "c.nrrd", "d.mha", "e.mhd")

    written = predict(predictor, tmp_path / "x", tmp_path / "out")

    assert [path.name for path in written] == [f"{n}.nii.gz" for n in "abcde"]
    for path in written:
        assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(path)), LABELS)


@pytest.mark.parametrize(
    "names",
    [
        ("a.nii.gz", "a.nrrd"),
        ("a.nii.gz", "a.nii"),
        ("a_0000.nii.gz", "a_0000.mha"),
        ("a.nii.gz", "a_0000.nii.gz"),
    ],
)
def test_two_files_of_one_image_are_refused_by_name(predictor, tmp_path, names):
    write(tmp_path / "x", *names, "other.nii.gz")

    with pytest.raises(UsageError, match="several files of one image") as caught:
        predict(predictor, tmp_path / "x", tmp_path / "out")

    assert all(name in str(caught.value) for name in names)
    assert not (tmp_path / "out").exists()


def test_pictures_among_volumes_are_left_out_by_name(predictor, tmp_path, caplog):
    write(tmp_path / "x", "a.nii.gz")
    Picture.new("L", (4, 4)).save(tmp_path / "x" / "screenshot.png")

    written = predict(predictor, tmp_path / "x", tmp_path / "out")

    assert [path.name for path in written] == ["a.nii.gz"]
    assert "left out" in caplog.text and "screenshot.png" in caplog.text


def test_what_no_format_reads_and_folders_of_images_are_named(
    predictor, tmp_path, caplog
):
    x = tmp_path / "x"
    write(x, "a.nii.gz", "b.mhd")
    write(x / "more", "c.nii.gz")
    (x / "notes").mkdir()
    for name in (
        "p4.BRIK",
        "p4.HEAD",
        "d.MGZ",
        "e.npy",
        "readme.txt",
        "b.json",
        ".hid",
    ):
        (x / name).write_bytes(b"")
    predict(predictor, x / "a.nii.gz", x / "out")
    caplog.clear()

    written = predict(predictor, x, tmp_path / "out")

    assert [path.name for path in written] == ["a.nii.gz", "b.nii.gz"]
    messages = [record.getMessage() for record in caplog.records]
    files, folders = (m for m in messages if "left out" in m)
    assert files.startswith("4 files left out") and files.endswith(
        "d.MGZ, e.npy, p4.BRIK, p4.HEAD."
    )
    assert folders.startswith("1 folder with images") and "more. Predict" in folders


def test_a_folder_that_may_not_be_read_is_named(
    predictor, tmp_path, caplog, monkeypatch
):
    write(tmp_path / "x", "a.nii.gz")
    (tmp_path / "x" / "patient_2").mkdir()
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda p, *r: Path(p).name != "patient_2" and access(p, *r)
    )

    predict(predictor, tmp_path / "x", tmp_path / "out")

    assert "1 folder left out" in caplog.text and "permission denied" in caplog.text


NUMBERED = ("scan_0001.nii.gz", "scan_0002.nii.gz", "scan_0003.nii.gz")


@pytest.mark.parametrize("names", [NUMBERED, ("scan_0000.nii.gz", *NUMBERED)])
def test_images_numbered_as_channels_of_a_model_of_one_are_explained(
    predictor, tmp_path, names
):
    write(tmp_path / "x", *names)

    with pytest.raises(UsageError, match="rename them") as caught:
        predict(predictor, tmp_path / "x", tmp_path / "out")

    assert all(name in str(caught.value) for name in names[:3])


@pytest.mark.parametrize("name", ["a.hdr", "a.nhdr", "a.dcm"])
def test_a_file_that_is_not_written_is_refused_before_anything(
    predictor, tmp_path, name
):
    image = tmp_path / "x.nii.gz"
    image.touch()

    with pytest.raises(UsageError, match="read and not written.*nii.gz"):
        predict(predictor, image, tmp_path / name)


def test_files_numbered_as_channels_are_images_if_they_are_given(predictor, tmp_path):
    write(tmp_path / "x", *NUMBERED)

    files = [tmp_path / "x" / name for name in NUMBERED]
    written = predict(predictor, files, tmp_path / "out")

    assert [path.name for path in written] == list(NUMBERED)


def test_a_volume_for_a_model_of_pictures_is_called_that(tmp_path):
    flat = toy.knowing(toy.plan(dim=2, mirror=False))
    write(tmp_path / "x", "a.nii.gz")

    with pytest.raises(CaseErrors, match="volume of 12 x 14 x 10.*each slice"):
        predict(flat, tmp_path / "x", tmp_path / "out")


def test_a_path_is_no_model_and_the_way_to_load_one_is_said(tmp_path):
    with pytest.raises(UsageError, match="Predictor.load"):
        Predictor(tmp_path)


def test_a_folder_of_folders_says_which_there_are(predictor, tmp_path):
    (tmp_path / "x" / "patients").mkdir(parents=True)

    with pytest.raises(UsageError, match="only folders: patients"):
        predict(predictor, tmp_path / "x", tmp_path / "out")


def test_links_to_nothing_and_folders_called_like_images_are_no_silence(
    predictor, tmp_path, caplog
):
    x = tmp_path / "x"
    write(x, "a.nii.gz")
    (x / "b.nii.gz").symlink_to("/nowhere/b.nii.gz")
    (x / "c.nii.gz").mkdir()

    with pytest.raises(CaseErrors, match="b: .*link to /nowhere/b.nii.gz, which does"):
        predict(predictor, x, tmp_path / "out")

    assert (tmp_path / "out" / "a.nii.gz").is_file()
    assert "1 folder left out" in caplog.text and "c.nii.gz" in caplog.text
