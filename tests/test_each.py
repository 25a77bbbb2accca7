"""Many checks in one test: each is made, and all that fail are named."""

import inspect

import pytest

from tests.each import assert_each, each


def _is_even(number, kind="even"):
    with pytest.raises(ValueError, match="odd"):
        raise ValueError("odd" if number % 2 == 0 else "even")
    assert number < 10, f"{number} is large"


def test_every_item_that_fails_is_named_with_what_it_raised():
    with pytest.raises(pytest.fail.Exception) as caught:
        assert_each(_is_even, [2, 3, 5, 12, 8])

    said = str(caught.value)
    assert said.startswith("3 of 5 are wrong\n--- 3\n")
    assert "--- 5\n" in said and "--- 12\n" in said and "--- 8" not in said
    assert "AssertionError: 12 is large" in said
    assert "in _is_even" in said  # and where


def test_a_tuple_is_several_arguments_and_names_are_as_told():
    seen = []

    assert_each(lambda *row: seen.append(row), [(1, 2), 3])
    assert seen == [(1, 2), (3,)]
    with pytest.raises(pytest.fail.Exception, match="--- 1 and 2\n"):
        assert_each(lambda a, b: 1 / 0, [(1, 2)], say=lambda a, b: f"{a} and {b}")


def test_no_items_are_no_success():
    with pytest.raises(AssertionError, match="nothing to check"):
        assert_each(_is_even, [])


def test_what_is_skipped_hides_no_failure_and_is_no_failure():
    def check(number):
        if number < 2:
            pytest.skip("too small")
        assert number < 3

    assert_each(check, [1, 2])
    with pytest.raises(pytest.fail.Exception, match="1 of 3 are wrong\n--- 3"):
        assert_each(check, [1, 2, 3])
    with pytest.raises(pytest.skip.Exception, match="too small"):
        assert_each(check, [0, 1])


def test_each_combination_is_called_with_the_fixtures():
    seen = []

    @each("a, b", [(1, "x"), (2, "y")])
    @each("c", [True, False])
    def check(root, a, b, c):
        seen.append((root, a, b, c))

    assert list(inspect.signature(check).parameters) == ["root"]
    check(root="here")
    pairs = ((1, "x"), (2, "y"))
    assert seen == [("here", *pair, c) for pair in pairs for c in (True, False)]


def test_a_combination_that_fails_is_named():
    @each("letter", ["a", "b"])
    @each("number", [1, 2], ids=lambda n: f"no. {n}")
    def check(letter, number):
        assert (letter, number) != ("b", 1)

    with pytest.raises(
        pytest.fail.Exception, match="1 of 4.*\n--- letter b, number no. 1"
    ):
        check()
