import math

import numpy as np
import pytest

from autoseg.metrics.instances import score_instances
from autoseg.metrics.pooled import POOLED_INSTANCES, Ratio


def _sums(*pairs, **options):
    cases = [score_instances(p, r, (1.0, 1.0), **options)["instance"] for p, r in pairs]
    return {name: np.array(sum(case[name] for case in cases)) for name in cases[0]}


def _pooled(sums, name):
    return float(np.mean([ratio(sums) for ratio in POOLED_INSTANCES[name]]))


# Ten objects, all found; then one object, missed, and one made up.
MANY = np.arange(1, 11)[None]
ONE = np.array([[0, 0, 5, 5, 0, 0, 0, 0, 0, 0]])
OTHER = np.array([[0, 0, 0, 0, 0, 0, 5, 5, 0, 0]])


def test_every_object_counts_alike():
    sums = _sums((MANY, MANY), (OTHER, ONE))

    assert _pooled(sums, "ap_50_pooled") == pytest.approx(10 / 12)
    assert _pooled(sums, "map_pooled") == pytest.approx(10 / 12)
    assert _pooled(sums, "precision_pooled") == pytest.approx(10 / 11)
    assert _pooled(sums, "recall_pooled") == pytest.approx(10 / 11)
    assert _pooled(sums, "f1_pooled") == pytest.approx(10 / 11)
    assert _pooled(sums, "pq_pooled") == pytest.approx(10 / 11)
    assert _pooled(sums, "sq_pooled") == 1
    assert _pooled(sums, "seg_pooled") == pytest.approx(10 / 11)
    assert _pooled(sums, "aji_pooled") == pytest.approx(10 / 14)
    assert _pooled(sums, "aji_plus_pooled") == pytest.approx(10 / 14)
    assert _pooled(sums, "count_error_pooled") == 0


def test_one_image_pooled_scores_as_the_image():
    rng = np.random.default_rng(0)
    reference = np.repeat(np.arange(1, 21), 5).reshape(10, 10)
    predicted = np.where(rng.random((10, 10)) < 0.3, 0, reference)

    scores = score_instances(predicted, reference, (1.0, 1.0))["instance"]

    for name in POOLED_INSTANCES:
        own = name.removesuffix("_pooled")
        if own in scores and own != "count_error":
            assert _pooled(scores, name) == pytest.approx(scores[own]), name


def test_sizes_are_pooled_apart():
    sums = _sums((MANY, MANY), (OTHER, ONE), size_limits=(1, 2))

    assert _pooled(sums, "ap_50_small_pooled") == 1
    assert _pooled(sums, "ap_50_medium_pooled") == 0
    assert math.isnan(_pooled(sums, "ap_50_large_pooled"))


def test_a_ratio_over_nothing_is_not_defined():
    ratio = Ratio(over={"a": 1}, under={"b": 1, "a": -1})

    found = ratio({"a": np.array([1, 2]), "b": np.array([3, 2])})

    assert found[0] == 0.5 and math.isnan(found[1])
