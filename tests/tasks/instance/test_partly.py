"""Instances of which some classes were not annotated in a case."""

import numpy as np

from autoseg.spec.annotation import IGNORED
from autoseg.spec.instances import Instances
from autoseg.tasks.instance import InstanceTask

TASK = InstanceTask(labels={"cell": 1, "debris": 2}, ignored=True)


def _drawn():
    labels = np.zeros((6, 12), np.int32)
    labels[1:3, 1:4], labels[1:3, 6:9], labels[4, 4:8] = 1, 2, 3
    return TASK.read(Instances(labels, {1: 1, 2: 1, 3: 2}))


def test_outside_of_annotated_objects_nobody_has_looked():
    known = TASK.partly(_drawn(), ["cell"])

    stored = TASK.stored(known)

    assert (stored[1:3, 1:4] > 0).all() and (stored[1:3, 6:9] > 0).all()
    assert (stored[4] == IGNORED).all()  # drawn by chance
    assert (stored == IGNORED).sum() == stored.size - 12


def test_an_annotated_class_is_scored_in_full_and_the_others_are_not():
    predicted = _drawn()
    labels = predicted.labels.copy()
    labels[5, 0:3] = 4  # a cell where none is: the case speaks of cells, so it is wrong
    predicted = TASK.read(Instances(labels, {1: 1, 2: 1, 3: 2, 4: 1}))

    scores = TASK.score(predicted, TASK.partly(_drawn(), ["cell"]), (1.0, 1.0))

    assert list(scores) == ["cell"]
    assert scores["cell"]["ap_50"] == 2 / 3


def test_only_annotated_objects_are_measured():
    measured = TASK.measure(TASK.partly(_drawn(), ["debris"]), (1.0, 1.0))

    assert measured["classes"]["debris"] == 1 and measured["objects"] == 1
    assert measured["ignored"] == (72 - 4) / 72


def test_nothing_changes_where_all_classes_were_annotated():
    whole = TASK.partly(_drawn(), ["debris", "cell"])

    assert np.array_equal(TASK.stored(whole), TASK.stored(_drawn()))
    assert "any class" in TASK.score(_drawn(), whole, (1.0, 1.0))
