"""A bundle is known by its manifest, and gives the folds that are asked for."""

import zipfile
from dataclasses import replace

import pytest

from autoseg.errors import ModelError
from autoseg.model.bundle import write_bundle
from autoseg.model.load import load_model
from autoseg.model.loaders import LOADERS
from tests.predict import toy_model as toy


@pytest.fixture
def path(tmp_path):
    return write_bundle(toy.model(toy.plan(), folds=3), tmp_path / "model.zip")


def test_a_zip_with_a_manifest_is_a_bundle_and_another_is_not(path, tmp_path):
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("plan.json", "{}")
    loader = LOADERS["bundle"]()

    assert loader.is_mine(path)
    assert not loader.is_mine(other)
    assert not loader.is_mine(tmp_path)


def test_folds_come_in_the_order_asked_for(path):
    assert load_model(path, folds=["2", 0]).folds == ("2", "0")


def test_its_own_configuration_may_be_named_and_no_other(path):
    assert load_model(path, configuration="net").folds == ("0", "1", "2")

    for wrong in ("nonsense", "../../x"):
        with pytest.raises(ModelError, match=f"a model of net, not of '{wrong}'"):
            load_model(path, configuration=wrong)


def test_one_configuration_of_an_average_cannot_be_had_alone(tmp_path):
    plan = toy.plan(cascade=True)
    joint = replace(
        toy.model(plan), partners=(toy.model(plan, configuration="second"),)
    )
    path = write_bundle(joint, tmp_path / "joint.zip")

    with pytest.raises(ModelError, match="averages net and second.*leave -c out"):
        load_model(path, configuration="net")
