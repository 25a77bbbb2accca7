import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from autoseg.errors import UsageError
from autoseg.report.compare.comparison import compare
from autoseg.report.compare.page import write_comparison
from autoseg.report.compare.runs import read_runs
from tests import toy
from tests.report import browser, results_folder

CASES = 7


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two folders of predictions, the second moved one voxel further in each case."""
    root = tmp_path_factory.mktemp("runs")
    dataset = toy.volumes(root / "Toy", cases=CASES, test=0)
    for name, by in (("near", 1), ("far", 2)):
        for number in range(CASES):
            labels = results_folder.moved(toy.labels_of(number), by)
            toy.write_nifti(root / name / f"case_{number:02d}.nii.gz", labels)
    return root, dataset


@pytest.fixture(scope="module")
def runs(folders):
    root, dataset = folders
    texts = [str(root / "far"), f"close={root / 'near'}"]
    return read_runs(texts, root / "scores", dataset=dataset, workers=1)


def test_predictions_are_scored_and_named(folders, runs):
    root, _ = folders

    assert [run.name for run in runs] == ["far", "close"]
    assert (root / "scores" / "far" / "summary.json").is_file()
    assert not (root / "far" / "summary.json").exists()


def test_the_better_run_is_found_in_words(runs):
    found = compare(runs)

    (sentence,) = found.sentences()
    assert found.measure == "dice" and len(found.cases) == CASES
    assert "close is better than far on these cases" in sentence
    assert f"better in {CASES}, worse in 0" in sentence
    assert found.ranks["close"] == [1.0, 0.0]


def test_lengths_count_the_other_way(runs):
    (pair,) = compare(runs, measure="hd95").pairs["mean over classes"]

    assert pair.better > 0 and pair.worse == 0


def test_the_page_opens_without_an_error_and_has_the_numbers(runs, tmp_path):
    page = tmp_path / "c.html"

    write_comparison(compare(runs, margin=0.5), page)

    content = json.loads(page.with_suffix(".json").read_text())
    assert [run["name"] for run in content["runs"]] == ["far", "close"]
    assert content["answers"][0]["word"] == "same"  # within so wide a margin
    assert len(content["pairs"]) == 3  # both classes, and all together
    assert browser.picture(page, tmp_path / "c.png") == []


def test_only_cases_that_all_runs_have_are_compared(folders, runs, tmp_path):
    root, dataset = folders
    few = tmp_path / "few"
    few.mkdir()
    for number in (0, 3):
        name = f"case_{number:02d}.nii.gz"
        (few / name).write_bytes((root / "near" / name).read_bytes())

    both = read_runs(
        [str(root / "far"), str(few)], tmp_path / "scores", dataset=dataset, workers=1
    )
    found = compare(both)

    assert found.cases == ("case_00", "case_03")
    assert found.left_out == {"far": CASES - 2, "few": 0}
    assert "too few" in found.sentences()[0]


def test_folds_of_a_configuration_are_pooled(tmp_path):
    results_folder.prepare(tmp_path, folds=2, cases=4)
    model = tmp_path / "results" / "Toy" / "unet" / "3d_fullres"

    pooled, one = read_runs([str(model), str(model / "fold_1")], tmp_path / "scores")

    assert list(pooled.summary.cases) == [f"case_{i:02d}" for i in range(4)]
    assert list(one.summary.cases) == ["case_01", "case_03"]


def test_predictions_without_scores_need_something_to_score_by(folders, tmp_path):
    root, _ = folders

    with pytest.raises(UsageError, match="-d"):
        read_runs([str(root / "far"), str(root / "near")], tmp_path)


@pytest.mark.parametrize("texts", [["one"], ["nowhere", "nothing"]])
def test_what_cannot_be_compared_is_refused(texts, tmp_path):
    with pytest.raises(UsageError):
        read_runs(texts, tmp_path)


def test_a_measure_that_a_run_lacks_is_refused(runs):
    with pytest.raises(UsageError, match="'pq'"):
        compare(runs, measure="pq")


def _points(folder, source, change):
    """Write the annotated points of the template, changed, as another tool would."""
    folder.mkdir()
    for file in sorted((source / "labelsTr").glob("*.json")):
        content = json.loads(file.read_text())
        change(content["points"])
        (folder / file.name).write_text(json.dumps(content))
    return str(folder)


@pytest.fixture
def landmarks(tmp_path):
    template = Path(__file__).parents[3] / "datasets_template" / "landmark"
    return shutil.copytree(template, tmp_path / "Points")


def test_landmarks_are_compared_by_their_errors(landmarks, tmp_path):
    def shift(by):
        def change(points):
            for place in filter(None, points.values()):
                place[0] += by

        return change

    folders = [
        _points(tmp_path / name, landmarks, shift(by))
        for name, by in (("far", 2.0), ("near", 0.5))
    ]

    found = compare(
        read_runs(folders, tmp_path / "scores", dataset=landmarks, workers=1)
    )

    (pair,) = found.pairs["mean over classes"]
    assert found.measure == "mre"
    # 1.5 voxels along x, whatever the case.
    spacing = found.values["near"]["case_01"] / 0.5
    assert pair.gain == pytest.approx(1.5 * spacing)
    assert (pair.better, pair.worse) == (6, 0)
    assert "near is better than far" in found.sentences()[0]


def test_a_tool_does_not_win_by_leaving_out_what_is_hard(landmarks, tmp_path):
    def all_a_bit_off(points):
        points["lobe_left"][0] += 1.0

    def without_the_lobe(points):
        del points["lobe_left"]

    folders = [
        _points(tmp_path / "honest", landmarks, all_a_bit_off),
        _points(tmp_path / "silent", landmarks, without_the_lobe),
    ]

    found = compare(
        read_runs(folders, tmp_path / "scores", dataset=landmarks, workers=1)
    )

    (pair,) = found.pairs["lobe_left"]
    assert (pair.better, pair.worse) == (0, 6)
    assert "silent is worse than honest" in found.sentences()[0]


def test_instances_are_compared_by_their_average_precision(tmp_path):
    from PIL import Image

    dataset = toy.describe(
        tmp_path / "Cells", task="instance", channel_names={"0": "gray"},
        labels={"background": 0, "cell": 1}, numTraining=CASES, file_ending=".png",
    )  # fmt: skip
    folders = {name: tmp_path / name for name in ("merged", "right")}
    for place in (dataset / "imagesTr", dataset / "labelsTr", *folders.values()):
        place.mkdir()
    for number in range(CASES):
        ids = np.zeros((24, 24), np.uint8)
        for k in range(4):
            ids[2 + 5 * k : 6 + 5 * k, 3 : 10 + number] = k + 1
        merged = np.where(ids == 2, 1, ids)  # two objects are taken for one
        name = f"case_{number}.png"
        Image.fromarray(ids).save(dataset / "labelsTr" / name)
        Image.fromarray(50 * ids).save(dataset / "imagesTr" / name)
        Image.fromarray(ids).save(folders["right"] / name)
        Image.fromarray(merged.astype(np.uint8)).save(folders["merged"] / name)

    texts = [str(folder) for folder in folders.values()]
    found = compare(read_runs(texts, tmp_path / "s", dataset=dataset, workers=1))

    # Merged: two of four objects are found at IoU 0.5 to 0.95, with one that is wrong;
    # the union of two equal ones has an IoU of exactly 1/2 with each, which is too low.
    # AP = 2 / (2 + 1 + 2).
    assert found.measure == "map"
    assert found.values["right"]["case_0"] == 1.0
    assert found.values["merged"]["case_0"] == pytest.approx(2 / 5)
    assert "right is better than merged" in found.sentences()[0]
