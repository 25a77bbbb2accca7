"""Pooled Dice of patches, counted by hand."""

import numpy as np
import pytest
import torch

from autoseg.tasks import TASKS
from autoseg.tasks.semantic import SemanticTask
from autoseg.train.data.batch import Batch
from autoseg.train.loop.criterion import Criterion
from autoseg.train.loop.patch_score import PatchScore, count_overlap
from autoseg.train.setup.hardware import choose_hardware

SEMANTIC = {"labels": {"background": 0, "one": 1, "two": 2}}
REGIONS = {
    "labels": {"background": 0, "whole": [1, 2], "core": 2},
    "regions_class_order": [1, 2],
}


class Fixed:
    """A loader that gives the batches it was given."""

    def __init__(self, batches):
        self.all = batches

    def batches(self, first, last):
        return iter(self.all[first:last])


def batch(labels):
    return Batch(
        images=torch.zeros(len(labels), 1, *labels.shape[1:]),
        labels=labels,
        cases=("x",) * len(labels),
        iteration=0,
        read_seconds=0.0,
        augment_seconds=0.0,
    )


def score(task, logits, labels):
    hardware = choose_hardware("cpu", precision="fp32")
    criterion = Criterion(task, batch_dice=False, spacing=(1, 1))
    given = Fixed([batch(row[None]) for row in labels])
    patches = PatchScore(task, criterion, hardware, given, batches=len(labels))
    answers = iter(logits)
    return patches(lambda images: {"classes": [next(answers)[None]]})


def one_hot(labels, classes):
    return torch.stack([labels == k for k in range(classes)], 1) * 20.0


def test_dice_is_pooled_over_all_patches():
    task = TASKS["semantic"](**SEMANTIC)
    truth = torch.zeros((2, 4, 4), dtype=torch.int16)
    truth[0, 0] = 1  # 4 voxels of class one
    truth[1, :2] = 1  # and 8 more
    predicted = truth.clone()
    predicted[0, 0] = 0  # of which the first four are missed

    found = score(task, one_hot(predicted, 3), truth)

    # 2 * 8 / (8 + 12); class two is neither there nor found, so it has no score.
    assert found["dice"] == {"one": 0.8, "two": None}
    assert found["score"] == pytest.approx(0.8)


def test_regions_are_counted_by_their_own_channel():
    task = TASKS["semantic"](**REGIONS)
    truth = torch.zeros((1, 4, 4), dtype=torch.int16)
    truth[0, 0], truth[0, 1] = 1, 2
    logits = torch.stack([truth > 0, truth == 1], 1) * 20.0 - 10.0  # core is wrong

    counts = count_overlap(task, logits, truth, {"whole": (1, 2), "core": (2,)})

    np.testing.assert_array_equal(counts, [[8, 8, 8], [0, 4, 4]])


def test_ignored_voxels_do_not_count():
    task = TASKS["semantic"](**SEMANTIC, ignore=3)
    truth = torch.zeros((1, 4, 4), dtype=torch.int16)
    truth[0, 0], truth[0, 1] = 1, 3
    everywhere = one_hot(torch.ones_like(truth), 3)

    counts = count_overlap(task, everywhere, truth, {"one": (1,)})

    np.testing.assert_array_equal(counts, [[4, 12, 4]])


def test_without_batches_nothing_is_measured():
    task = TASKS["semantic"](**SEMANTIC)

    patches = PatchScore(task, None, None, Fixed([]), batches=0)

    assert patches(lambda images: {}) == {}


def test_what_a_case_says_nothing_of_does_not_count():
    task = SemanticTask(labels={"background": 0, "one": 1, "two": 2}, partly=[["one"]])
    labels = torch.tensor([[[1, 1, 3, 3]], [[1, 2, 0, 0]]])  # 3: background or two
    logits = torch.zeros((2, 3, 1, 4))
    logits[:, 2] = 1  # all is said to be class two
    groups = {"one": task.members("one"), "two": task.members("two")}

    counts = count_overlap(task, logits, labels, groups)

    assert counts.tolist() == [[0, 0, 3], [1, 6, 1]]
