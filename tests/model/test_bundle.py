"""A model in one file: complete, checked, without pickles."""

import dataclasses
import hashlib
import json
import zipfile

import pytest
import torch

from autoseg.errors import ModelError
from autoseg.model.bundle import CARD, MANIFEST, is_bundle, read_bundle, write_bundle
from autoseg.model.load import load_model
from autoseg.model.loaders.nnunet.read import load_nnunet
from autoseg.model.postprocessing import Postprocessing, Rule
from tests.model.loaders import nnunet_files as files


@pytest.fixture
def model(tmp_path):
    return load_nnunet(files.write_model(tmp_path / "T__P__3d_fullres"))


@pytest.fixture
def path(model, tmp_path):
    return write_bundle(model, tmp_path / "model.zip", license="CC0")


def _rewrite(path, change):
    """Write the zip again, its contents changed by a function of (name, content)."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            changed = change(name, content)
            if changed is not None:
                archive.writestr(name, changed)


def test_what_was_written_comes_back(model, path):
    again = load_model(path)

    assert is_bundle(path)
    assert (again.plan, again.configuration) == (model.plan, model.configuration)
    assert (again.folds, again.format) == (model.folds, model.format)
    assert again.origin == model.origin == "nnunet"
    assert again.dataset == model.dataset
    assert again.weights[0].keys() == model.weights[0].keys()
    assert all(torch.equal(again.weights[0][k], v) for k, v in model.weights[0].items())


def test_the_same_model_gives_the_same_bytes(model, path, tmp_path):
    again = write_bundle(model, tmp_path / "again.zip", license="CC0")

    assert again.read_bytes() == path.read_bytes()


def test_it_holds_text_and_tensors_only(path):
    with zipfile.ZipFile(path) as archive:
        endings = {name.rpartition(".")[2] for name in archive.namelist()}

    assert endings == {"json", "md", "safetensors"}


def test_the_card_says_what_it_is_and_under_which_license(path):
    with zipfile.ZipFile(path) as archive:
        card = archive.read(CARD).decode()

    assert "Dataset900_Made" in card and "CC0" in card and "5 cases" in card


@pytest.mark.parametrize("part", ["plan.json", "fold_0.safetensors", "dataset.json"])
def test_a_damaged_part_is_named(path, part):
    _rewrite(path, lambda name, c: c[:-1] + b"?" if name == part else c)

    with pytest.raises(ModelError, match=f"{part}.*damaged"):
        read_bundle(path)


@pytest.mark.parametrize("part", ["plan.json", "fold_0.safetensors"])
def test_a_missing_part_is_named(path, part):
    _rewrite(path, lambda name, c: None if name == part else c)

    with pytest.raises(ModelError, match=f"{part}.*missing"):
        read_bundle(path)


def test_a_part_that_nobody_vouches_for_is_refused(path):
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("extra.pkl", b"x")

    with pytest.raises(ModelError, match="extra.pkl is not in the manifest"):
        read_bundle(path)


def test_a_newer_schema_asks_for_an_update(path):
    def newer(name, content):
        if name != MANIFEST:
            return content
        return json.dumps({**json.loads(content), "schema": 99})

    _rewrite(path, newer)

    with pytest.raises(ModelError, match="schema 99.*Update autoseg"):
        read_bundle(path)


@pytest.mark.parametrize(
    "changes",
    [{"stages": None}, {"stages": []}, {"stages": {"": {}}}, {"sha256": ["a"]}],
    ids=str,
)
def test_a_manifest_that_makes_no_sense_is_refused(path, changes):
    def damage(name, content):
        if name != MANIFEST:
            return content
        return json.dumps(json.loads(content) | changes)

    _rewrite(path, damage)

    with pytest.raises(ModelError, match=MANIFEST):
        read_bundle(path)


def test_weights_that_are_none_are_named_even_with_a_right_checksum(path):
    junk = b"\x80\x04no tensors"
    sum_of_junk = hashlib.sha256(junk).hexdigest()

    def damage(name, content):
        if name == "fold_0.safetensors":
            return junk
        if name == MANIFEST:
            manifest = json.loads(content)
            manifest["sha256"]["fold_0.safetensors"] = sum_of_junk
            return json.dumps(manifest)
        return content

    _rewrite(path, damage)

    with pytest.raises(ModelError, match=r"fold_0\.safetensors is damaged"):
        read_bundle(path)


def test_a_truncated_file_is_refused(path):
    path.write_bytes(path.read_bytes()[:1000])

    with pytest.raises(ModelError):
        read_bundle(path)
    assert not is_bundle(path)


def test_a_cascade_brings_its_first_stage(model, tmp_path):
    from dataclasses import replace

    low = replace(model, folds=("1",))
    path = write_bundle(replace(model, previous=low), tmp_path / "cascade.zip")

    assert read_bundle(path).previous.folds == ("1",)


def test_the_card_shows_the_scores_of_the_validation(model, tmp_path):
    from dataclasses import replace

    folder = tmp_path / "results" / "fold_0" / "validation"
    folder.mkdir(parents=True)
    dice = {"mean": 0.8125, "low": 0.75, "high": 0.875, "count": 12}
    (folder / "summary.json").write_text(json.dumps({"foreground": {"dice": dice}}))
    scored = replace(model, source=str(tmp_path / "results"))

    with zipfile.ZipFile(write_bundle(scored, tmp_path / "scored.zip")) as archive:
        card = archive.read(CARD).decode()

    assert "| 0 | 0.8125 | 0.7500 to 0.8750 | 12 |" in card


def test_partners_and_rules_come_back(model, tmp_path):
    rules = Postprocessing(classes={"one": Rule(threshold=0.3)})
    joint = dataclasses.replace(model, partners=(model,), postprocessing=rules)

    again = read_bundle(write_bundle(joint, tmp_path / "joint.zip", notes="# Why"))

    assert again.postprocessing == rules
    (partner,) = again.partners
    assert (partner.plan, partner.folds) == (model.plan, model.folds)
    assert partner.weights[0].keys() == model.weights[0].keys()
    with zipfile.ZipFile(tmp_path / "joint.zip") as archive:
        assert json.loads(archive.read(MANIFEST))["schema"] == 2
        assert archive.read(CARD).decode().endswith("# Why")


def test_the_folds_of_an_average_cannot_be_chosen(model, tmp_path):
    joint = dataclasses.replace(model, partners=(model,))
    path = write_bundle(joint, tmp_path / "joint.zip")

    with pytest.raises(ModelError, match="leave -f out"):
        load_model(path, folds=["0"])
