import numpy as np
import pytest

from autoseg.evaluate.aggregate import aggregate
from autoseg.evaluate.points import ALL, summarize_points, write_point_table
from autoseg.evaluate.summary import Summary

nan = float("nan")


def row(mre, **more):
    found = not np.isnan(mre)
    return {"mre": mre, "tp": float(found), "fn": float(not found), "fp": 0.0} | more


CASES = {
    "one": {"tip": row(1.0, nme=0.05, sdr_2=1.0), "end": row(3.0, nme=0.15, sdr_2=0.0)},
    "two": {"tip": row(2.0, nme=0.02, sdr_2=1.0), "end": row(nan, nme=nan, sdr_2=0.0)},
}


def test_every_point_counts_the_same_in_the_sum():
    summary = summarize_points(CASES)

    assert list(summary) == ["tip", "end", ALL]
    assert summary["tip"]["mre"] == 1.5
    assert summary[ALL]["mre"] == 2.0  # of 1, 3 and 2; the mean over landmarks is 2.25
    assert summary[ALL]["mre_sd"] == 1.0
    assert summary[ALL]["mre_median"] == 2.0
    assert summary[ALL]["mre_p95"] == pytest.approx(2.9)
    assert summary[ALL]["sdr_2"] == 0.5
    assert summary[ALL]["recall"] == 0.75
    assert summary["end"]["count"] == 1


def test_failures_are_those_of_cases():
    summary = summarize_points(CASES)[ALL]

    # the cases' mean normalized errors are 0.1 and 0.02
    assert summary["failure_rate_8"] == 0.5
    assert summary["failure_rate_10"] == 0.0
    assert summary["auc_10"] == pytest.approx((0 + 0.8) / 2)


def test_a_case_without_any_point_found_is_a_failure():
    cases = {**CASES, "three": {"tip": row(nan, nme=nan), "end": row(nan, nme=nan)}}

    assert summarize_points(cases)[ALL]["failure_rate_10"] == pytest.approx(1 / 3)


def test_the_interval_holds_the_mean_and_shrinks_with_cases():
    rng = np.random.default_rng(0)

    def width(count):
        cases = {
            str(i): {"tip": row(e)} for i, e in enumerate(rng.exponential(1, count))
        }
        of = summarize_points(cases)[ALL]
        assert of["mre_low"] < of["mre"] < of["mre_high"]
        return of["mre_high"] - of["mre_low"]

    assert width(400) < width(25) / 2  # one fourth is expected


def test_the_table_has_a_row_for_each_landmark(tmp_path):
    write_point_table(tmp_path / "a.csv", summarize_points(CASES))

    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[0].startswith("landmark,count,mre,mre_sd,")
    assert [line.split(",")[0] for line in lines[1:]] == ["tip", "end", ALL]
    assert lines[2].split(",")[3] == ""  # no spread of one error


def test_a_summary_keeps_them_and_says_them(tmp_path):
    classes, foreground = aggregate(CASES)
    summary = Summary(
        unit="mm",
        foreground=foreground,
        classes=classes,
        cases=CASES,
        points=summarize_points(CASES),
    )

    summary.save(tmp_path / "summary.json")
    again = Summary.load(tmp_path / "summary.json")

    assert again.points == summary.points
    assert "All 3 points together: MRE 2.00 (sd 1.00), median 2.00" in again.table()
    assert "within 2 mm 50.0 %" in again.table()
    assert "recall 0.750" in again.table()
