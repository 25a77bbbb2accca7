import math

import numpy as np
import pytest

from autoseg.errors import PlanError
from autoseg.evaluate.aggregate import aggregate
from autoseg.evaluate.summary import Summary


def _summary(cases, unit="mm"):
    classes, foreground = aggregate(cases)
    return Summary(unit=unit, classes=classes, foreground=foreground, cases=cases)


CASES = {
    "1": {
        "liver": {"dice": 0.9, "hd95": 4.0, "nsd": 0.8, "tolerance": 1.0},
        "tumor": {"dice": 0.5, "hd95": 9.0, "nsd": 0.5, "tolerance": 1.0},
    },
    "2": {
        "liver": {"dice": 0.8, "hd95": 6.0, "nsd": 0.6, "tolerance": 1.5},
        "tumor": {"dice": 0.0, "hd95": math.inf, "nsd": 0.0, "tolerance": 1.5},
    },
}


def test_people_read_means_units_and_what_was_missed():
    lines = _summary(CASES).table().splitlines()
    rows = {line.split("  ")[0]: line for line in lines}

    assert "Dice" in lines[0] and "HD95 [mm]" in lines[0]
    assert "0.850" in rows["liver"] and "5.00" in rows["liver"]
    assert "9.00 +1" in rows["tumor"]
    assert "0.550" in rows["mean over classes"]  # (0.85 + 0.25) / 2
    assert "tolerance of 1 to 1.5 mm" in lines[-1]


def test_the_table_fits_on_a_terminal():
    cases = {
        str(i): {
            name: {
                "dice": 0.9, "hd95": 14.0, "assd": 3.0, "nsd": 0.8, "sensitivity": 0.9,
                "precision": 0.9, "volume_error": -0.1, "iou": 0.8, "tolerance": 1.0,
            }
            for name in ("left hippocampus", "right hippocampus")
        }
        for i in range(9)
    }  # fmt: skip

    lines = _summary(cases).table().splitlines()

    assert max(map(len, lines)) <= 120
    assert "-10.0%" in lines[2]


def test_metrics_that_only_another_task_has_are_shown_too():
    cases = {"1": {"tip": {"radial_error": 2.5}}, "2": {"tip": {"radial_error": 1.5}}}

    table = _summary(cases).table()

    assert "radial_error" in table
    assert "2.000" in table


def test_a_summary_comes_back_as_it_was(tmp_path):
    summary = _summary(CASES)

    summary.save(tmp_path / "summary.json")
    back = Summary.load(tmp_path / "summary.json")

    assert back.classes == summary.classes
    assert back.foreground == summary.foreground
    assert back.cases == summary.cases


def test_a_file_of_another_schema_is_refused(tmp_path):
    (tmp_path / "summary.json").write_text('{"schema": 99}')

    with pytest.raises(PlanError, match="schema 99"):
        Summary.load(tmp_path / "summary.json")


def test_a_file_that_is_no_summary_is_refused(tmp_path):
    (tmp_path / "summary.json").write_text('{"schema": 1, "cases": {}, "extra": 2}')

    with pytest.raises(PlanError, match="extra: unknown field"):
        Summary.load(tmp_path / "summary.json")


def test_a_metric_that_is_not_there_has_no_mean():
    assert math.isnan(_summary(CASES).mean("bananas"))
    assert _summary(CASES).mean() == pytest.approx(0.55)


def test_instances_are_shown_pooled_and_by_size():
    from autoseg.metrics.instances import score_instances

    reference = np.repeat(np.arange(1, 6), [1, 1, 2, 3, 3])[None]
    predicted = np.where(reference == 5, 0, reference)
    cases = {
        str(i): score_instances(predicted, reference, (1.0, 2.0), size_limits=(2, 4))
        for i in range(2)
    }
    classes, foreground = aggregate(cases)
    summary = Summary(unit="um", classes=classes, foreground=foreground, cases=cases)

    lines = summary.table().splitlines()

    for word in ("mAP", "AP50", "AP70", "AP90", "mAP per image", "PQ", "SEG", "count"):
        assert word in lines[0]
    assert "0.800 [0.800, 0.800]" in lines[2]  # four of five, in both images
    assert "-20.0%" in lines[2]
    assert "up to 2: 1.000, up to 4: 1.000, larger: 0.500" in lines[-1]
    assert max(map(len, lines)) <= 120


def test_the_table_of_few_cases_warns_of_its_intervals():
    few = {str(case): {"liver": {"dice": 0.9}} for case in range(3)}
    many = {str(case): {"liver": {"dice": 0.9}} for case in range(30)}

    assert "Of 3 cases only" in _summary(few).table()
    assert "only" not in _summary(many).table()
