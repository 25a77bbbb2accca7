"""Dataclasses to strict JSON and back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pytest

from autoseg.errors import DatasetError, PlanError
from autoseg.spec.json import dumps, from_json, load_json, load_object, write_text


@dataclass(frozen=True, kw_only=True)
class Inner:
    size: int
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str
    ratio: float
    pair: tuple[int, str]
    rows: tuple[tuple[int, ...], ...] = ()
    inner: Inner | None = None
    table: Mapping[str, Inner] = ()


GOOD = {"name": "x", "ratio": 1, "pair": [1, "y"]}


def test_whole_numbers_are_taken_for_floats_and_back():
    made = from_json(Outer, {**GOOD, "inner": {"size": 3.0}}, "x")

    assert (made.ratio, made.inner) == (1.0, Inner(size=3))
    assert type(made.ratio) is float and type(made.inner.size) is int


@pytest.mark.parametrize(
    "change, fault",
    [
        ({"name": 3}, "name: 3 is not a text"),
        ({"ratio": True}, "ratio: true is not a number"),
        ({"ratio": float("inf")}, "ratio: inf is not finite"),
        ({"pair": [1]}, "pair: 1 entries where 2 belong"),
        ({"pair": ["a", "b"]}, 'pair[0]: "a" is not a whole number'),
        ({"rows": [[1], 2]}, "rows[1]: 2 is not a list"),
        ({"inner": {"size": 1.5}}, "inner.size: 1.5 is not a whole number"),
        ({"inner": {"size": 1, "kind": "c"}}, "inner.kind: 'c' is none of 'a', 'b'"),
        ({"table": {"k": {}}}, "table.k.size: missing"),
        ({"table": []}, "table: [] is not an object"),
        ({"more": 1}, "more: unknown field"),
    ],
)
def test_a_fault_is_named_with_its_path(change, fault):
    with pytest.raises(PlanError) as error:
        from_json(Outer, {**GOOD, **change}, "file.json")

    assert str(error.value) == f"file.json cannot be read:\n  {fault}"


def test_short_lists_stay_on_one_line():
    text = dumps({"strides": [[1, 1, 1], [2, 2, 2]], "words": ["long " * 20, "b"]})

    assert '  "strides": [[1, 1, 1], [2, 2, 2]],' in text.splitlines()
    assert json.loads(text)["words"][1] == "b"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "a.json"
    write_text(path, "old")

    with pytest.raises(TypeError):
        write_text(path, 3)

    assert path.read_text() == "old"
    assert [p.name for p in path.parent.iterdir()] == ["a.json"]


@pytest.mark.parametrize(
    "content, message",
    [
        (b'{"a": ', "is no JSON: .* in line 1"),
        (b"[1]", "holds a list, not a JSON object"),
        (b"\xff\xfe", "is not UTF-8"),
    ],
)
def test_a_file_that_is_no_object_is_refused(tmp_path, content, message):
    path = tmp_path / "a.json"
    path.write_bytes(content)

    with pytest.raises(PlanError, match=message):
        load_object(path)


def test_a_byte_order_mark_of_a_text_editor_is_no_fault(tmp_path):
    path = tmp_path / "plan.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')

    assert load_object(path) == {"a": 1}


def test_a_file_that_cannot_be_opened_is_the_error_that_was_asked_for(tmp_path):
    with pytest.raises(DatasetError, match=f"{tmp_path} cannot be read"):
        load_json(tmp_path, error=DatasetError)
