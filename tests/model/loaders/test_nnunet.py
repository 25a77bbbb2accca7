"""Models of nnU-Net v2 are read as they are, and nothing in them is executed."""

import json
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch

from autoseg.errors import AutosegError, ModelError
from autoseg.model.load import load_model
from autoseg.model.loaders.nnunet.checkpoint import load_checkpoint
from autoseg.model.loaders.nnunet.plans import convert_plans
from autoseg.model.loaders.nnunet.read import is_nnunet, load_nnunet
from autoseg.spec.choice import Choice
from tests.model.loaders import nnunet_files as files

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


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer_state": {"state": {0: {"momentum_buffer": "ATTACK"}}}},
        {"logging": {"losses": [["ATTACK"]]}},
        {"network_weights": "ATTACK"},
        {"network_weights": {"encoder.weight": [1, 2]}},
        {"network_weights": {("a", "b"): torch.zeros(1)}},
        {"network_weights": {"encoder.weight": torch.zeros(2).to_sparse()}},
        {"network_weights": {"encoder.weight": torch.zeros(1).expand(2**40)}},
        {"inference_allowed_mirroring_axes": "abc"},
        {"inference_allowed_mirroring_axes": (0, 7)},
        {"init_args": {"configuration": "../../elsewhere"}},
    ],
    ids=str,
)
def test_a_crafted_checkpoint_is_refused_wherever_the_harm_is(
    folder, tmp_path, changes
):
    mark = tmp_path / "was_here"

    def armed(value):
        if isinstance(value, dict):
            return {key: armed(entry) for key, entry in value.items()}
        if isinstance(value, list):
            return [armed(entry) for entry in value]
        return Attack(mark) if isinstance(value, str) and value == "ATTACK" else value

    path = folder / "fold_0" / "checkpoint_final.pth"
    torch.save(files.checkpoint(**armed(changes)), path)

    with pytest.raises(AutosegError):
        load_nnunet(folder)

    assert not mark.exists()


@pytest.mark.parametrize("name", ["plans.json", "dataset.json"])
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(pickle.dumps([os.getcwd]), id="pickle"),
        pytest.param(b"[" * 100_000, id="brackets without end"),
        pytest.param(b'{"a": 1' + b"0" * 10_000 + b"}", id="a number without end"),
        pytest.param(b"{}", id="nothing"),
        pytest.param(b'{"labels": 3, "configurations": [1]}', id="other kinds"),
    ],
)
def test_json_that_is_none_or_holds_nonsense_is_refused(folder, name, content):
    (folder / name).write_bytes(content)

    with pytest.raises(AutosegError):
        load_nnunet(folder)


@pytest.mark.parametrize(
    "key, value",
    [
        ("n_stages", 10**9),
        ("n_stages", "two"),
        ("features_per_stage", [2**40, 2**41]),
        ("features_per_stage", [-1, 0]),
        ("strides", [[1, 1, 1], [0, 0, 0]]),
        ("norm_op", "os.system"),
        ("nonlin", "builtins.eval"),
    ],
)
def test_a_network_that_cannot_be_built_is_refused(folder, key, value):
    plans = files.plans()
    made = plans["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"]
    made[key] = value
    (folder / "plans.json").write_text(json.dumps(plans))

    with pytest.raises(AutosegError):
        load_nnunet(folder)


@pytest.mark.parametrize(
    "key, value",
    [
        ("spacing", [float("nan"), 1, 1]),
        ("spacing", None),
        ("patch_size", "big"),
        ("normalization_schemes", []),
        ("use_mask_for_norm", None),
        ("resampling_fn_data_kwargs", {"order": 99}),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(folder, key, value):
    plans = files.plans()
    plans["configurations"]["3d_fullres"][key] = value
    (folder / "plans.json").write_text(json.dumps(plans))

    with pytest.raises(AutosegError):
        load_nnunet(folder)


def test_an_unsafe_zip_says_what_is_unsafe(folder, tmp_path):
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*.*"):
            archive.write(file, f"{NAME}/{file.relative_to(folder).as_posix()}")
        info = zipfile.ZipInfo("x")
        info.filename = "../../evil"
        archive.writestr(info, "x")

    with pytest.raises(ModelError, match="'../../evil' leads outside"):
        load_model(path)


def test_a_predictions_ending_cannot_lead_out_of_its_folder(folder):
    said = files.DATASET | {"file_ending": "/../../evil.nii.gz"}
    (folder / "dataset.json").write_text(json.dumps(said))

    with pytest.raises(ModelError, match="must be the end of a file's name"):
        load_nnunet(folder).describe()


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


@pytest.mark.parametrize(
    "layer, slope",
    [
        ({"nonlin": "torch.nn.ReLU"}, 0.0),
        ({"nonlin_kwargs": {"inplace": True, "negative_slope": 0.2}}, 0.2),
    ],
)
def test_activation_and_norm_are_those_of_the_plans(layer, slope):
    plans = files.plans()
    made = plans["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"]
    made |= {**layer, "norm_op_kwargs": {"eps": 1e-3, "affine": True}}
    task = Choice(name="semantic", options={"labels": files.DATASET["labels"]})

    network = convert_plans(plans, files.DATASET, task).configurations["3d_fullres"]

    assert network.network.options["slope"] == slope
    assert network.network.options["eps"] == 1e-3


def test_an_activation_that_we_do_not_have_is_named():
    plans = files.plans()
    made = plans["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"]
    made["nonlin"] = "torch.nn.GELU"
    task = Choice(name="semantic", options={"labels": files.DATASET["labels"]})

    with pytest.raises(ModelError, match="activation 'GELU'"):
        convert_plans(plans, files.DATASET, task)


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


def test_pictures_in_medical_files_have_two_axes_too():
    # nnU-Net reads a NIfTI file of two axes as one slice, 999 times as thick as wide.
    flat = {
        "original_median_spacing_after_transp": [999 * 0.8, 0.5, 0.8],
        "original_median_shape_after_transp": [1, 240, 320],
    }
    task = Choice(name="semantic", options={"labels": files.DATASET["labels"]})

    def transpose(changes):
        plans = files.plans(dim=2) | flat | changes
        return convert_plans(plans, files.DATASET, task).transpose

    assert transpose({}) == (0, 1)
    assert transpose({"original_median_shape_after_transp": [9, 240, 320]}) == (0, 1, 2)
    thick = {"original_median_spacing_after_transp": [10.0, 0.5, 0.8]}
    assert transpose(thick) == (0, 1, 2)  # a single thick slice of a volume


def test_no_more_of_a_packed_checkpoint_is_unpacked_than_it_can_have(
    folder, tmp_path, monkeypatch
):
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("plans.json", "dataset.json"):
            archive.write(folder / name, f"{NAME}/{name}")
        # The network has some thousand numbers; deflate makes 4 kB of 4 MB of zeros.
        archive.writestr(f"{NAME}/fold_0/checkpoint_final.pth", b"\0" * 2**22)
    monkeypatch.setattr("autoseg.model.loaders.nnunet.read.MOST_LOG", 0)
    monkeypatch.setattr("autoseg.model.loaders.nnunet.read.MOST_COPIES", 1)

    with pytest.raises(ModelError, match=r"final\.pth unpacks to 4194304 bytes"):
        load_model(path)
