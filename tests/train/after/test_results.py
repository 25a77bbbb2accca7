"""What lies in the results folder, and what it says of itself."""

import math

from autoseg.evaluate.summary import Summary
from autoseg.train.after.results import Fold, Trained


def _fold(name, dice, quality):
    cases = {case: {"one": {"dice": value}} for case, value in dice.items()}
    summary = Summary(unit="mm", foreground={}, classes={}, cases=cases)
    return Fold(
        name=name,
        folder=None,
        log=(),
        run={},
        summary=summary,
        finished=True,
        quality=quality,
    )


def _trained(*folds):
    return Trained(plan="unet", configuration="2d", folder=None, folds=folds)


def test_the_numbers_of_all_folds_are_ranked_together():
    trained = _trained(
        _fold("0", {"a": 0.9, "b": 0.2}, {"a": 0.8, "b": 0.7}),
        _fold("1", {"c": 0.5, "d": 0.0}, {"c": 0.75, "d": math.nan}),
        _fold("all", {"a": 0.0}, {"a": 1.0}),
    )

    found = trained.quality_correlation()

    # Of a, b and c both orders are b, c, a; d has no number, and the fold that was
    # trained on every case says nothing.
    assert (found["measure"], found["spearman"], found["cases"]) == ("dice", 1.0, 3)


def test_without_numbers_there_is_nothing_to_say():
    assert _trained(_fold("0", {"a": 0.9}, {})).quality_correlation() is None
