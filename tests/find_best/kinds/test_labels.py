"""Averages of label maps are scored case by case; other tasks of the kind have none."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from autoseg.find_best.kinds.base import Last
from autoseg.find_best.kinds.labels import LabelsBest
from autoseg.find_best.search import Search
from autoseg.find_best.table import table_of
from autoseg.tasks.semantic import SemanticTask

TASK = SemanticTask(labels={"background": 0, "one": 1})
TRUTH = np.array([[0, 0, 1, 1]], np.int16)
# Outputs in 8 bits of class one: the first model misses voxel 3, the second adds 1.
FIRST, SECOND = [0, 60, 240, 100], [0, 140, 240, 240]


class Folds(SimpleNamespace):
    """A search whose two configurations say the same in both of its cases."""

    def table(self, cases):
        return table_of(cases, self.ids, self.classes, self.by, 9.0)

    def read(self, members, score):
        every = dict(zip(map(id, self.candidates), (FIRST, SECOND), strict=True))
        arrays = []
        for member in members:
            one = np.array([every[id(member)]], np.uint8)
            arrays.append(np.stack([255 - one, one]))
        return {case: score(arrays, TRUTH, (1.0, 1.0)) for case in self.ids}


def _search(task=TASK):
    candidates = [SimpleNamespace(fold_of={"a": "0", "b": "1"}) for _ in range(2)]
    return Folds(
        task=task,
        candidates=candidates,
        ids=["a", "b"],
        classes=["one"],
        by="dice",
        worst=9.0,
        crf=False,
        fingerprint=SimpleNamespace(annotation={}),
    )


def test_the_average_of_two_is_better_than_each():
    search = _search()

    ((pair, table),) = LabelsBest(search).averages([search.candidates])

    # Means are 0, 100, 240, 170 of 255: over one half where the annotation is.
    assert pair is search.candidates
    assert table.tolist() == [[1.0], [1.0]]


def test_what_gains_nothing_is_tried_and_not_kept():
    search = _search()
    perfect = np.ones((2, 1))

    last = LabelsBest(search).last_steps(search.candidates, perfect)

    assert last.table is perfect
    tried = {step.name for step in last.steps}
    assert tried == {"threshold", "fill holes", "components"}
    assert not any(step.kept for step in last.steps)
    assert not last.rules.classes


def test_a_task_that_looks_around_has_no_averages_and_no_rules():
    class Smooth(SemanticTask):
        pointwise = None

    search = _search(Smooth(labels={"background": 0, "one": 1}))
    kind = LabelsBest(search)
    table = np.zeros((2, 1))

    assert kind.averages([search.candidates]) == []
    assert kind.last_steps(search.candidates, table) == Last(table=table)


def test_the_toy_search_has_what_a_real_one_has():
    real = {field.name for field in dataclasses.fields(Search)} | set(vars(Search))

    assert set(vars(_search())) <= real


def test_an_average_that_is_too_sure_gets_a_temperature_of_its_own():
    search = _search()
    # It says 0.9 of everything, by 220 and 239 of 255, and six of ten are right.
    truth = np.tile(np.array([1] * 6 + [0] * 4, np.int16), (1, 30))
    said = [np.full(truth.shape, level, np.uint8) for level in (220, 239)]
    search.read = lambda members, look: {
        case: look([np.stack([255 - one, one]) for one in said], truth, (1.0, 1.0))
        for case in search.ids
    }

    found = LabelsBest(search).calibrated(search.candidates)

    # sigmoid(log(0.9 / 0.1) / T) = 0.6
    wanted = np.log(9) / np.log(1.5)
    assert found.temperatures == {"classes": pytest.approx(wanted, rel=1e-3)}
