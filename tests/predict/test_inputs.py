"""Tensors are understood, and axes in another order are noticed."""

import dataclasses
import logging

import numpy as np
import pytest
import torch

from autoseg.errors import UsageError
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
