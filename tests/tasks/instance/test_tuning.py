"""Counts that decoding parameters are judged by are those of the metrics."""

import numpy as np
import pytest
from scipy import ndimage

from autoseg.metrics.instances import score_instances
from autoseg.representations import REPRESENTATIONS
from autoseg.tasks.instance import InstanceTask
from autoseg.tasks.instance.tuning import (
    THRESHOLDS,
    candidates,
    count_case,
    count_objects,
    filters_of,
    mean_ap,
)
from tests.representations.maps import cells


def blurred(task, labels, seed=0):
    """Return perfect outputs with some noise."""
    random = np.random.default_rng(seed)
    perfect = task.encode(labels, (1.0,) * labels.ndim)
    return {
        name: ndimage.gaussian_filter(value, (0, *(0.7,) * labels.ndim))
        + random.normal(0, 0.1, value.shape).astype(np.float32)
        for name, value in perfect.items()
    }


def test_counts_are_those_of_the_metrics():
    random = np.random.default_rng(0)
    reference = cells()
    predicted = np.where(random.random(reference.shape) < 0.1, 0, reference)
    predicted[:5, :5] = 99

    found = count_case(predicted, {}, [{}], reference, cut=False)

    scores = score_instances(predicted, reference, (1.0, 1.0))["instance"]
    names = [f"tp_{round(100 * t)}" for t in THRESHOLDS]
    expected = [scores[name] for name in (*names, "predicted", "reference")]
    assert found.tolist() == [expected]
    assert 0 < scores["tp_90"] < scores["tp_50"]
    assert THRESHOLDS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)


def test_objects_at_the_faces_of_a_part_do_not_count():
    reference = np.zeros((10, 10), np.int32)
    reference[4:7, 4:7] = 1
    reference[8:, 3:6] = 2
    predicted = reference.copy()
    predicted[:2, :2] = 3

    whole = count_case(predicted, {}, [{}], reference, cut=False)
    part = count_case(predicted, {}, [{}], reference, cut=True)

    assert whole[0, -2:].tolist() == [3, 2]
    assert part[0, -2:].tolist() == [1, 1]


def test_ap_is_right_over_all_and_averaged_over_thresholds():
    # 3 of 4 predicted and 5 annotated are right up to 0.7, none above:
    # 5 thresholds with 3 / (4 + 5 - 3), 4 with 0.
    sums = np.array([3, 3, 3, 3, 3, 0, 0, 0, 0, 4, 5])

    assert mean_ap(sums) == pytest.approx(5 / 9 * 0.5)
    assert mean_ap(np.zeros(11, int)) == 1


@pytest.mark.parametrize("name", REPRESENTATIONS.names())
def test_filters_count_as_if_everything_was_decoded_again(name):
    reference = cells()
    task = InstanceTask({"cell": 1}, representation={"name": name})
    outputs = blurred(task, reference)
    off = filters_of(task.meaning, 2)
    sizes = np.bincount(reference.ravel())[1:]
    bars = [
        {**off, "least": 1},
        {**off, "least": int(np.median(sizes[sizes > 0]))},
        {**off, "least": 10_000},
    ]
    if "agree" in off:
        bars.append({"least": 10, "agree": 0.95})
    where = outputs, (1.0, 1.0), reference, False

    at_once = count_objects(task.with_parameters(off).meaning, bars, *where)

    for row, bar in zip(at_once, bars, strict=True):
        labels = task.with_parameters(bar).decode(outputs, (1.0, 1.0)).labels
        again = count_case(labels, {}, [{}], reference, cut=False)
        assert row.tolist() == again[0].tolist()
    assert len({tuple(row) for row in at_once.tolist()}) >= 2


def test_slices_are_filtered_before_they_are_joined():
    task = InstanceTask({"cell": 1}, axes=3, network_axes=2)

    assert filters_of(task.meaning, 3) == {}
    assert set(filters_of(task.meaning, 2)) == {"least", "agree"}


def test_stuff_is_no_object():
    task = InstanceTask(
        {"cell": 1}, {"tissue": 2}, representation={"name": "border_core"}
    )
    labels = np.zeros((20, 20), np.int32)
    labels[2:10, 2:10], labels[12:, :] = 1, 2
    annotated = task.read(labels)
    both = type(annotated)(labels, {1: 1, 2: 2})
    outputs = task.encode(both, (1.0, 1.0))
    objects = np.where(labels == 1, 1, 0)

    found = count_objects(
        task.meaning, [{"least": 1}], outputs, (1.0, 1.0), objects, cut=False
    )

    assert len(task.decode(outputs, (1.0, 1.0)).ids) == 2
    assert found.tolist() == [[1] * 11]


def test_a_default_is_among_the_candidates_and_sizes_follow_it():
    made = REPRESENTATIONS["flow_distance"](2, least=500, join=0.77)

    found = candidates(made)

    assert 0.77 in found["join"] and found["join"] == sorted(found["join"])
    assert {1, 250, 500, 1000, 2000, 4000, 8000} <= set(found["least"])
    assert list(found)[-2:] == ["agree", "least"]  # filters come last
