"""Models of nnU-Net v2 are read as they are, and nothing in them is executed."""

import json
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch

from autoseg.errors import ModelError
from autoseg.interop._checkpoint import load_checkpoint
from autoseg.interop._nnunet_plans import convert_plans
from autoseg.interop.nnunet import is_nnunet, load_nnunet
from autoseg.predict.model import load_model
from autoseg.spec.choice import Choice
from tests.interop import nnunet_files as files

NAME = "nnUNetTrainer__nnUNetPlans__3d_fullres"


@pytest.fixture
def folder(tmp_path):
    return files.write_model(tmp_path / NAME)


def test_a_model_folder_gives_plan_and_weights_of_its_checkpoint(folder):
    model = load_nnunet(folder)

    settings = model.settings
    assert (model.configuration, model.folds, model.format) == (
        "3d_fullres",
        ("0",),
        "itk",
    )
    assert settings.patch_size == (8, 8, 8)
    assert settings.mirror_axes == (0, 2)  # from the checkpoint, not from the plan
    assert settings.network.options["features"] == files.FEATURES
    head = files.weights()["decoder.seg_layers.0.weight"]
    assert torch.equal(model.weights[0]["decoder.seg_layers.0.weight"], head)


def test_no_tensor_is_kept_twice(folder):
    names = load_nnunet(folder).weights[0]

    assert not [n for n in names if "all_modules" in n or "decoder.encoder" in n]


def test_plans_of_the_old_style_mean_the_same(tmp_path):
    new = load_nnunet(files.write_model(tmp_path / "new" / NAME))
    old = load_nnunet(files.write_model(tmp_path / "old" / NAME, old_style=True))

    assert old.settings.network == new.settings.network


def test_an_exported_zip_is_read_without_unpacking(folder, tmp_path):
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*.*"):
            name = f"Dataset900_Made/{NAME}/{file.relative_to(folder).as_posix()}"
            archive.write(file, name)
    before = sorted(tmp_path.rglob("*"))

    model = load_model(path)

    assert model.settings == load_nnunet(folder).settings
    assert sorted(tmp_path.rglob("*")) == before


def test_a_results_folder_with_two_models_asks_which(folder, tmp_path):
    files.write_model(tmp_path / "nnUNetTrainer__nnUNetPlans__2d", dim=2)

    with pytest.raises(ModelError, match="choose one with -c"):
        load_nnunet(tmp_path)

    assert load_nnunet(tmp_path, configuration="2d").settings.dim == 2


def test_a_fold_that_is_missing_is_named(folder):
    with pytest.raises(ModelError, match=r"no fold 3; there is 0"):
        load_nnunet(folder, folds=[3])


def test_a_foreign_architecture_says_which_weights_do_not_fit(folder):
    content = files.checkpoint()
    content["network_weights"]["encoder.extra.weight"] = torch.zeros(3)
    content["network_weights"]["decoder.seg_layers.0.bias"] = torch.zeros(5)
    torch.save(content, folder / "fold_0" / "checkpoint_final.pth")

    with pytest.raises(ModelError) as error:
        load_nnunet(folder)

    assert "encoder.extra.weight is unknown" in str(error.value)
    assert "has shape (5,), the plan's network (3,)" in str(error.value)


def test_an_unknown_network_class_is_refused_by_name(folder):
    plans = files.plans()
    architecture = plans["configurations"]["3d_fullres"]["architecture"]
    architecture["network_class_name"] = "somewhere.Primus"
    (folder / "plans.json").write_text(json.dumps(plans))

    with pytest.raises(ModelError, match="no configuration with a known network"):
        load_nnunet(folder)


def test_inheritance_in_plans_is_resolved_and_circles_are_refused():
    plans = files.plans()
    base = plans["configurations"]["3d_fullres"]
    plans["configurations"]["big"] = {"inherits_from": "3d_fullres", "batch_size": 9}
    task = Choice(name="semantic", options={"labels": files.DATASET["labels"]})

    big = convert_plans(plans, files.DATASET, task).configurations["big"]

    assert (big.batch_size, big.patch_size) == (9, tuple(base["patch_size"]))
    plans["configurations"]["big"]["inherits_from"] = "big"
    with pytest.raises(ModelError, match="circle"):
        convert_plans(plans, files.DATASET, task)


def test_ct_normalization_carries_the_statistics_of_its_channel():
    plans = files.plans()
    configuration = plans["configurations"]["3d_fullres"]
    configuration["normalization_schemes"] = ["CTNormalization"]
    task = Choice(name="semantic", options={"labels": files.DATASET["labels"]})

    channel = convert_plans(plans, files.DATASET, task).channels[0]

    assert channel.normalizer.name == "ct"
    assert channel.normalizer.options == {
        "mean": 1.0,
        "std": 2.0,
        "percentile_00_5": -5.0,
        "percentile_99_5": 5.0,
    }


def test_numbers_of_numpy_in_a_checkpoint_come_back_as_plain_numbers(folder):
    content = load_checkpoint(folder / "fold_0" / "checkpoint_final.pth", "it")

    assert content["_best_ema"] == 0.75 and type(content["_best_ema"]) is float
    assert content["logging"]["dice_per_class_or_region"] == [[0.5, 0.25]]


class Attack:
    """Pickles to a call of os.system that leaves a file behind."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


def test_a_checkpoint_that_would_run_code_is_refused_and_does_not_run(folder, tmp_path):
    mark = tmp_path / "was_here"
    torch.save(
        files.checkpoint(extra=Attack(mark)), folder / "fold_0" / "checkpoint_final.pth"
    )

    with pytest.raises(ModelError, match="would execute code"):
        load_nnunet(folder)

    assert not mark.exists()


def test_a_bare_pickle_is_refused_and_does_not_run(folder, tmp_path):
    mark = tmp_path / "was_here"
    path = folder / "fold_0" / "checkpoint_final.pth"
    path.write_bytes(pickle.dumps({"network_weights": Attack(mark)}, protocol=2))

    with pytest.raises(ModelError, match="refused|damaged"):
        load_nnunet(folder)

    assert not mark.exists()


def test_an_array_of_objects_in_a_checkpoint_is_refused(folder):
    objects = np.array([{"a": 1}], dtype=object)
    torch.save(
        files.checkpoint(extra=objects), folder / "fold_0" / "checkpoint_final.pth"
    )

    with pytest.raises(ModelError, match="refused"):
        load_nnunet(folder)


def test_a_truncated_checkpoint_is_called_damaged(folder):
    path = folder / "fold_0" / "checkpoint_final.pth"
    path.write_bytes(path.read_bytes()[:2000])

    with pytest.raises(ModelError, match="damaged"):
        load_nnunet(folder)


def test_postprocessing_pickles_are_never_opened(folder, tmp_path):
    mark = tmp_path / "was_here"
    (folder / "postprocessing.pkl").write_bytes(pickle.dumps(Attack(mark)))

    load_nnunet(folder)

    assert not mark.exists()


def test_a_folder_of_something_else_is_no_model(tmp_path):
    (tmp_path / "plans.json").write_text("{}")

    assert not is_nnunet(tmp_path)
    with pytest.raises(ModelError, match="no model"):
        load_nnunet(tmp_path)


def test_outputs_may_be_resampled_in_another_way_than_images():
    plans = files.plans()
    made = plans["configurations"]["3d_fullres"]
    made["resampling_fn_probabilities"] = "resample_torch_fornnunet"
    made["resampling_fn_probabilities_kwargs"] = {"force_separate_z": False}
    task = Choice(name="semantic", options={"labels": files.DATASET["labels"]})

    resampling = convert_plans(plans, files.DATASET, task).configurations["3d_fullres"]
    resampling = resampling.resampling

    assert (resampling.method, resampling.output_method) == ("spline", "linear")
    assert resampling.separate_thick is None
    assert resampling.output_separate_thick is False


def test_pictures_have_two_axes():
    plans = files.plans(dim=2) | {"image_reader_writer": "NaturalImage2DIO"}
    task = Choice(name="semantic", options={"labels": files.DATASET["labels"]})

    assert convert_plans(plans, files.DATASET, task).transpose == (0, 1)
