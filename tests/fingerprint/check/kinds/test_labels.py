"""What the values of label maps say, and how a task without names is looked at."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK
from PIL import Image as Picture

from autoseg.datasets.read import load_dataset
from autoseg.datasets.vain import unwritable
from autoseg.fingerprint.check.facts import CaseFacts
from autoseg.fingerprint.check.kinds.labels import (
    LabelsCheck,
    propose,
    segment_problems,
)
from autoseg.fingerprint.check.segments import disputed_names
from autoseg.fingerprint.check.stage import check, examine
from autoseg.spec.dataset import Case

EDGES = '''
import numpy as np
from autoseg.tasks.semantic import SemanticTask

class EdgeTask(SemanticTask):
    """Edges of things: one value, which dataset.json does not name."""

    def __init__(self, width):
        super().__init__({"background": 0, "edge": 1})

    @classmethod
    def from_dataset(cls, dataset):
        return {"width": 1}
'''


def _data_set(folder, maps, **description):
    """Write a data set of 2-D images with these annotations, by case."""
    for sub in ("imagesTr", "labelsTr"):
        (folder / sub).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for case, array in maps.items():
        image = rng.integers(0, 255, array.shape).astype(np.uint8)
        Picture.fromarray(image).save(folder / "imagesTr" / f"{case}_0000.png")
        Picture.fromarray(array).save(folder / "labelsTr" / f"{case}.png")
    said = {"channel_names": {"0": "light"}, "file_ending": ".png", **description}
    (folder / "dataset.json").write_text(json.dumps(said))
    return folder


def _ring():
    ring = np.ones((9, 9), np.uint8)
    ring[3:6, 3:6] = 0
    return ring


def test_masks_of_255_are_proposed_as_the_values_that_were_meant():
    labels = {"background": (0,), "organ": (1,)}

    assert propose(labels, {0, 255}) == {"background": 0, "organ": 255}
    assert propose(labels, {0, 1, 255}) is None


def test_a_region_occurs_where_one_of_its_values_does(tmp_path):
    labels = {"background": 0, "whole": [1, 2], "core": 2}
    folder = _data_set(
        tmp_path,
        {"a": _ring()},
        labels=labels,
        regions_class_order=[1, 2],
    )
    found = ({0: 5, 1: 3}, {0: 5, 2: 3}, {0: 8})
    facts = [
        CaseFacts(Case(id=name, images=()), found=values)
        for name, values in zip("abc", found, strict=True)
    ]

    kind = LabelsCheck(load_dataset(folder), None)

    assert kind.classes(facts) == {"whole": 2, "core": 1}


def test_a_task_of_label_maps_is_told_nothing_of_instances(tmp_path, monkeypatch):
    plugin = tmp_path / "plugin"
    (plugin / "edge_task-1.dist-info").mkdir(parents=True)
    (plugin / "edge_task.py").write_text(EDGES)
    (plugin / "edge_task-1.dist-info" / "METADATA").write_text("Name: edge_task\n")
    (plugin / "edge_task-1.dist-info" / "entry_points.txt").write_text(
        "[autoseg.task]\nedges = edge_task:EdgeTask\n"
    )
    monkeypatch.syspath_prepend(plugin)
    labels = {f"case{i}": np.roll(_ring(), i, axis=0) for i in range(5)}
    labels["case3"] = labels["case3"] * 7  # no value of the task
    labels["case4"] = np.zeros((9, 9), np.uint8)
    folder = _data_set(tmp_path / "edges", labels, task="edges")

    report = examine(folder)

    said = {(p.severity, p.file.name) for p in report.problems}
    assert said == {("error", "case3.png"), ("warning", "case4.png")}
    assert not any("instance" in p.found for p in report.problems)
    assert report.classes == {}


# Names of segments in NRRD files.


def segments(tmp_path, names, labels=None):
    """What is told of a file whose segments are called so, by value."""
    image = SimpleITK.GetImageFromArray(np.ones((2, 3, 4), np.uint8))
    for number, (value, name) in enumerate(names.items()):
        image.SetMetaData(f"Segment{number}_LabelValue", str(value))
        image.SetMetaData(f"Segment{number}_Name", name)
    path = tmp_path / "c0.seg.nrrd"
    SimpleITK.WriteImage(image, str(path))
    labels = labels or {"background": (0,), "liver": (1,), "left lung": (2,)}
    return [problem.found for problem in segment_problems(path, labels)]


def test_names_that_files_give_to_several_values_are_told(tmp_path):
    dataset = SimpleNamespace(folder=tmp_path)
    segments = {
        Path("a.nrrd"): {"Hepar": 1, "lesion": 2, "Segment_3": 3, "liver": 1},
        Path("b.nrrd"): {"hepar": 2, "lesion": 2, "Segment_3": 4, "liver": 2},
        Path("c.nrrd"): {"hepar ": 1},
    }

    found = disputed_names(dataset, {"liver": (1,), "tumor": (2,)}, segments)

    assert [problem.found for problem in found] == [
        "The segment 'hepar' has the value 1 in 2 files (a.nrrd, c.nrrd) and 2 in 1 "
        "file (b.nrrd)."
    ]


@pytest.mark.parametrize(
    "names",
    [
        {},
        {1: "liver", 2: "left lung"},
        {1: "Liver", 2: "Left_Lung"},
        {1: "Segment_1", 2: "Segment 2"},
        {2: "left lung"},
    ],
)
def test_names_that_agree_or_say_nothing_are_no_problem(tmp_path, names):
    assert segments(tmp_path, names) == []


def test_names_that_are_exchanged_are_told_with_both_values(tmp_path):
    found = segments(tmp_path, {1: "left lung", 2: "liver"})

    assert found == [
        "It calls the value 1 'left lung'; in dataset.json 'left lung' is 2.",
        "It calls the value 2 'liver'; in dataset.json 'liver' is 1.",
    ]


def test_a_known_name_with_an_unknown_value_is_told(tmp_path):
    (found,) = segments(tmp_path, {5: "liver"})

    assert found == "It calls the value 5 'liver'; in dataset.json 'liver' is 1."


def test_a_name_that_dataset_json_has_not_is_told(tmp_path):
    (found,) = segments(tmp_path, {1: "Leber"})

    assert found == "It calls the value 1 'Leber'; dataset.json calls it 'liver'."


def test_a_value_may_be_one_of_a_region(tmp_path):
    labels = {"background": (0,), "whole": (1, 2), "core": (2,)}

    assert segments(tmp_path, {1: "whole", 2: "core"}, labels) == []


# Labels without a background.


def test_labels_without_background_get_one_proposal(tmp_path):
    for place in ("imagesTr", "labelsTr"):
        (tmp_path / place).mkdir()
    random = np.random.default_rng(0)
    for i in range(6):
        picture = random.integers(0, 255, (9, 11)).astype(np.uint8)
        Picture.fromarray(picture).save(tmp_path / f"imagesTr/c{i}.png")
        labels = random.integers(0, 3, (9, 11)).astype(np.uint8)
        Picture.fromarray(labels).save(tmp_path / f"labelsTr/c{i}.png")
    described = {"channel_names": {"0": "x"}, "labels": {"anterior": 1, "posterior": 2}}
    (tmp_path / "dataset.json").write_text(json.dumps(described))

    errors = [p for p in check(tmp_path) if p.severity == "error"]

    assert len(errors) == 1
    assert '"labels": {"background": 0, "anterior": 1, "posterior": 2}' in errors[0].fix
    proposal = json.loads(errors[0].fix.partition('"labels": ')[2].rstrip("."))
    (tmp_path / "dataset.json").write_text(
        json.dumps({**described, "labels": proposal})
    )
    assert not [p for p in check(tmp_path) if p.severity == "error"]


@pytest.mark.parametrize(
    "ending, value, fits",
    [
        (".png", 65_535, True),
        (".png", 70_000, False),
        (".bmp", 300, False),
        (".nii.gz", 70_000, True),
    ],
)
def test_values_that_predictions_cannot_hold_are_an_error(
    tmp_path, ending, value, fits
):
    empty = {"a": np.zeros((2, 2), np.uint8)}
    folder = _data_set(tmp_path, empty, labels={"background": 0, "huge": value})
    dataset = replace(load_dataset(folder), annotation_ending=ending)

    found = unwritable(dataset, [0, value])

    assert (found is None) == fits
    assert fits or "cannot hold the values of `labels`, from 0 to" in (found.found)


def test_many_classes_that_occur_nowhere_are_one_sentence(tmp_path):
    labels = {"background": 0, "seen": 1} | {f"organ {i}": i for i in range(2, 40)}
    maps = {case: np.eye(6, dtype=np.uint8) for case in ("a", "b")}
    _data_set(tmp_path, maps, labels=labels)

    found = [p.found for p in check(tmp_path) if "occur" in p.found]

    assert found == [
        "38 of 39 classes occur in no annotation: organ 2, organ 3, organ 4, organ 5, "
        "organ 6 and 33 more."
    ]
