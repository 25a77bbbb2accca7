"""`autoseg models` lists, adds, shows and removes models by name."""

import json

import pytest

from autoseg.cli.main import main
from autoseg.model.bundle import write_bundle
from tests.predict import toy_model as toy


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOSEG_MODELS", str(tmp_path / "kept"))
    return tmp_path / "kept"


def test_a_bundle_is_added_listed_shown_and_removed(tmp_path, capsys):
    path = write_bundle(toy.model(toy.plan()), tmp_path / "a.zip", license="CC0-1.0")

    assert main(["models", "add", str(path), "--name", "heart"]) == 0
    assert "autoseg predict -m heart" in capsys.readouterr().out
    assert main(["models"]) == 0
    listed = capsys.readouterr().out
    assert "heart" in listed and "CC0-1.0" in listed and str(path) in listed
    assert main(["models", "show", "heart"]) == 0
    assert capsys.readouterr().out.startswith("# Toy, net")
    assert main(["models", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["path"] for row in rows if row["name"] == "heart"] == [
        str(tmp_path / "kept" / "heart.zip")
    ]
    assert main(["models", "remove", "heart"]) == 0
    assert "heart is removed" in capsys.readouterr().out


def test_mistakes_are_one_message(tmp_path, capsys):
    assert main(["models", "add", str(tmp_path / "none.zip")]) == 2
    assert "There is no file" in capsys.readouterr().err
    assert main(["models", "sho", "a"]) == 2
    assert "show" in capsys.readouterr().err
