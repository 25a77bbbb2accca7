"""Predictions whose honesty is known: do the numbers say so?"""

import json
import os
import re
import shlex
import time

import blosc2
import numpy as np
import pytest

from autoseg.landmarks.confidence import learn
from autoseg.landmarks.evidence import Evidence
from autoseg.model.confidence import Learnt
from autoseg.report.kinds.instances import fitted_apart, read_scores, score_pairs
from autoseg.report.kinds.points import describe_errors, thresholds_of
from autoseg.report.reliability import coverage, reliability, tally
from autoseg.report.stage import report
from autoseg.spec.instances import Instances
from autoseg.train.after.results import Fold, Trained
from tests import toy
from tests.report import results_folder


def said_and_seen(*groups):
    """Return the tally of one case: so many with this probability, so many right."""
    said = np.concatenate([np.full(n, p) for p, n, _ in groups])
    seen = np.concatenate([np.arange(n) < right for _, n, right in groups])
    return tally(said, seen.astype(float))


def test_probabilities_that_come_true_have_no_error():
    found = reliability(said_and_seen((0.8, 10, 8), (0.25, 40, 10))[None])

    assert found["error"] == pytest.approx(0)
    assert found["bias"] == pytest.approx(0)
    assert [part["said"] for part in found["bins"]] == pytest.approx([0.25, 0.8])


def test_the_error_is_the_mean_distance_weighted_by_how_much_is_in_a_bin():
    found = reliability(said_and_seen((0.95, 10, 5), (0.15, 30, 9))[None])

    # 10 of 40 are off by 0.45 (too sure), 30 of 40 by 0.15 (not sure enough).
    assert found["error"] == pytest.approx(0.25 * 0.45 + 0.75 * 0.15)
    assert found["bias"] == pytest.approx(0.25 * 0.45 - 0.75 * 0.15)
    assert [part["seen"] for part in found["bins"]] == pytest.approx([0.3, 0.5])
    assert np.isnan(found["low"])  # one case is no witness


def test_the_interval_comes_from_cases_that_differ():
    good, poor = said_and_seen((0.8, 10, 8)), said_and_seen((0.8, 10, 2))

    alike = reliability(np.stack([good] * 6))
    mixed = reliability(np.stack([good, poor] * 3))

    assert alike["low"] == alike["high"] == pytest.approx(0)
    assert mixed["low"] < mixed["error"] < mixed["high"]
    assert mixed["error"] == pytest.approx(0.3)  # half right where 80 % were promised


def test_nothing_counted_is_no_curve():
    assert reliability(np.zeros((3, 10, 3))) is None
    assert coverage(np.full((3, 2), np.nan)) is None


def test_the_share_of_errors_within_their_radius_leaves_out_unknown_ones():
    found = coverage(np.array([[1.0, 1.0], [0.0, np.nan]]))

    assert found["seen"] == pytest.approx(2 / 3) and found["count"] == 3


def test_an_instance_has_the_iou_of_the_one_of_its_class_that_it_fits_best():
    truth = Instances(np.array([[1, 1, 1, 1, 2, 2, 0, 0, 0, 3]], np.int32), {3: 2})
    found = Instances(np.array([[7, 7, 7, 0, 0, 8, 0, 9, 0, 5]], np.int32))

    pairs = score_pairs(found, truth, {7: 0.9, 8: 0.6, 9: 0.3, 5: 0.2})

    # 5 lies on an instance of another class, 9 on none.
    expected = {0.9: 3 / 4, 0.6: 1 / 2, 0.3: 0.0, 0.2: 0.0}
    assert {s: i for s, i in pairs.tolist()} == pytest.approx(expected)


def test_scores_are_shown_as_other_cases_calibrate_them():
    def case(right):
        rows = np.full((40, 3), 0.9)
        rows[:, 2] = np.arange(40) < right
        return rows

    # Of each other case half is right, whatever the score said.
    found = fitted_apart([case(40), *[case(20)] * 4])

    assert found[0].mean() == pytest.approx(0.5, abs=0.01)
    assert found[1].mean() == pytest.approx(100 / 160, abs=0.01)
    assert fitted_apart([case(40)])[0].tolist() == [0.9] * 40  # nobody says anything


def test_instances_without_a_score_are_left_out(tmp_path):
    table = tmp_path / "a_instances.csv"
    table.write_text("id,class,score\n1,cell,0.5\n2,cell,\n")

    assert read_scores(table) == {1: 0.5}


def test_radii_are_judged_by_how_many_errors_they_hold():
    errors = np.array([[1.0, 4.0], [3.0, 8.0], [np.nan, 2.0], [2.0, 30.0]])
    radii = np.stack([np.full((4, 2), 2.0), np.full((4, 2), 10.0)], axis=2)

    found = describe_errors(["tip", "root"], radii, errors)

    # Seven errors: 1, 2, 2 within the first radius; all but 30 within the second.
    assert found["coverage"]["50"]["seen"] == pytest.approx(3 / 7)
    assert found["coverage"]["95"]["seen"] == pytest.approx(6 / 7)
    assert found["classes"]["tip"]["50"]["seen"] == pytest.approx(2 / 3)
    assert found["classes"]["tip"]["made"] == 2.0
    assert found["correlation"] is None  # all expected the same


def test_expectations_that_rank_errors_rightly_correlate_with_them():
    errors = np.arange(1.0, 41).reshape(20, 2)
    radii = np.stack([2 * errors, 5 * errors], axis=2)

    found = describe_errors(["tip", "root"], radii, errors)

    assert found["correlation"] == 1.0
    # Ten groups of four; the medians of the first are of 1, 2, 3, 4 and their doubles.
    assert found["bins"][0] == {"said": 5.0, "seen": 2.5}


@pytest.fixture
def kept(tmp_path):
    """Outputs of one trained fold that are 80 % sure of all they say."""
    results_folder.prepare(tmp_path, folds=1, cases=2)
    earlier = time.time() - 10
    for file in (tmp_path / "results").rglob("checkpoint_final.pt"):
        os.utime(file, (earlier, earlier))
    place = tmp_path / "results" / "Toy" / "best" / "outputs" / "unet" / "3d_fullres"
    place.mkdir(parents=True)
    for number in range(2):
        truth = toy.labels_of(number)
        share = np.stack([np.where(truth == k, 204, 0) for k in range(3)])
        name = f"case_{number:02d}_probabilities.b2nd"
        blosc2.asarray(share.astype(np.uint8), urlpath=str(place / name))
    return tmp_path


def read(root):
    page = report("Toy", root, pictures=False, workers=1)
    content = json.loads(page.with_suffix(".json").read_text())
    return page.read_text(), content["trained"][0]["calibration"]


def test_kept_probabilities_are_compared_with_what_was_drawn(kept):
    html, found = read(kept)

    # Everything that got 0.8 is right: it should have got 1.
    assert found["cases"] == found["held_out"] == 2
    for name in ("one", "two"):
        assert found["classes"][name]["error"] == pytest.approx(0.2)
        assert found["classes"][name]["bias"] == pytest.approx(-0.2)
    voxels = sum((toy.labels_of(n) == 1).sum() for n in range(2))
    assert found["classes"]["one"]["count"] == voxels  # no sure background
    assert "too little sure" in html
    assert '<section id="calibration">' in html and 'href="#calibration"' in html


def test_outputs_that_are_older_than_their_fold_are_not_shown(kept):
    fold = kept / "results" / "Toy" / "unet" / "3d_fullres" / "fold_0"
    later = time.time() + 10
    os.utime(fold / "checkpoint_final.pt", (later, later))  # trained again

    html, found = read(kept)

    assert found is None
    assert 'id="calibration"' not in html and 'href="#calibration"' not in html
    words = shlex.split(re.search(r"autoseg report .* --calibration", html)[0])
    assert words[2] == str(kept / "raw" / "Toy") and words[4] == str(kept)


def test_thresholds_of_landmarks_are_those_that_all_folds_learnt(tmp_path):
    score = [[0.2]] * 5 + [[0.8]] * 5
    status = [["absent"]] * 5 + [["present"]] * 5
    for name in "01":
        evidence = Evidence(
            names=("tip",),
            usual=(0.5,),
            cases=tuple(f"{name}_{i}" for i in range(10)),
            score=tuple(map(tuple, score)),
            spread=((1.0,),) * 10,
            error=((None,),) * 5 + ((1.0,),) * 5,
            status=tuple(map(tuple, status)),
        )
        folder = tmp_path / f"fold_{name}"
        Learnt(confidence=learn(evidence), evidence=evidence).save(folder)
    folds = tuple(
        Fold(
            name=name,
            folder=tmp_path / f"fold_{name}",
            log=(),
            run={},
            summary=None,
            finished=name != "2",
        )
        for name in "012"
    )
    trained = Trained(plan="a", configuration="b", folder=tmp_path, folds=folds)

    assert thresholds_of(trained) == {"tip": pytest.approx(0.5)}
