"""From a raw folder to predictions of one model by typing only what is printed."""

import json
import shlex

import pytest

from autoseg.cli.main import main
from tests import toy

HOW = (
    "--iterations 2 --device cpu --threads 1 --set network.features=[4,8,16] "
    "mirror_axes=[] train.augmentation=none train.iterations_per_epoch=2 "
    "train.validation_batches=1"
).split()


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder whose name has a space, as people's folders have."""
    place = tmp_path / "my data"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


def pasted(text):
    """Return the commands that a text says to go on with, as a shell takes them."""
    lines = text[text.index("Next: ") :].removeprefix("Next: ").splitlines()
    words = [shlex.split(line, comments=True) for line in lines]
    return [found[1:] for found in words if found[:1] == ["autoseg"]]


def test_six_commands_lead_from_a_raw_folder_to_predictions(place, capsys):
    folder = toy.volumes(place / "raw" / "Toy", cases=4, test=2)

    def run(words):
        assert main([str(word) for word in words]) == 0
        return capsys.readouterr().out

    where = [folder, "--root", "here"]
    _, *trainings = pasted(run(["plan_and_preprocess", *where]))
    assert [words[2:4] for words in trainings] == [
        ["2d", "all-folds"],
        ["3d_fullres", "all-folds"],
    ]
    ids = [f"case_{number:02d}" for number in range(4)]
    halves = [{"train": ids[:2], "val": ids[2:]}, {"train": ids[2:], "val": ids[:2]}]
    splits = place / "here" / "preprocessed" / "Toy" / "splits.json"
    splits.write_text(json.dumps(halves))  # two folds do here
    for words in trainings:
        said = run([*words, *HOW])
    (find_best,) = pasted(said)
    report, predict = pasted(run(find_best))
    run(report)
    run(predict)

    page = (place / "here" / "results" / "Toy" / "report.html").read_text()
    assert "The chosen model" in page and "ECE" in page
    predicted = sorted(path.name for path in (place / "OUT").glob("case_*"))
    assert predicted == ["case_04.nii.gz", "case_05.nii.gz"]
