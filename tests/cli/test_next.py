"""A bare `autoseg` says what may come next in the folder that it stands in."""

import json

import pytest

from autoseg.cli.main import main


@pytest.fixture
def said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def bare():
        assert main([]) == 0
        return capsys.readouterr().out

    return bare


def describe(folder):
    folder.mkdir(parents=True, exist_ok=True)
    raw = {"labels": {"background": 0, "a": 1}}
    (folder / "dataset.json").write_text(json.dumps(raw), encoding="utf-8")


def test_in_an_empty_folder_it_is_the_demo(said):
    assert "autoseg demo" in said()


def test_images_without_a_description_are_to_be_described(said, tmp_path):
    for part in ("images", "labels"):
        (tmp_path / "cells" / part).mkdir(parents=True)
        (tmp_path / "cells" / part / "a.png").touch()
    text = said()
    assert "2 images" in text and "autoseg init cells" in text


def test_a_data_set_is_to_be_run(said, tmp_path):
    describe(tmp_path / "cells")
    text = said()
    assert "autoseg run cells" in text and "init" not in text


def test_a_trained_one_has_a_page_and_predicts(said, tmp_path):
    describe(tmp_path / "cells")
    page = tmp_path / "autoseg_root" / "results" / "cells" / "report.html"
    page.parent.mkdir(parents=True)
    page.touch()
    text = said()
    assert "autoseg_root/results/cells/report.html" in text
    assert "--images NEW_IMAGES" in text
