"""What is no honest model is refused in a sentence, whatever is wrong with it."""

import hashlib
import json
import pickle
import zipfile
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save

from autoseg.errors import AutosegError, ModelError
from autoseg.model.bundle import CARD, write_bundle
from autoseg.model.load import load_model
from autoseg.model.postprocessing import Postprocessing
from autoseg.spec.choice import Choice
from tests.predict import toy_model as toy

FINGERPRINT = {
    "dataset": "Toy",
    "unit": "mm",
    "channel_names": ["channel 0"],
    "num_cases": 2,
    "shapes": [[8, 8, 8], [9, 9, 9]],
    "spacings": [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]],
}


@pytest.fixture
def path(tmp_path):
    model = toy.model(toy.plan(), fingerprint=FINGERPRINT)
    return write_bundle(model, tmp_path / "model.zip")


def _with(path, compression=zipfile.ZIP_STORED, **contents):
    """Write files of a bundle anew, with right checksums; names have no ending."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files.pop("manifest.json"))
    for stem, content in contents.items():
        name = next((n for n in files if n.partition(".")[0] == stem), f"{stem}.json")
        files[name] = content
    manifest["sha256"] = {n: hashlib.sha256(c).hexdigest() for n, c in files.items()}
    files["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_the_honest_one_is_read_also_when_it_is_packed_again(path):
    _with(path, zipfile.ZIP_DEFLATED)

    assert load_model(path).fingerprint == FINGERPRINT


@pytest.mark.parametrize("name", ["plan", "dataset", "fingerprint", "postprocessing"])
@pytest.mark.parametrize(
    "content, word",
    [
        (b"[" * 100_000, "brackets without end"),
        (b'{"a": 1' + b"0" * 10_000 + b"}", "no JSON"),
        (b"[]", "holds a list"),
    ],
    ids=["brackets", "number", "list"],
)
def test_json_that_is_none_is_named(path, name, content, word):
    with pytest.raises(ModelError, match=rf"{name}\.json .*{word}"):
        load_model(_with(path, **{name: content}))


@pytest.mark.parametrize(
    "change",
    [{"spacings": 3}, {"shapes": [["a", 1, 1]]}, {"intensities": [1]}],
    ids=str,
)
def test_a_fingerprint_of_wrong_types_is_refused(path, change):
    content = json.dumps(FINGERPRINT | change).encode()

    with pytest.raises(ModelError, match=r"fingerprint\.json"):
        load_model(_with(path, fingerprint=content))


def test_options_that_a_task_does_not_have_are_refused(path):
    options = json.dumps({"task": {"decoder": "os.system"}}).encode()

    with pytest.raises(ModelError, match="semantic cannot be made.*decoder"):
        load_model(_with(path, postprocessing=options))


CELLS = {
    "labels": {"cell": 1},
    "representation": {"name": "border_core", "options": {"thickness": [2.0, 2.0]}},
    "axes": 2,
}


def _of(**options):
    return {"representation": {"name": "border_core", "options": options}}


@pytest.mark.parametrize("file", ["plan", "postprocessing"])
@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"labels": 1e300}, "labels: an object, got 1e"),
        ({"labels": {"cell": "1"}}, "labels: an object"),
        ({"labels": {"cell": 1}, "axes": [2]}, "axes: a whole number, got"),
        ({"representation": {"name": 3}}, "give the name of one"),
        ({"representation": {"name": "os.system"}}, "No representation is called"),
        ({"representation": {**_of()["representation"], "options": "x"}}, "give the n"),
        (_of(core="0.5", thickness=[2, 2]), "core: a number, got '0.5'"),
        (_of(core=None, thickness=[2, 2]), "core: a number, got null"),
        (_of(core=float("inf"), thickness=[2, 2]), "core: a number"),
        (_of(thickness=[2, 2], system="ls"), "system: no such option"),
    ],
    ids=lambda one: one[:12] if isinstance(one, str) else "",
)
def test_options_of_wrong_types_are_refused_before_a_case_is_read(
    tmp_path, file, change, word
):
    task = Choice(name="instance", options=CELLS)
    model = toy.model(replace(toy.plan(2, unit="px"), task=task))
    path = write_bundle(model, tmp_path / "model.zip")
    with zipfile.ZipFile(path) as archive:
        plan = json.loads(archive.read("plan.json"))
    content = {"classes": {}, "task": change}
    if file == "plan":
        content = plan
        content["task"]["options"] |= change

    with pytest.raises(AutosegError, match=word):
        load_model(_with(path, **{file: json.dumps(content).encode()}))


def test_a_decoder_that_does_not_exist_is_refused(tmp_path):
    task = Choice(name="landmark", options={"landmarks": ["tip", "root"]})
    model = toy.model(replace(toy.plan(), task=task))
    rules = Postprocessing(task={"decoder": "os.system"})
    path = write_bundle(replace(model, postprocessing=rules), tmp_path / "m.zip")

    with pytest.raises(ModelError, match="no decoder 'os.system'; there are"):
        load_model(path)
    assert load_model(write_bundle(model, path)).folds == ("0",)


def test_more_weights_than_the_network_has_are_not_even_unpacked(path):
    wide = save({"a": torch.zeros(2**20)})  # 4 MB; the network has 2,000 numbers

    with pytest.raises(ModelError, match=r"fold_0\.safetensors unpacks to \d+ bytes"):
        load_model(_with(path, zipfile.ZIP_DEFLATED, fold_0=wide))


def test_a_file_that_belongs_to_no_part_is_refused(path):
    with pytest.raises(ModelError, match=r"extra\.json belongs to no part"):
        load_model(_with(path, extra=b"{}"))


def test_complex_weights_are_refused(path, tmp_path):
    weights = {k: v.to(torch.complex64) for k, v in toy.weights(toy.plan()).items()}

    with pytest.raises(ModelError, match="fold 0: .* is no tensor of real numbers"):
        load_model(_with(path, fold_0=save(weights)))

    folder = toy.saved(tmp_path, toy.plan())
    torch.save({"weights": weights}, folder / "fold_0" / "checkpoint_final.pt")
    with pytest.raises(ModelError, match="is no tensor of real numbers"):
        load_model(folder)


def test_weights_that_are_no_numbers_are_refused(path, tmp_path):
    weights = toy.weights(toy.plan())
    name = max(weights, key=lambda key: weights[key].numel())
    weights[name].view(-1)[3] = torch.nan

    with pytest.raises(ModelError, match=f"{name} has values that are NaN"):
        load_model(_with(path, fold_0=save(weights)))

    folder = toy.saved(tmp_path, toy.plan())
    torch.save({"weights": weights}, folder / "fold_0" / "checkpoint_final.pt")
    with pytest.raises(ModelError, match="fold 0: .* has values that are NaN"):
        load_model(folder)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda w, name: w.pop(name), "is missing"),
        (lambda w, name: w.update(extra=torch.zeros(2)), "extra is unknown"),
        (
            lambda w, name: w.update({name: w[name].flatten()}),
            r"has the shape \(\d+,\)",
        ),
        (lambda w, name: w.update({name: torch.zeros(0)}), r"has the shape \(0,\)"),
    ],
    ids=["missing", "unknown", "flat", "empty"],
)
def test_weights_of_another_network_are_refused_as_a_model_is_read(path, change, word):
    weights = toy.weights(toy.plan())
    change(weights, max(weights, key=lambda key: weights[key].numel()))

    with pytest.raises(ModelError, match=rf"fold 0: .*do not fit.*{word}"):
        load_model(_with(path, fold_0=save(weights)))


class Attack:
    """Pickles to a call that would leave a mark."""

    def __reduce__(self):
        return print, ("it ran",)


def test_a_pickle_is_called_what_it_is(tmp_path, capsys):
    folder = toy.saved(tmp_path, toy.plan())
    path = folder / "fold_0" / "checkpoint_final.pt"
    torch.save({"weights": Attack()}, path, pickle_module=pickle)

    with pytest.raises(ModelError, match="would execute code.*Nothing of it has run"):
        load_model(folder)

    assert "it ran" not in capsys.readouterr().out


@pytest.mark.parametrize("file", ["checkpoint_latest.pt", "init.pt"])
def test_a_pickle_to_train_from_is_called_what_it_is(tmp_path, file):
    from autoseg.train.loop.checkpoint import load_state, load_weights

    torch.save({"weights": Attack()}, tmp_path / file, pickle_module=pickle)

    with pytest.raises(AutosegError, match="would execute code"):
        load_state(tmp_path) if "latest" in file else load_weights(tmp_path / file)


def test_the_card_of_a_fold_with_one_case_has_no_interval(tmp_path):
    folder = toy.saved(tmp_path, toy.plan())
    scores = {"mean": 0.8125, "low": None, "high": None, "count": 1}
    place = folder / "fold_0" / "validation"
    place.mkdir()
    (place / "summary.json").write_text(json.dumps({"foreground": {"dice": scores}}))

    path = write_bundle(load_model(folder), tmp_path / "model.zip")

    with zipfile.ZipFile(path) as archive:
        assert "| 0 | 0.8125 | unknown | 1 |" in archive.read(CARD).decode()
