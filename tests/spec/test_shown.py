"""Plans, summaries and problems are tables in notebooks."""

from pathlib import Path

from autoseg.evaluate.aggregate import Statistic
from autoseg.evaluate.summary import Summary
from autoseg.fingerprint.check.problem import Problem, Problems
from autoseg.spec.shown.html import MOST_ROWS, html_table
from tests.predict import toy_model as toy


def test_long_tables_say_how_much_is_left_out():
    text = html_table("t", ["n"], [[i] for i in range(MOST_ROWS + 7)])

    assert text.count("<tr>") == MOST_ROWS + 1 and "and 7 more" in text


def test_a_plan_shows_its_configurations():
    text = toy.plan(patch=8)._repr_html_()

    assert "plan toy of Toy: semantic" in text
    assert "<td>net</td><td>1 x 1 x 1</td><td>8 x 8 x 8</td><td>2</td>" in text


def test_a_summary_shows_means_of_classes_and_what_is_missing():
    dice = Statistic(mean=0.8125, low=0.7, high=0.9, std=0.1, median=0.8, count=3)
    summary = Summary(
        unit="mm", foreground={"dice": dice}, classes={"a<b": {"dice": dice}},
        cases={"c": {}}, missing=("d",),
    )  # fmt: skip

    text = summary._repr_html_()

    assert "1 case, lengths in mm; 1 without scores" in text
    assert "<td>a&lt;b</td><td>0.8125</td>" in text


def test_problems_are_a_list_and_a_table():
    one = Problem("error", Path("x/a.png"), "It is <cut off>.", "Copy it again.")
    problems = Problems([one])

    assert problems == [one] and Problems()._repr_html_().startswith("<b>no problem")
    assert "<td>a.png</td><td>It is &lt;cut off&gt;.</td>" in problems._repr_html_()
