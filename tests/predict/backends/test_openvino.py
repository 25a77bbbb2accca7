"""OpenVINO is optional, and computes the same."""

import importlib.util

import numpy as np
import pytest
import torch

from autoseg.errors import UsageError
from autoseg.predict.backends import openvino as openvino_backend
from autoseg.predict.backends.base import build
from autoseg.predict.backends.openvino import OpenVinoNetwork
from autoseg.predict.backends.torch import TorchNetwork
from autoseg.predict.options import Options
from autoseg.predict.predictor import Predictor
from tests.predict import toy_model as toy

needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="openvino is not installed"
)


def test_without_openvino_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(openvino_backend, "is_installed", lambda: False)
    predictor = Predictor(
        toy.model(toy.plan()), Options(device="cpu", backend="openvino")
    )

    with pytest.raises(UsageError, match=r"pip install autoseg\[openvino\]"):
        predictor.networks()


def test_precisions_of_gpus_are_refused(monkeypatch):
    monkeypatch.setattr(openvino_backend, "is_installed", lambda: True)

    with pytest.raises(UsageError, match="fp32 or bf16"):
        OpenVinoNetwork(build(toy.model(toy.plan()), 0), 1, (8, 8, 8), "fp16")


@needs_openvino
def test_its_outputs_are_those_of_torch():
    model = toy.model(toy.plan(patch=16))
    batch = torch.randn((3, 1, 16, 16, 16), generator=torch.Generator().manual_seed(1))

    found = OpenVinoNetwork(build(model, 0), 1, (16, 16, 16))(batch)

    wanted = TorchNetwork(build(model, 0), torch.device("cpu"))(batch)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), wanted.numpy(), atol=2e-4)


@needs_openvino
def test_a_case_is_predicted_with_it():
    model = toy.model(toy.plan(patch=16, mirror=False))
    array = np.random.default_rng(0).normal(size=(20, 18, 24)).astype(np.float32)
    labels = {}

    for backend in ("torch", "openvino"):
        predictor = Predictor(model, Options(device="cpu", backend=backend))
        labels[backend] = predictor.predict(array, spacing=(1, 1, 1))

    assert len(np.unique(labels["torch"])) > 1
    assert np.mean(labels["torch"] != labels["openvino"]) < 1e-3
