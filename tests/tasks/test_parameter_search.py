"""The search finds the best of a known function, in few evaluations."""

import numpy as np

from autoseg.tasks.parameter_search import MOST, Tried, search

CANDIDATES = {"a": [1, 2, 3, 4, 5], "b": [0.1, 0.2, 0.3, 0.4], "f": [0, 1, 2]}
DEFAULTS = {"a": 3, "b": 0.2, "f": 0}


def run(worth, cases=1, most=MOST):
    """Search where ``worth(case, a, b, f)`` is what is to be made large."""
    asked = []

    def evaluate(setting):
        asked.append(setting)
        rows = [
            [[worth(case, **setting, f=f)] for f in CANDIDATES["f"]]
            for case in range(cases)
        ]
        return np.array(rows, float)

    tried = Tried(
        candidates=CANDIDATES,
        defaults=DEFAULTS,
        filters=("f",),
        goodness=lambda sums: sums[..., 0],
    )
    return search(evaluate, tried, most), asked


def test_the_best_is_found_and_filters_cost_no_evaluation():
    def worth(case, a, b, f):
        return -abs(a - 5) - 10 * abs(b - 0.4) - abs(f - 1)

    tried, asked = run(worth)

    assert tried.best() == {"a": 5, "b": 0.4, "f": 1}
    assert len(asked) == len({tuple(s.items()) for s in asked}) < 5 * 4
    assert all(set(setting) == {"a", "b"} for setting in asked)


def test_no_more_is_evaluated_than_is_allowed():
    tried, asked = run(lambda case, a, b, f: a, most=4)

    assert len(asked) == len(tried.settings) == 4


def test_ties_and_tiny_gains_go_to_the_defaults():
    tried, _ = run(lambda case, a, b, f: 0.0015 * (a == 5) + 0.1 * (b == 0.4))

    assert tried.best() == {"a": 3, "b": 0.4, "f": 0}


def test_cases_are_judged_by_themselves():
    tried, _ = run(lambda case, a, b, f: -abs(a - (1 if case else 5)), cases=2)

    assert tried.best([0])["a"] == 5
    assert tried.best([1])["a"] == 1
    assert tried.sums({"a": 1, "b": 0.2, "f": 0}, [0, 1]).tolist() == [-4.0]


def test_what_was_tried_of_each_parameter_is_told():
    tried, _ = run(lambda case, a, b, f: a + f)

    around = tried.around(tried.best())

    assert tried.best() == {"a": 5, "b": 0.2, "f": 2}
    assert around["a"] == [[1, 3], [2, 4], [3, 5], [4, 6], [5, 7]]
    assert around["f"] == [[0, 5], [1, 6], [2, 7]]
