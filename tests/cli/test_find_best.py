"""The command find_best: its flags reach the stage, and it prints what to do next."""

import shlex
from pathlib import Path

import pytest

from autoseg.cli.main import main
from autoseg.find_best.selection import Scored, Selection


@pytest.fixture
def called(monkeypatch):
    """What the stage is called with."""
    seen = {}
    scored = Scored(name="unet / 2d", mean=0.8, low=0.7, high=0.9)

    def find_best(dataset, root, **options):
        seen.update(dataset=dataset, **options)
        return Path("best/model.zip"), Selection(
            dataset="D",
            by="dice",
            unit="mm",
            cases=5,
            chosen="unet / 2d",
            models=(scored,),
            final=scored,
        )

    monkeypatch.setattr("autoseg.find_best.stage.find_best", find_best)
    return seen


def test_every_flag_reaches_the_stage(called, capsys):
    words = (
        "find_best D 2d 3d_fullres --by nsd --no-ensembles --no-postprocessing -o m.zip"
    )
    words += " --device cpu --license CC0 --workers 2"

    assert main(words.split()) == 0

    assert called == {
        "dataset": "D",
        "configurations": ["2d", "3d_fullres"],
        "by": "nsd",
        "ensembles": False,
        "postprocessing": False,
        "crf": False,
        "device": "cpu",
        "workers": 2,
        "output": Path("m.zip"),
        "overwrite": False,
        "license": "CC0",
    }
    printed = capsys.readouterr().out
    assert "autoseg predict -m best/model.zip -i IMAGES -o OUT" in printed
    assert "unet / 2d" in printed and "0.8000" in printed


def test_what_it_prints_can_be_pasted(called, capsys, tmp_path):
    folder = tmp_path / "My Data"
    (folder / "imagesTr").mkdir(parents=True)
    (folder / "dataset.json").write_text("{}")
    (folder / "imagesTr" / "a_0000.nii.gz").write_bytes(b"")

    assert main(["find_best", str(folder), "--root", str(tmp_path / "r o")]) == 0

    report, predict = capsys.readouterr().out.strip().splitlines()[-2:]
    words = shlex.split(report, comments=True)
    assert words == ["Next:", "autoseg", "report", str(folder), "--root",
                     str(tmp_path / "r o")]  # fmt: skip
    words = shlex.split(predict, comments=True)
    assert words == ["autoseg", "predict", "-m", "best/model.zip", "-i",
                     str(folder / "imagesTr"), "-o", "OUT"]  # fmt: skip


def test_without_a_data_set_it_asks_for_one(capsys):
    assert main(["find_best"]) == 2
    assert "which data set" in capsys.readouterr().err
