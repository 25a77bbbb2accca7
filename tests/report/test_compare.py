import json

import pytest

from autoseg.errors import UsageError
from autoseg.report.compare import compare, write_comparison
from autoseg.report.runs import read_runs
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
