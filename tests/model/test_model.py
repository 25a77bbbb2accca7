"""A model is read from the folder that training made, and described."""

import shutil

import pytest
import torch

from autoseg.errors import ModelError, PlanError
from autoseg.model.chosen import checkpoint_name, choose_folds
from autoseg.model.load import load_model
from tests.predict import toy_model as toy


@pytest.fixture
def folder(tmp_path):
    return toy.saved(tmp_path, toy.plan(), folds=("0", "1", "all"))


def test_a_model_has_the_folds_that_are_there_but_for_all(folder):
    model = load_model(folder)

    assert (model.folds, model.configuration) == (("0", "1"), "net")
    assert model.plan == toy.plan()
    assert model.channels == ("channel 0",)


def test_all_is_used_if_it_is_asked_for_or_alone(folder):
    assert load_model(folder, folds=["all"]).folds == ("all",)

    shutil.rmtree(folder / "fold_0")
    shutil.rmtree(folder / "fold_1")

    assert load_model(folder).folds == ("all",)


def test_folds_are_given_in_the_order_asked_for(folder):
    model = load_model(folder, folds=[1, 0])

    assert model.folds == ("1", "0")
    same = torch.load(folder / "fold_1" / "checkpoint_final.pt", weights_only=True)
    name = "decoder.seg_layers.0.weight"
    assert torch.equal(model.weights[0][name], same["weights"][name])


def test_folds_are_sorted_by_number():
    assert choose_folds(["10", "9", "all"], None, "here") == ["9", "10"]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("final", "final"),
        ("checkpoint_best.pth", "best"),
        ("checkpoint_final.pt", "final"),
        ("checkpoint_best", "best"),
    ],
)
def test_checkpoints_have_many_names(given, name):
    assert checkpoint_name(given) == name


def test_a_configuration_is_chosen_below_a_plans_folder(folder):
    assert load_model(folder.parent, configuration="net").folds == ("0", "1")


def test_a_folder_of_several_models_says_which(folder):
    with pytest.raises(ModelError, match="Models in it: .*toy/net"):
        load_model(folder.parent)


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(ModelError, match="no such file"):
        load_model(tmp_path / "nothing")


def test_a_damaged_checkpoint_is_named(folder):
    (folder / "fold_1" / "checkpoint_final.pt").write_bytes(b"PK broken")

    with pytest.raises(ModelError, match="fold_1.checkpoint_final.pt is damaged"):
        load_model(folder)


def test_a_checkpoint_that_would_run_code_is_refused(folder):
    import pickle

    class Evil:
        def __reduce__(self):
            return (print, ("it ran",))

    path = folder / "fold_1" / "checkpoint_final.pt"
    torch.save({"weights": Evil()}, path, pickle_module=pickle)

    with pytest.raises(ModelError, match="fold_1"):
        load_model(folder)


def test_a_checkpoint_without_weights_is_refused(folder):
    torch.save({"state": 1}, folder / "fold_0" / "checkpoint_final.pt")

    with pytest.raises(ModelError, match="holds no weights"):
        load_model(folder)


def test_a_damaged_plan_is_named(folder):
    (folder / "plan.json").write_text("{")

    with pytest.raises(PlanError, match=r"plan.json is no JSON"):
        load_model(folder)


def test_the_first_stage_of_a_cascade_stands_beside(tmp_path):
    plan = toy.plan(cascade=True)
    toy.saved(tmp_path, plan, folds=("0", "1"))
    second = toy.saved(tmp_path, plan, folds=("1",), configuration="second")

    model = load_model(second)

    assert model.configuration == "second"
    assert (model.previous.configuration, model.previous.folds) == ("net", ("0", "1"))


def test_a_fold_that_only_the_second_stage_has_takes_all_of_the_first(tmp_path):
    plan = toy.plan(cascade=True)
    toy.saved(tmp_path, plan, folds=("0", "1"))
    second = toy.saved(tmp_path, plan, folds=("3",), configuration="second")

    model = load_model(second, folds=[3])

    assert (model.folds, model.previous.folds) == (("3",), ("0", "1"))


def test_images_are_read_as_the_training_data_says(tmp_path):
    folder = toy.saved(
        tmp_path,
        toy.plan(),
        ending="png",
        spacing=[2.0, 0.5, 0.5],
        unit="micron",
        overwrite_image_reader_writer="NibabelIOWithReorient",
        label_ending=".tif",
    )

    described = load_model(folder).describe()

    assert (described.image_ending, described.annotation_ending) == (".png", ".tif")
    assert (described.spacing, described.unit) == ((2.0, 0.5, 0.5), "um")
    assert described.format == "nibabel_ras"


def test_a_description_that_cannot_be_is_said(tmp_path):
    folder = toy.saved(tmp_path, toy.plan(), format="papyrus")

    with pytest.raises(ModelError, match="papyrus"):
        load_model(folder).describe()
