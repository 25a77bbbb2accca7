"""No command writes over a file that autoseg did not write."""

import json

import numpy as np
import pytest
from PIL import Image

from autoseg.cli.main import main
from tests import toy


def kept(capsys, path, *words):
    """Run a command that must refuse; return what it said."""
    before = path.read_bytes()
    assert main([*map(str, words)]) == 2
    assert path.read_bytes() == before
    said = capsys.readouterr().err
    assert str(path) in said and "Nothing was done" in said
    return said


@pytest.fixture
def mine(tmp_path):
    def write(name):
        path = tmp_path / "mine" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("years of work")
        return path

    return write


def label_maps(folder):
    folder.mkdir()
    for name in "ab":
        labels = np.zeros((8, 8), np.uint8)
        labels[2:5, 2:6] = 1
        Image.fromarray(labels).save(folder / f"{name}.png")
    return folder


def test_evaluate_keeps_the_summary_of_another_program(tmp_path, capsys):
    truth, found = label_maps(tmp_path / "truth"), label_maps(tmp_path / "found")
    summary = found / "summary.json"
    summary.write_text(json.dumps({"foreground_mean": {"Dice": 1.0}, "mean": {}}))
    words = ("evaluate", "-g", truth, "-p", found, "-l", "1", "-np", "1")

    assert "--overwrite" in kept(capsys, summary, *words)
    assert main([*map(str, words), "--overwrite"]) == 0
    assert main([*map(str, words)]) == 0  # it is autoseg's own now
    assert "schema" in json.loads(summary.read_text())


def test_evaluate_keeps_what_it_scores(tmp_path, capsys):
    truth, found = label_maps(tmp_path / "truth"), label_maps(tmp_path / "found")
    table = tmp_path / "table.csv"
    table.write_text("my own numbers")

    assert kept(
        capsys, table, "evaluate", "-g", truth, "-p", found, "-l", "1",
        "-o", tmp_path / "table.json",
    )  # fmt: skip


def test_export_and_import_keep_a_zip_of_something_else(mine, tmp_path, capsys):
    path = mine("model.zip")

    assert kept(capsys, path, "export", "-m", tmp_path / "model", "-o", path)
    assert kept(capsys, path, "import_nnunet", tmp_path / "model", "-o", path)


def test_import_keeps_the_model_that_it_reads(mine, capsys):
    path = mine("nnunet.zip")

    assert kept(capsys, path, "import_nnunet", path, "-o", path, "--overwrite")


def test_compare_keeps_a_page_of_something_else(mine, tmp_path, capsys):
    path = mine("page.html")

    assert kept(capsys, path, "compare", tmp_path / "a", tmp_path / "b", "-o", path)


def test_compare_keeps_the_scores_that_it_reads(tmp_path, capsys):
    scores = tmp_path / "page.json"
    scores.write_text('{"autoseg": "0.1.0", "schema": 1}')

    assert kept(
        capsys, scores, "compare", scores, tmp_path / "b",
        "-o", tmp_path / "page.html", "--overwrite",
    )  # fmt: skip


def test_report_and_find_best_keep_files_of_something_else(mine, tmp_path, capsys):
    folder, root = toy.volumes(tmp_path / "Toy", cases=2), tmp_path / "root"
    page, bundle = mine("page.html"), mine("best.zip")

    assert kept(capsys, page, "report", folder, "--root", root, "-o", page)
    assert kept(capsys, bundle, "find_best", folder, "--root", root, "-o", bundle)


def test_demo_keeps_a_picture_of_something_else(mine, capsys):
    path = mine("phantom.png")

    assert kept(capsys, path, "demo", "--quick", "--folder", path.parent)
