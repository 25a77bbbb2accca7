"""Which classes the annotation of a case speaks of."""

import json

import numpy as np
import pytest
from PIL import Image as Picture

from autoseg.datasets.annotations import read_annotation
from autoseg.datasets.identity import case_stamps, content_of
from autoseg.datasets.read import load_dataset
from autoseg.errors import DatasetError
from autoseg.tasks import choose_task, make_task


def _write(folder, annotated, groups=None):
    labels = np.zeros((6, 8), np.uint8)
    labels[1:3, 1:4], labels[4, 5] = 1, 2
    for case in ("a_1", "a_2", "b_1", "b_2"):
        for part, array, end in (
            ("imagesTr", np.arange(48).reshape(6, 8).astype(np.uint8), "_0000"),
            ("labelsTr", labels, ""),
        ):
            (folder / part).mkdir(parents=True, exist_ok=True)
            Picture.fromarray(array).save(folder / part / f"{case}{end}.png")
    raw = {
        "channel_names": {"0": "gray"},
        "labels": {"background": 0, "one": 1, "two": 2},
        "file_ending": ".png",
        "annotated": annotated,
        **({"groups": groups} if groups else {}),
    }
    (folder / "dataset.json").write_text(json.dumps(raw))
    return folder


def test_a_case_comes_before_its_group_and_that_before_patterns(tmp_path):
    said = {"a_1": ["two"], "A": ["one"], "a_*": ["two", "one"], "*2": ["one"]}
    folder = _write(tmp_path, said, groups={"a_1": "A", "a_2": "A"})

    cases = {case.id: case.annotated for case in load_dataset(folder).training}

    assert cases == {"a_1": ("two",), "a_2": ("one",), "b_1": None, "b_2": ("one",)}


def test_patterns_that_contradict_each_other_are_refused(tmp_path):
    folder = _write(tmp_path, {"a_*": ["one"], "*_1": ["two"]})

    with pytest.raises(DatasetError, match=r"says of a_1 different things by 'a_\*'"):
        load_dataset(folder)


@pytest.mark.parametrize("wrong", [["a_1"], {"a_1": "one"}, {"a_1": []}, {"a_1": [1]}])
def test_anything_but_lists_of_names_is_refused(tmp_path, wrong):
    with pytest.raises(DatasetError, match="`annotated`"):
        load_dataset(_write(tmp_path, wrong))


def test_whoever_reads_an_annotation_gets_what_it_speaks_of(tmp_path):
    dataset = load_dataset(_write(tmp_path, {"a_*": ["one"]}))
    task = make_task(choose_task(dataset))

    found = {
        case.id: read_annotation(case.annotation, dataset, task, case_id=case.id)[0]
        for case in dataset.training
    }
    elsewhere, _ = read_annotation(dataset.training[0].annotation, dataset, task)

    assert found["a_1"].unknown == elsewhere.unknown == ("two",)
    assert not (np.asarray(found["a_1"]) == 2).any()  # drawn by chance, and forgotten
    assert isinstance(found["b_1"], np.ndarray) and (found["b_1"] == 2).any()


def test_cases_are_others_once_another_class_was_annotated(tmp_path):
    before, after = (
        load_dataset(_write(tmp_path, said)).case("a_1")
        for said in ({"a_1": ["one"]}, {"a_1": ["two"]})
    )

    assert content_of(before) != content_of(after)
    assert case_stamps(before)[-1] != case_stamps(after)[-1]
