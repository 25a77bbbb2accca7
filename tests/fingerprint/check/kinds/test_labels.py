"""What the values of label maps say, and how a task without names is looked at."""

import json

import numpy as np
from PIL import Image as Picture

from autoseg.datasets.read import load_dataset
from autoseg.fingerprint.check.facts import CaseFacts
from autoseg.fingerprint.check.kinds.labels import LabelsCheck, propose
from autoseg.fingerprint.check.stage import examine
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
