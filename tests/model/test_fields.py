"""One table says where each field of a model lies."""

import dataclasses
import json
import zipfile

import pytest
import torch

from autoseg.errors import ModelError
from autoseg.landmarks.confidence import Confidence
from autoseg.model import fields
from autoseg.model.bundle import read_bundle, write_bundle
from autoseg.model.field_kinds import JsonFile
from autoseg.model.fields import FIELDS, NOT_STORED, parts
from autoseg.model.model import Model
from autoseg.model.postprocessing import Postprocessing, Rule
from autoseg.model.tensors import most_bytes
from tests.predict import toy_model as toy

RULES = Postprocessing(classes={"one": Rule(fill_holes=True)})


def _names(path):
    with zipfile.ZipFile(path) as archive:
        return archive.namelist(), json.loads(archive.read("manifest.json"))


def test_each_field_of_a_model_has_a_row_or_is_known_not_to_be_stored():
    names = {field.name for field in dataclasses.fields(Model)}

    assert set(FIELDS) | set(NOT_STORED) == names


def test_a_bundle_of_the_first_schema_has_what_it_always_had(tmp_path):
    model = toy.model(toy.plan(), folds=2)

    names, manifest = _names(write_bundle(model, tmp_path / "m.zip"))

    assert names == [
        "manifest.json",
        "plan.json",
        "dataset.json",
        "fold_0.safetensors",
        "fold_1.safetensors",
        "MODEL_CARD.md",
    ]
    assert manifest["schema"] == 1
    assert manifest["stages"] == {
        "": {
            "configuration": "net",
            "folds": ["0", "1"],
            "format": None,
            "origin": "autoseg",
        }
    }


def test_a_model_comes_first_then_its_stage_before_then_partners():
    one = toy.model(toy.plan())
    partner = dataclasses.replace(one, previous=one)
    whole = dataclasses.replace(one, previous=one, partners=(partner, one))

    assert [prefix for prefix, _ in parts(whole)] == [
        "",
        "previous/",
        "partner_1/",
        "partner_1/previous/",
        "partner_2/",
    ]


def test_all_parts_come_back(tmp_path):
    one = toy.model(toy.plan())
    partner = dataclasses.replace(one, previous=one, postprocessing=RULES)
    whole = dataclasses.replace(one, previous=one, partners=(partner, one))
    path = write_bundle(whole, tmp_path / "m.zip")

    again = read_bundle(path)

    assert _names(path)[1]["schema"] == 2
    assert [prefix for prefix, _ in parts(again)] == [p for p, _ in parts(whole)]
    assert again.partners[0].postprocessing == RULES
    assert again.partners[1].previous is None


def test_the_schema_is_the_lowest_that_can_say_it_also_of_a_partner():
    one = toy.model(toy.plan())
    learnt = Confidence(names=("a",), thresholds=(0.5,), doubtful=(0.6,), cases=3)
    sure = dataclasses.replace(one, confidence=learnt)

    assert fields.schema_of(one) == 1
    assert fields.schema_of(dataclasses.replace(one, previous=one)) == 1
    assert fields.schema_of(dataclasses.replace(one, postprocessing=RULES)) == 2
    assert fields.schema_of(dataclasses.replace(one, partners=(one,))) == 2
    assert fields.schema_of(sure) == 3
    assert fields.schema_of(dataclasses.replace(one, partners=(sure,))) == 3


def test_one_row_is_all_that_a_new_field_needs(tmp_path, monkeypatch):
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Wider(Model):
        notes: dict | None = None

    row = JsonFile(file="notes.json", load=lambda raw, where: raw, since=4)
    monkeypatch.setattr(fields, "Model", Wider)
    monkeypatch.setitem(FIELDS, "notes", row)
    monkeypatch.setitem(fields.DEFAULTS, "notes", None)
    monkeypatch.setattr("autoseg.model.bundle.SCHEMA", 4)
    plain = {
        field.name: getattr(toy.model(toy.plan()), field.name)
        for field in dataclasses.fields(Model)
    }

    path = write_bundle(Wider(**plain, notes={"by": "me"}), tmp_path / "m.zip")

    assert _names(path)[1]["schema"] == 4
    assert read_bundle(path).notes == {"by": "me"}
    assert fields.schema_of(Wider(**plain)) == 1


def test_weights_are_bounded_by_the_network_of_the_plan():
    of_plan = toy.plan()
    numbers = sum(tensor.numel() for tensor in toy.weights(of_plan).values())

    assert 8 * numbers < most_bytes(of_plan, "net") < 8 * numbers + 2**21


@pytest.mark.parametrize("folds", [[], ["0", "0"]])
def test_folds_that_make_no_sense_are_refused(tmp_path, folds):
    path = write_bundle(toy.model(toy.plan()), tmp_path / "m.zip")
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(contents["manifest.json"])
    manifest["stages"][""]["folds"] = folds
    contents["manifest.json"] = json.dumps(manifest)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)

    with pytest.raises(ModelError, match=r"manifest\.json: folds"):
        read_bundle(path)


def test_tensors_that_are_not_in_the_order_of_memory_come_back_right(tmp_path):
    """NumPy's writer of safetensors would scramble them without a word."""
    model = toy.model(toy.plan())
    turned = {
        name: tensor.transpose(0, 1).contiguous().transpose(0, 1)
        if tensor.dim() > 1
        else tensor
        for name, tensor in model.weights[0].items()
    }
    assert not all(tensor.is_contiguous() for tensor in turned.values())

    path = write_bundle(
        dataclasses.replace(model, weights=(turned,)), tmp_path / "m.zip"
    )

    again = read_bundle(path).weights[0]
    assert all(torch.equal(again[k], v) for k, v in model.weights[0].items())
