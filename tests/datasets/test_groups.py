"""Groups of cases, by a table or by the cases' ids."""

import pytest

from autoseg.datasets.groups import group_finder
from autoseg.errors import DatasetError


def test_a_table_or_an_expression_says_the_group():
    assert [group_finder({"a": 7})(case) for case in ("a", "b")] == ["7", None]
    find = group_finder(r"(patient\d+)_")
    assert [find(case) for case in ("patient12_3", "x")] == ["patient12", None]
    assert group_finder(None)("patient12_3") is None


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (7, "it is no text"),
        (r"\d+_", "0 groups in parentheses"),
        ("(a", "unterminated"),
        ("((a+)+)b", "inside of a repetition"),
        ("(a*)b*c*d*", "more than 3 repetitions"),
    ],
)
def test_what_is_no_quick_expression_with_one_group_is_refused(groups, message):
    with pytest.raises(DatasetError, match=message):
        group_finder(groups)
