"""Images in memory are understood or refused; axes in another order are noticed."""

import dataclasses
import logging
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
import torch

from autoseg.errors import AutosegError, UsageError
from autoseg.formats.nibabel import from_nibabel
from autoseg.predict.inputs import seems_reversed
from autoseg.spec.image import Geometry
from tests.predict import toy_model as toy

KNOWN = {"spacings": [[3.0, 0.8, 0.8], [2.5, 0.7, 0.7]], "shapes": [[20, 256, 256]] * 2}


def _volume(spacing):
    return Geometry(shape=(8, 8, 8), spacing=spacing)


def test_a_tensor_gives_a_tensor():
    labels = toy.blobs((12, 12, 12))
    tensor = torch.from_numpy(100.0 * labels).half().requires_grad_()

    found = toy.knowing(toy.plan()).predict(tensor, spacing=(1, 1, 1))

    assert isinstance(found, torch.Tensor) and found.dtype == torch.int64
    assert np.array_equal(found.numpy(), labels)


@pytest.mark.parametrize(
    ("spacing", "fingerprint", "expected"),
    [
        ((0.8, 0.8, 3.0), KNOWN, True),
        ((3.0, 0.8, 0.8), KNOWN, False),
        ((1.0, 1.0, 1.0), KNOWN, False),
        ((0.8, 0.8, 3.0), {"spacings": [[1.0, 1.0, 1.0]]}, False),
        ((0.8, 0.8, 3.0), None, False),
    ],
    ids=["reversed", "as trained", "even", "training even", "nothing known"],
)
def test_thick_slices_tell_which_axis_is_which(spacing, fingerprint, expected):
    assert seems_reversed(_volume(spacing), fingerprint) is expected


def test_reversed_axes_are_warned_of_with_what_to_do(caplog):
    predictor = toy.knowing(toy.plan())
    predictor.model = dataclasses.replace(predictor.model, fingerprint=KNOWN)

    with caplog.at_level(logging.WARNING):
        predictor.predict(np.zeros((8, 8, 8), np.float32), spacing=(0.8, 0.8, 3.0))

    assert "Give array.T with spacing[::-1]" in caplog.text


def test_channels_that_come_last_are_named():
    predictor = toy.knowing(toy.plan(2, channels=3, unit="px"))

    with pytest.raises(UsageError, match=r"np\.moveaxis\(array, -1, 0\)"):
        predictor.predict(np.zeros((16, 16, 3), np.float32))


def _nibabel(labels, affine=None, **options):
    return nibabel.Nifti1Image(100.0 * labels.T, affine, dtype=np.float32, **options)


def test_an_image_of_nibabel_s_without_orientation_is_not_turned(caplog):
    labels = toy.blobs((12, 10, 8))
    predictor = toy.knowing(toy.plan(orientation="RAS"))
    predictor.model = dataclasses.replace(
        predictor.model, fingerprint={"orientations": {"RAS": 4}}
    )
    image = _nibabel(labels, np.diag([-1.0, -1, 1, 1]))
    image.set_qform(None, 0)
    image.set_sform(None, 0)
    seen = []
    asked = predictor.begin
    predictor.begin = lambda image, *rest, **more: (
        seen.append(image.geometry) or asked(image, *rest, **more)
    )

    with caplog.at_level(logging.WARNING):
        found = [predictor.predict(one) for one in (image, _nibabel(labels))]

    assert all(np.array_equal(np.asarray(f.dataobj).T, labels) for f in found)
    assert [geometry.oriented for geometry in seen] == [False, False]
    assert caplog.text.count("does not say how its axes lie") == 2


def test_an_image_of_nibabel_s_that_contradicts_itself_is_told(caplog):
    labels = toy.blobs((12, 12, 12))
    image = _nibabel(labels, np.diag([1.0, 1, 1, 1]))
    image.set_qform(np.diag([-1.0, -1, 1, 1]), 1)

    with caplog.at_level(logging.WARNING):
        toy.knowing(toy.plan()).predict(image)

    assert "its sform says the directions RAS and its qform LPS" in caplog.text


def test_colors_of_nibabel_s_are_channels():
    labels = toy.blobs((6, 7, 8))
    colors = np.zeros(labels.T.shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    colors["G"] = 100 * labels.T

    array, _ = from_nibabel(nibabel.Nifti1Image(colors, np.eye(4)), Path("image"))

    assert np.array_equal(array, [0 * labels, 100 * labels, 0 * labels])


def _label_map():
    return SimpleITK.LabelImageToLabelMap(SimpleITK.Image((4, 4, 4), 1))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (lambda: np.zeros((8, 8, 8), np.complex64), "the array holds complex numbers"),
        (lambda: np.zeros((8, 8, 8), str), "the array holds <U1, and no numbers"),
        (lambda: torch.zeros((8, 8, 8), dtype=torch.complex64), "complex numbers"),
        (lambda: SimpleITK.Image((8, 8, 8), SimpleITK.sitkComplexFloat32), "complex"),
        (_label_map, "LabelMapToLabelImage"),
        (
            lambda: nibabel.Nifti1Image(np.zeros((8, 8, 8), np.complex64), np.eye(4)),
            "the nibabel image holds complex numbers",
        ),
        (
            lambda: nibabel.Nifti1Image(np.zeros((8, 8, 8, 2, 3), "f4"), np.eye(4)),
            r"has the shape \(8, 8, 8, 2, 3\)",
        ),
        (lambda: [], "an empty list is no image"),
    ],
    ids=[
        "complex array", "text", "complex tensor", "complex of ITK", "label map of ITK",
        "complex of nibabel", "time and channels", "nothing",
    ],
)  # fmt: skip
def test_what_is_no_image_is_refused(image, message):
    with pytest.raises(AutosegError, match=message):
        toy.knowing(toy.plan()).predict(image(), spacing=(1, 1, 1))


@pytest.mark.parametrize("shift", [0, 0.05, 50])
def test_channels_that_lie_elsewhere_are_told(tmp_path, caplog, shift):
    labels = toy.blobs((6, 8, 10))
    for channel in range(2):
        affine = np.diag([-1.0, -1, 2, 1])
        affine[0, 3] = channel * shift
        nibabel.save(_nibabel(labels, affine), tmp_path / f"c_{channel:04d}.nii.gz")
    predictor = toy.knowing(toy.plan(channels=2, spacing=(2, 1, 1)))

    with caplog.at_level(logging.WARNING):
        predictor.predict([tmp_path / f"c_{channel:04d}.nii.gz" for channel in (0, 1)])

    told = "c_0001.nii.gz begins 50 voxels away from the first of its channels"
    assert (told in caplog.text) is (shift == 50)
    assert ("begins" in caplog.text) is (shift == 50)
