"""Models by name: kept with checksums, in one folder, from files and from https."""

import io
import json
import urllib.error
import zipfile
from email.message import Message

import pytest

import autoseg
from autoseg.errors import ModelError, UsageError
from autoseg.model.bundle import write_bundle
from autoseg.model.library import fetch, shelf
from autoseg.model.load import load_model
from autoseg.train.start.initialize import read_weights
from tests.predict import toy_model as toy


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder of the user."""
    monkeypatch.setenv("AUTOSEG_MODELS", str(tmp_path / "kept"))
    return tmp_path / "kept"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    path = tmp_path_factory.mktemp("made") / "Liver 2.zip"
    return write_bundle(toy.model(toy.plan()), path, license="CC0-1.0")


def _names():
    return [model.name for model in autoseg.models() if model.source]


def test_an_added_model_is_loaded_by_its_name(bundle, folder):
    added = autoseg.models("add", bundle)[0]

    assert added.name == "liver-2" and added.license == "CC0-1.0"
    assert load_model("liver-2").plan == load_model(bundle).plan
    assert read_weights("liver-2").keys() == load_model(bundle).weights[0].keys()
    assert sorted(p.name for p in folder.iterdir()) == ["liver-2.json", "liver-2.zip"]
    assert added.card.startswith("# Toy, net")


def test_a_file_of_that_name_that_is_a_model_comes_first(bundle, tmp_path, monkeypatch):
    autoseg.models("add", bundle, name="mine")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()  # pictures, say

    assert load_model("mine").source.endswith("mine.zip")

    write_bundle(toy.model(toy.plan(2)), tmp_path / "mine.zip")
    assert load_model("mine.zip").plan.dim == 2


@pytest.mark.parametrize(
    "name", ["../up", "a/b", "/abs", "..", "a..b", "", ".hid", "Big", "con", "a.zip"]
)
def test_no_name_leads_out_of_the_folder(bundle, folder, name):
    with pytest.raises(UsageError, match="cannot be a model's name"):
        autoseg.models("add", bundle, name=name)

    assert not folder.exists()
    assert shelf.find_named(name) is None


def test_a_file_that_was_exchanged_is_refused(bundle, folder):
    autoseg.models("add", bundle, name="mine")
    write_bundle(toy.model(toy.plan(2)), folder / "mine.zip")

    with pytest.raises(ModelError, match="its checksum differs"):
        load_model("mine")
    (folder / "mine.json").write_text("{}")
    assert "cannot be read" in autoseg.models("show", "mine")[0].problem


def test_what_is_no_whole_bundle_is_not_kept(bundle, folder, tmp_path):
    text, broken = tmp_path / "text.zip", tmp_path / "broken.zip"
    text.write_text("no zip")
    with zipfile.ZipFile(bundle) as whole, zipfile.ZipFile(broken, "w") as part:
        for name in whole.namelist():
            content = whole.read(name)
            part.writestr(name, content + b" " * (name == "plan.json"))

    with pytest.raises(ModelError, match="text.zip is no bundle"):
        autoseg.models("add", text)
    with pytest.raises(ModelError, match=r"broken.zip.*its checksum differs"):
        autoseg.models("add", broken)
    with pytest.raises(ModelError, match="has the SHA-256"):
        autoseg.models("add", bundle, sha256="0" * 64)
    with pytest.raises(UsageError, match="There is no file"):
        autoseg.models("add", tmp_path / "none.zip")
    assert list(folder.iterdir()) == []


def test_a_model_is_replaced_only_when_asked_and_removed(bundle, folder):
    autoseg.models("add", bundle, name="mine")

    with pytest.raises(UsageError, match="already"):
        autoseg.models("add", bundle, name="mine")
    autoseg.models("add", bundle, name="mine", overwrite=True)
    assert _names() == ["mine"]
    autoseg.models("remove", "mine")
    assert _names() == [] and list(folder.iterdir()) == []


def test_wrong_words_say_what_there_is(bundle):
    autoseg.models("add", bundle, name="mine")

    with pytest.raises(UsageError, match="did you mean 'remove'|remove"):
        autoseg.models("remov", "mine")
    with pytest.raises(UsageError, match="mine"):
        autoseg.models("show", "mime")
    with pytest.raises(UsageError, match="give a file"):
        autoseg.models("add")
    with pytest.raises(ModelError, match=r"no model of that name.*mine"):
        load_model("mime")


class Answer(io.BytesIO):
    """What a server sends."""

    def __init__(self, content, length):
        super().__init__(content)
        self.headers = {"Content-Length": str(length)}


def _serve(monkeypatch, content, length=None):
    asked = []

    def answer(address):
        asked.append(address)
        return Answer(content, len(content) if length is None else length)

    monkeypatch.setattr(fetch, "_answer", answer)
    return asked


def test_a_bundle_is_downloaded_and_its_secret_is_not_kept(
    bundle, folder, monkeypatch, caplog
):
    caplog.set_level("INFO")
    asked = _serve(monkeypatch, bundle.read_bytes())
    address = "https://me:secret@host/a/Liver.zip?token=secret"

    autoseg.models("add", address)

    assert asked == [address]
    assert json.loads((folder / "liver.json").read_text())["source"] == (
        "https://host/a/Liver.zip"
    )
    assert fetch.megabytes(bundle.stat().st_size) in caplog.text
    assert (folder / "liver.zip").read_bytes() == bundle.read_bytes()


def test_downloads_that_fail_say_so_and_leave_nothing(bundle, folder, monkeypatch):
    content = bundle.read_bytes()
    _serve(monkeypatch, content[:-5], len(content))
    with pytest.raises(ModelError, match="bytes arrived"):
        autoseg.models("add", "https://host/a.zip")
    _serve(monkeypatch, b"", fetch.MOST_BYTES + 1)
    with pytest.raises(ModelError, match="larger than"):
        autoseg.models("add", "https://host/a.zip")

    def missing(address):
        raise urllib.error.HTTPError(address, 404, "Not Found", Message(), None)

    monkeypatch.setattr(fetch, "_answer", missing)
    with pytest.raises(ModelError, match="answers 404"):
        autoseg.models("add", "https://host/a.zip")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "address", ["http://host/a.zip", "ftp://host/a.zip", "file://host/a.zip"]
)
def test_other_addresses_are_refused(address):
    with pytest.raises(UsageError, match="begin with https://"):
        autoseg.models("add", address)


def test_a_redirection_to_an_open_line_is_refused():
    import urllib.request

    request = urllib.request.Request("https://host/a.zip")
    with pytest.raises(UsageError, match="not https"):
        fetch._SecureOnly().redirect_request(
            request, None, 302, "Found", Message(), "http://host/a.zip"
        )


def test_a_file_address_is_a_file(bundle):
    autoseg.models("add", bundle.as_uri())

    assert _names() == ["liver-2"]


def test_weights_in_half_precision_compute_in_single(tmp_path):
    import dataclasses

    import torch

    model = toy.model(toy.plan(2))
    halves = {name: tensor.half() for name, tensor in model.weights[0].items()}
    small = dataclasses.replace(model, weights=(halves,))

    again = load_model(write_bundle(small, tmp_path / "half.zip")).weights[0]

    assert {tensor.dtype for tensor in again.values()} == {torch.float32}
    assert all(torch.equal(again[name], halves[name].float()) for name in halves)
