"""A folder that training made, or the folder of a plan with several of them."""

import pytest

from autoseg.errors import ModelError
from autoseg.model.load import load_model
from autoseg.model.loaders import LOADERS
from tests.predict import toy_model as toy


@pytest.fixture
def folder(tmp_path):
    return toy.saved(tmp_path, toy.plan(), folds=("0", "1"))


def test_a_model_and_the_folder_of_its_plan_are_known(folder):
    loader = LOADERS["folder"]()

    assert loader.is_mine(folder)
    assert loader.is_mine(folder.parent)
    assert not loader.is_mine(folder / "fold_0")
    assert not loader.is_mine(folder / "plan.json")


def test_its_own_configuration_may_be_named_and_no_other(folder):
    assert load_model(folder, configuration="net").folds == ("0", "1")

    for wrong in ("nonsense", "../../x"):
        with pytest.raises(ModelError, match=f"a model of net, not of '{wrong}'"):
            load_model(folder, configuration=wrong)


def test_of_several_models_one_has_to_be_chosen(folder):
    with pytest.raises(ModelError, match="Choose with -c. Models in it: .*toy/net"):
        load_model(folder.parent)
    with pytest.raises(ModelError, match="no model of 'nonsense'"):
        load_model(folder.parent, configuration="nonsense")


def test_a_model_that_was_moved_is_the_same_model(folder, tmp_path):
    elsewhere = folder.rename(tmp_path / "renamed")

    assert load_model(elsewhere).configuration == "net"
