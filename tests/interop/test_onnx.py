"""Models as folders that predict without torch: networks, runner, sample."""

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import torch

from autoseg.blueprints.drawing import ACTIVATIONS, Drawing
from autoseg.blueprints.modules.module import DrawnNetwork
from autoseg.errors import UsageError
from autoseg.interop.onnx._layers import WRITERS
from autoseg.interop.onnx.folder import RUNNER, export_onnx, settings_of
from autoseg.interop.onnx.graph import to_onnx
from autoseg.networks import NETWORKS
from autoseg.predict.backends.base import build
from autoseg.predict.options import Options
from autoseg.predict.predictor import Predictor
from autoseg.predict.windows.tiling import importance_map
from autoseg.spec.choice import Choice
from autoseg.spec.plan import Channel
from planners.network import is_declared

from ..predict import toy_model as toy

# Kinds of layers that no ONNX is written for yet, and whose they are.
UNWRITTEN = {
    *("windows", "unwindows", "window_attention", "merge", "expand"),  # swin_*
    *("look", "scale"),  # primus, da_transunet
    *("rotate", "between_channels"),  # the one, the other
    *("causal", "scan", "steps"),  # u_mamba
}
FIRST = (
    "plain_unet",
    "residual_unet",
    "attention_unet",
    "unetpp",
    "mednext",
    "segnet",
    "unetr",
)


def drawn(name, dim):
    kind = NETWORKS[name]
    options, shape = kind.example(dim)
    return kind, options, kind.drawing(options, shape, 2, 3)


def test_every_layer_of_a_declared_network_is_written_or_known_to_be_missing():
    found = set()
    for name in filter(is_declared, NETWORKS.names()):
        for dim in (2, 3):
            drawing = drawn(name, dim)[2]
            wanted = drawing.finest_first()[0].logits
            found |= {layer.kind for layer in drawing.needed((wanted,))}

    assert found - set(WRITERS) <= UNWRITTEN


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_every_activation_is_written(act):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    drawing = Drawing(2, (4, 8), 2)
    x = drawing.act(drawing.image, act, name="act")
    drawing.head(x, name="head")
    network = DrawnNetwork(drawing, {"classes": 2}, False, divisor=(1, 1)).eval()
    weights = {key: value.numpy() for key, value in network.state_dict().items()}
    model = to_onnx(drawing, weights, False)

    session = runtime.InferenceSession(model.SerializeToString())
    image = torch.linspace(-8, 8, 64).view(1, 2, 4, 8)  # beyond both bends
    with torch.no_grad():
        wanted = network(image)["classes"].numpy()
    (found,) = session.run(None, {"image": image.numpy()})
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("name", FIRST)
def test_onnxruntime_gives_what_torch_gives(name, dim):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    kind, options, drawing = drawn(name, dim)
    torch.manual_seed(0)
    network = kind(2, {"classes": 3}, False, **options).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    weights = {key: value.numpy() for key, value in network.state_dict().items()}

    model = to_onnx(drawing, weights, kind.fixed_shape)

    session = runtime.InferenceSession(model.SerializeToString())
    sizes = (1,) if kind.fixed_shape else (1, 2)  # edges and batch are free
    for times in sizes:
        image = torch.randn(times, 2, *(times * n for n in drawing.image.shape))
        with torch.no_grad():
            wanted = network(image)["classes"].numpy()
        (found,) = session.run(None, {"image": image.numpy()})
        np.testing.assert_allclose(found, wanted, atol=1e-4 * np.abs(wanted).max())


def test_without_the_package_onnx_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setattr("autoseg.interop.onnx.graph.has_onnx", lambda: False)
    with pytest.raises(UsageError, match=r"pip install autoseg\[onnx\]"):
        to_onnx(drawn("plain_unet", 2)[2], {}, False)


# The runner ---------------------------------------------------------------------------


def test_the_runner_is_short_and_imports_numpy_and_onnxruntime_alone():
    lines = RUNNER.read_text().splitlines()
    imports = {line for line in lines if line.startswith(("import ", "from "))}

    assert len(lines) <= 80
    assert imports == {
        "import itertools, json, math, sys",
        "from pathlib import Path",
        "import numpy as np",
        "import onnxruntime",
    }


@pytest.fixture
def runner(tmp_path, monkeypatch):
    """Return the runner of a model, with torch in place of onnxruntime."""

    def made(model):
        settings = settings_of(model)
        bell = importance_map(tuple(model.settings.patch_size))
        (tmp_path / "settings.json").write_text(json.dumps(settings))
        np.save(tmp_path / "importance.npy", bell[None] if settings["flat"] else bell)
        (tmp_path / "run.py").write_text(RUNNER.read_text())
        fake = ModuleType("onnxruntime")

        class InferenceSession:
            def __init__(self, file):
                name = file.rpartition("network_")[2].removesuffix(".onnx")
                self.network = build(model, model.folds.index(name))

            def run(self, _, inputs):
                with torch.inference_mode():
                    heads = self.network(torch.from_numpy(inputs["image"]))
                return [torch.cat(list(heads.values()), 1).numpy()]

        fake.InferenceSession = InferenceSession
        monkeypatch.setitem(sys.modules, "onnxruntime", fake)
        spec = importlib.util.spec_from_file_location("run", tmp_path / "run.py")
        loaded = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
        return loaded

    return made


def channels(*names, **options):
    return tuple(
        Channel(name=str(i), normalizer=Choice(name=name, options=options))
        for i, name in enumerate(names)
    )


CT = {"mean": 90.0, "std": 70.0, "percentile_00_5": 10.0, "percentile_99_5": 180.0}


@pytest.mark.parametrize(
    ("plan", "folds", "shape", "spacing"),
    [
        # Cubic along all axes; two windows along two axes.
        (toy.plan(spacing=(1.0, 1.0, 1.0)), 1, (7, 9, 11), (1.5, 1.4, 0.9)),
        # A thick axis, which is not the first in files; two folds, two channels.
        (
            replace(
                toy.plan(transpose=(1, 0, 2), spacing=(4.0, 1.0, 1.0)),
                channels=channels("zscore", "rescale_to_0_1"),
            ),
            2,
            (10, 5, 9),
            (0.8, 5.0, 1.3),
        ),
        # Slices of a volume.
        (
            replace(toy.plan(network_dim=2), channels=channels("ct", **CT)),
            1,
            (3, 9, 12),
            (3.0, 1.1, 0.8),
        ),
        # Pictures, smaller than a window along one axis.
        (
            replace(toy.plan(dim=2), channels=channels(*["rgb_to_0_1"] * 3)),
            1,
            (5, 20),
            (1.0, 1.0),
        ),
    ],
    ids=["cubic", "thick", "slices", "picture"],
)
def test_the_runner_gives_the_labels_of_predict_exact(
    runner, plan, folds, shape, spacing
):
    model = toy.model(plan, folds=folds)
    rng = np.random.default_rng(1)
    image = rng.uniform(0, 200, (len(plan.channels), *shape)).astype(np.float32)
    image[:, 0] = 0  # is cut away

    found = runner(model).predict(image, spacing)

    exact = Predictor(model, Options(exact=True, device="cpu"))
    wanted = exact.predict(image, spacing)
    assert len(np.unique(wanted)) > 1
    assert found.shape == wanted.shape
    assert (found == wanted).mean() >= 0.9999


def test_regions_are_painted_by_the_runner(runner):
    labels = {"background": 0, "whole": [1, 2], "core": 2}
    plan = toy.plan(labels=labels, regions_class_order=[1, 2])
    model = toy.model(plan, dataset=toy.description(labels=labels))
    image = np.random.default_rng(0).uniform(0, 200, (1, 8, 8, 8)).astype(np.float32)

    found = runner(model).predict(image, (1.0, 1.0, 1.0))

    wanted = Predictor(model, Options(exact=True, device="cpu")).predict(
        image, (1.0, 1.0, 1.0)
    )
    assert len(np.unique(wanted)) > 1
    assert (found == wanted).mean() >= 0.9999


def test_what_the_runner_cannot_do_is_refused_with_the_reason(tmp_path):
    masked = replace(
        toy.plan(),
        channels=(Channel(name="0", normalizer=Choice(name="zscore"), masked=True),),
    )
    with pytest.raises(UsageError, match="inside of a mask.*takes any model"):
        settings_of(toy.model(masked))


def test_the_folder_predicts_by_itself_and_has_checksums(tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    model = toy.model(toy.plan(), folds=2)

    folder = export_onnx(model, tmp_path / "elsewhere")

    words = [sys.executable, "run.py", "sample_image.npz", "labels.npz"]
    code = "import sys; sys.modules['torch'] = None; sys.argv = sys.argv[1:]; "
    code += "import runpy; runpy.run_path(sys.argv[0], run_name='__main__')"
    subprocess.run([words[0], "-c", code, *words[1:]], cwd=folder, check=True)
    sums = (folder / "SHA256SUMS").read_text().splitlines()
    labels = np.load(folder / "labels.npz")["labels"]
    wanted = np.load(folder / "sample_labels.npz")["labels"]
    assert (labels == wanted).mean() >= 0.9999
    assert {line.split("  ")[1] for line in sums} >= {"run.py", "network_1.onnx"}
    assert "100.000%" in (folder / "README.md").read_text()
