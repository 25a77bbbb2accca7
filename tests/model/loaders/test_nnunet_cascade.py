"""A cascade of nnU-Net v2 runs from wherever it is, both stages by one call."""

import shutil
import zipfile

import numpy as np
import pytest
import torch

from autoseg import Predictor
from autoseg.cli.main import main
from autoseg.errors import AutosegError
from autoseg.model.bundle import write_bundle
from autoseg.model.load import load_model
from tests.model.loaders import nnunet_files as files

LAST = "nnUNetTrainer__nnUNetPlans__3d_cascade_fullres"
FIRST = "nnUNetTrainer__nnUNetPlans__3d_lowres"


@pytest.fixture
def results(tmp_path):
    return files.write_cascade(tmp_path / "Dataset900_Made")


def _zip(folder, path):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, f"{folder.name}/{file.relative_to(folder).as_posix()}")
    return path


def _labels(model):
    image = np.random.default_rng(3).normal(size=(13, 17, 11)).astype(np.float32)
    predictor = Predictor.load(model, device="cpu")
    return predictor.predict(image, spacing=(1.0, 1.0, 1.0))


def test_folder_zip_and_bundle_of_a_cascade_give_the_same_labels(results, tmp_path):
    bundle = write_bundle(load_model(results), tmp_path / "bundle.zip")
    wanted = _labels(results / LAST)

    assert len(np.unique(wanted)) > 1
    for model in (results, _zip(results, tmp_path / "export.zip"), bundle):
        assert np.array_equal(_labels(model), wanted), model


def test_the_second_stage_sees_what_the_first_one_found(results):
    before = _labels(results)
    content = files.checkpoint("3d_lowres")
    head = content["network_weights"]["decoder.seg_layers.0.bias"]
    head += torch.tensor([0.0, 100.0, 0.0])  # the first stage finds class a only
    torch.save(content, results / FIRST / "fold_0" / "checkpoint_final.pth")

    assert not np.array_equal(_labels(results), before)


def test_the_command_imports_a_cascade_with_its_first_stage(results, tmp_path, capsys):
    path = tmp_path / "imported.zip"

    assert main(["import_nnunet", str(results), "-o", str(path)]) == 0

    capsys.readouterr()
    model = load_model(path)
    assert model.configuration == "3d_cascade_fullres"
    assert model.previous.configuration == "3d_lowres"


def test_a_cascade_without_its_first_stage_names_it(results):
    shutil.rmtree(results / FIRST)

    with pytest.raises(AutosegError, match="3d_lowres"):
        _labels(results)
