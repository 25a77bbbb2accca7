"""The command `autoseg check`: what is printed, and the exit code."""

import json

import numpy as np
import pytest
from PIL import Image as Picture

from autoseg.cli.main import main


@pytest.fixture
def folder(tmp_path):
    """Make a data set of eight pictures."""
    folder = tmp_path / "toy"
    rng = np.random.default_rng(0)
    for sub in ("imagesTr", "labelsTr"):
        (folder / sub).mkdir(parents=True)
    for case in "abcdefgh":
        image = rng.integers(0, 255, (9, 8), dtype=np.uint8)
        Picture.fromarray(image).save(folder / "imagesTr" / f"{case}.png")
        Picture.fromarray(image // 128).save(folder / "labelsTr" / f"{case}.png")
    _describe(folder)
    return folder


def _describe(folder, **changes):
    description = {
        "channel_names": {"0": "gray"},
        "labels": {"background": 0, "cell": 1},
        "file_ending": ".png",
        **changes,
    }
    (folder / "dataset.json").write_text(json.dumps(description))


def test_a_good_data_set_gives_0_and_a_summary(folder, capsys):
    code = main(["check", str(folder)])

    out = capsys.readouterr().out
    assert code == 0
    assert "8 to train on" in out
    assert "9 x 8" in out
    assert "cell in 8 cases" in out
    assert "Nothing is wrong." in out


def test_an_error_gives_2_with_file_and_fix(folder, capsys):
    (folder / "labelsTr" / "b.png").unlink()

    code = main(["check", str(folder)])

    out = capsys.readouterr().out
    assert code == 2
    assert "ERROR  labelsTr/b.png" in out
    assert "Put it there" in out
    assert "Training would fail" in out


def test_a_warning_gives_0(folder, capsys):
    _describe(folder, numTraining=3)

    assert main(["check", str(folder)]) == 0
    assert "WARNING  dataset.json" in capsys.readouterr().out


def test_the_same_problem_of_many_files_is_said_once(folder, capsys):
    _describe(folder, labels={"background": 0, "cell": 1, "debris": 2})
    for case in "abcdefgh":
        array = np.array([[0, 1, 2, 9]], np.uint8)
        Picture.fromarray(np.resize(array, (9, 8))).save(
            folder / "labelsTr" / f"{case}.png"
        )

    main(["check", str(folder)])
    short = capsys.readouterr().out
    main(["check", str(folder), "--all"])
    full = capsys.readouterr().out

    assert short.count("The value 9") == 1
    assert "and 3 more" in short
    assert "labelsTr/h.png" in full and "labelsTr/h.png" not in short


def test_problems_that_differ_in_numbers_only_are_said_once_in_short(folder, capsys):
    for number, case in enumerate("abcdefgh"):
        array = np.zeros((9, 9 + number), np.uint8)
        Picture.fromarray(array).save(folder / "labelsTr" / f"{case}.png")

    main(["check", str(folder)])
    short = capsys.readouterr().out
    main(["check", str(folder), "--all"])
    full = capsys.readouterr().out

    assert short.count("is not that of the image") == 1
    assert "(9, 9)" in short and "The others are alike." in short
    assert full.count("is not that of the image") == 8


def test_faults_of_one_file_alone_are_said_one_by_one(folder, capsys):
    labels = {"background": 0, "WT": [1, 2, 3], "TC": [1, 2], "ET": 1}
    _describe(folder, labels=labels, regions_class_order=["3", "2", "1"])

    main(["check", str(folder)])

    printed = capsys.readouterr().out
    assert printed.count("ERROR  dataset.json\n") == 3
    assert all(f"paints '{value}', which is in no region" in printed for value in "321")


def test_a_name_in_root_and_several_data_sets(folder, tmp_path, capsys):
    root = tmp_path / "root"
    (root / "raw").mkdir(parents=True)
    folder.rename(root / "raw" / "Dataset007_Toy")

    code = main(["check", "7", "Dataset007_Toy", "--root", str(root), "--workers", "2"])

    assert code == 0
    assert capsys.readouterr().out.count("Data set Dataset007_Toy") == 2


def test_no_data_set_is_a_mistake_of_the_user(capsys):
    assert main(["check"]) == 2
    assert main(["check", "gone"]) == 2
    assert "gone" in capsys.readouterr().err


def test_a_dataset_json_that_is_no_json_gives_2(folder, capsys):
    (folder / "dataset.json").write_text("{")

    assert main(["check", str(folder)]) == 2
    assert "line 1" in capsys.readouterr().out


def test_files_of_annotations_are_called_as_they_lie_there(folder, capsys):
    for path in (folder / "labelsTr").iterdir():
        path.unlink()
    (folder / "labelsTr").rmdir()
    rows = "".join(f"{case},tip,{2 + i % 3},4\n" for i, case in enumerate("abcdefgh"))
    (folder / "labelsTr.csv").write_text("case,landmark,x,y\n" + rows)
    _describe(folder, task="landmark", landmarks=["tip"], labels={})

    assert main(["check", str(folder)]) == 0
    assert "images .png, annotations labelsTr.csv" in capsys.readouterr().out
