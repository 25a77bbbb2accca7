"""Rules are chosen from tables, and judged by cases that did not choose them."""

import math

import numpy as np
import pytest

from autoseg.find_best.tuning import (
    choose_rule,
    combinations,
    rules_to_try,
    score_case,
)
from autoseg.metrics.segmentation import score_masks
from autoseg.model.postprocessing import Postprocessing, Rule
from autoseg.predict.readouts.ensemble import decide
from autoseg.spec.annotation import LabelMap
from autoseg.tasks.semantic import SemanticTask

TASK = SemanticTask(labels={"background": 0, "one": 1, "two": 2})
SPACING = (1.0, 2.0)
FOLDS = ["0", "0", "0", "1", "1", "1"]


def noisy(seed):
    """Return outputs of one model and an annotation, full of holes and specks."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((24, 30), np.int16)
    truth[4:14, 3:12] = 1
    truth[8:20, 18:27] = 2
    sure = np.eye(3)[truth].transpose(2, 0, 1)
    mixed = 0.55 * sure + 0.45 * rng.dirichlet([0.5] * 3, truth.shape).transpose(
        2, 0, 1
    )
    return np.rint(255 * mixed).astype(np.uint8), truth


@pytest.mark.parametrize("by", ["dice", "hd95", "nsd"])
def test_the_table_holds_what_applying_each_rule_would_give(by):
    array, truth = noisy(1)
    rules = combinations(rules_to_try(median_size=180.0))

    table = score_case(
        [array], truth, SPACING, TASK, {"one": rules, "two": rules}, by, 99.0
    )

    for place in range(0, len(rules), 7):
        rule = rules[place]
        every = dict.fromkeys(("one", "two"), rule.threshold)
        labels = decide([array], TASK, every if rule.threshold != 0.5 else {})
        finished = Postprocessing(classes={"one": rule}).finish(labels, TASK, SPACING)
        value = score_masks(finished == 1, truth == 1, SPACING)[by]
        assert table["one"][place] == pytest.approx(-value if by == "hd95" else value)


def test_ignored_voxels_do_not_count():
    task = SemanticTask(labels={"background": 0, "one": 1}, ignore=2)
    array = np.zeros((2, 1, 4), np.uint8)
    array[1] = 255
    truth = np.array([[1, 1, 2, 2]], np.int16)

    table = score_case([array], truth, (1, 1), task, {"one": [Rule()]}, "dice", 9.0)

    assert table == {"one": [1.0]}


def test_every_alternative_meets_every_other_once():
    rules = combinations(rules_to_try(median_size=100.0))

    assert len(set(rules)) == len(rules) == 5 * 2 * 6
    assert Rule() in rules
    assert Rule(threshold=0.3, fill_holes=True, largest_component=True) in rules
    assert len(combinations(rules_to_try(None))) == 5 * 2 * 2


LARGEST = Rule(largest_component=True)
STEPS = {"components": [LARGEST]}


def test_what_gains_in_every_case_is_kept():
    columns = {Rule(): np.full(6, 0.5), LARGEST: np.full(6, 0.6)}

    rule, (step,) = choose_rule("one", STEPS, columns, FOLDS)

    assert rule == LARGEST and step.kept
    assert step.gain.mean == pytest.approx(0.1)


def test_what_gains_on_one_fold_only_is_not_kept():
    # Chosen on fold 0 it loses on fold 1, and on fold 1 it would never be chosen.
    after = np.array([0.9, 0.9, 0.9, 0.4, 0.4, 0.4])
    columns = {Rule(): np.full(6, 0.5), LARGEST: after}

    rule, (step,) = choose_rule("one", STEPS, columns, FOLDS)

    assert rule == Rule() and not step.kept
    # Nothing on fold 0, for fold 1 does not choose it; 0.1 less on fold 1.
    assert step.gain.mean == pytest.approx(-0.05)


def test_a_class_that_is_nowhere_is_left_alone():
    columns = {Rule(): np.full(6, math.nan), LARGEST: np.full(6, math.nan)}

    rule, (step,) = choose_rule("one", STEPS, columns, FOLDS)

    assert rule == Rule() and not step.kept


def test_nothing_is_said_of_a_class_that_was_not_annotated():
    array, truth = noisy(1)
    known = LabelMap(np.where(truth == 2, 0, truth), unknown=("two",))

    table = score_case(
        [array], known, SPACING, TASK, {"one": [Rule()], "two": [Rule()]}, "dice", 99.0
    )

    assert table["one"][0] > 0.5 and math.isnan(table["two"][0])
