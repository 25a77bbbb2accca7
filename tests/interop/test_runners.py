"""Models as folders that predict without torch: runner, networks, sample."""

import importlib.util
import json
import runpy
import subprocess
import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import torch

from autoseg.errors import UsageError
from autoseg.interop.runners.folder import export_folder
from autoseg.interop.runners.runtimes import RUNTIMES
from autoseg.interop.runners.settings import settings_of
from autoseg.predict.backends.base import build
from autoseg.predict.options import Options
from autoseg.predict.predictor import Predictor
from autoseg.predict.windows.tiling import importance_map
from autoseg.spec.choice import Choice
from autoseg.spec.plan import Channel

from ..predict import toy_model as toy


@pytest.mark.parametrize("runtime", RUNTIMES.values(), ids=list(RUNTIMES))
def test_the_runner_is_short_and_imports_numpy_and_its_runtime_alone(runtime):
    lines = runtime.runner().splitlines()
    imports = {line for line in lines if line.startswith(("import ", "from "))}

    assert len(lines) <= 80
    assert imports == {
        "import itertools, json, math, pathlib, sys",
        "import numpy as np",
        f"import {runtime.package}",
    }


@pytest.fixture
def runner(tmp_path, monkeypatch):
    """Return the runner of a model, with torch in place of onnxruntime."""

    def made(model):
        settings = settings_of(model, ".onnx")
        bell = importance_map(tuple(model.settings.patch_size))
        (tmp_path / "settings.json").write_text(json.dumps(settings))
        np.save(tmp_path / "importance.npy", bell[None] if settings["flat"] else bell)
        (tmp_path / "run.py").write_text(RUNTIMES["onnx"].runner())
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
        settings_of(toy.model(masked), ".onnx")


@pytest.mark.parametrize("name", [n for n, one in RUNTIMES.items() if one.needs])
def test_without_its_packages_a_format_says_how_to_get_them(name, monkeypatch):
    monkeypatch.setattr("autoseg.interop.runners.runtimes.is_there", lambda _: False)
    needs = ",".join(RUNTIMES[name].needs)
    with pytest.raises(UsageError, match=rf'--format {name}.*"autoseg\[{needs}\]"'):
        export_folder(toy.model(toy.plan()), "nowhere", runtime=name)


def needed(runtime):
    """Skip a test where a package is missing that the runtime needs."""
    for package in (*runtime.needs, runtime.package):
        pytest.importorskip(package)
    return runtime


def without_torch(folder):
    """Return the labels of the sample by the folder's runner, torch being forbidden."""
    code = "import sys; sys.modules['torch'] = None; sys.argv = sys.argv[1:]; "
    code += "import runpy; runpy.run_path(sys.argv[0], run_name='__main__')"
    words = ["run.py", "sample_image.npz", "labels.npz"]
    subprocess.run([sys.executable, "-c", code, *words], cwd=folder, check=True)
    return np.load(folder / "labels.npz")["labels"]


@pytest.mark.parametrize("name", [n for n, one in RUNTIMES.items() if one.needs])
def test_the_folder_predicts_by_itself_and_has_checksums(name, tmp_path):
    runtime = needed(RUNTIMES[name])
    model = toy.model(toy.plan(), folds=2)

    folder = export_folder(model, tmp_path / "elsewhere", runtime=name)

    sums = (folder / "SHA256SUMS").read_text().splitlines()
    labels = without_torch(folder)
    wanted = np.load(folder / "sample_labels.npz")["labels"]
    networks = {f"network_1{ending}" for ending in runtime.endings}
    said = (folder / "README.md").read_text()
    assert (labels == wanted).mean() >= 0.9999
    assert {line.split("  ")[1] for line in sums} >= {"run.py", *networks}
    assert "100.000%" in said
    assert "all edges that the network can divide are free" in said


def test_programs_of_torch_predict_without_autoseg(tmp_path, monkeypatch):
    # Its process would import torch once more; what it imports is compared above.
    checked = "autoseg.interop.runners.folder.checked_by_runner"
    monkeypatch.setattr(checked, lambda *_: "checked")

    model = replace(toy.model(toy.plan()), fingerprint={"orientations": {"RAS": 9}})
    folder = export_folder(model, tmp_path, runtime="torch-export")

    words = ["sample_image.npz", "labels.npz"]
    monkeypatch.setattr(sys, "argv", ["run.py", *(str(folder / w) for w in words)])
    runpy.run_path(str(folder / "run.py"), run_name="__main__")
    labels, wanted = (
        np.load(folder / name)["labels"] for name in ("labels.npz", "sample_labels.npz")
    )
    assert len(np.unique(wanted)) > 1
    assert (labels == wanted).mean() >= 0.9999
    said = (folder / "README.md").read_text()
    assert "predicts without autoseg." in said
    assert "Axes are in the orientation RAS." in said  # of all training images
    assert "windows of [8, 8, 8] only, any number at once" in said


def test_a_program_of_torch_takes_any_number_of_windows(tmp_path):
    model = toy.model(toy.plan())
    RUNTIMES["torch-export"].write(model, 0, tmp_path / "network_0.pt2")
    windows = torch.rand(5, 1, 8, 8, 8)

    found = torch.export.load(tmp_path / "network_0.pt2").module()(windows)

    with torch.inference_mode():
        heads = build(model, 0)(windows)
    torch.testing.assert_close(found, torch.cat(list(heads.values()), 1))


def test_what_torch_cannot_capture_is_an_error_and_no_file(tmp_path, monkeypatch):
    class Asks(torch.nn.Module):
        def forward(self, batch):
            return {"a": batch if batch.sum() > 0 else -batch}

    module = "autoseg.interop.runners.runtimes.build"
    monkeypatch.setattr(module, lambda *_: Asks())

    with pytest.raises(UsageError, match="torch.export does not take the network"):
        RUNTIMES["torch-export"].write(toy.model(toy.plan()), 0, tmp_path / "a.pt2")
    assert not (tmp_path / "a.pt2").exists()


def test_a_network_without_onnx_is_written_for_openvino_as_torch_runs_it(
    tmp_path, monkeypatch
):
    needed(RUNTIMES["openvino"])
    kinds = lambda _: ["made up"]  # noqa: E731
    monkeypatch.setattr("autoseg.interop.runners.runtimes.unwritten", kinds)

    model = toy.model(toy.plan(dim=2, patch=16))
    folder = export_folder(model, tmp_path / "elsewhere", runtime="openvino")

    said = (folder / "README.md").read_text()
    assert "100.000%" in said
    assert "windows of [16, 16] only" in said
