"""Intensities of images that stay in their files."""

from __future__ import annotations

import numpy as np

from autoseg.fingerprint.sketches import sketches_of
from autoseg.spec.annotation import LabelMap
from autoseg.spec.arrays import windowed
from autoseg.spec.arrays.sources import Held
from autoseg.spec.arrays.windowed import Windowed

ROW = 4 * 5


class Watched(Held):
    """An array in memory that counts how much was read since it was let go of."""

    def __init__(self, array):
        super().__init__(array)
        object.__setattr__(self, "seen", {"now": 0, "most": 0})

    def read(self, box):
        found = super().read(box)
        self.seen["now"] += found.size
        self.seen["most"] = max(self.seen["most"], self.seen["now"])
        return found

    def let_go(self):
        self.seen["now"] = 0


def test_of_image_and_annotation_in_files_a_part_at_a_time_is_kept(monkeypatch):
    monkeypatch.setattr(windowed, "AT_ONCE", ROW)
    rng = np.random.default_rng(0)
    image = rng.integers(1, 9, (1, 30, 4, 5)).astype(np.float32)
    labels = rng.integers(0, 2, (30, 4, 5)).astype(np.int16)
    image_file, label_file = Watched(image), Watched(labels)
    region = LabelMap(Windowed(label_file)).region(None)

    (found,), nothing = sketches_of(Windowed(image_file), region)

    assert not nothing and found.summary().voxels == labels.sum()
    assert image_file.seen["most"] == label_file.seen["most"] == ROW


def test_a_mask_in_a_file_is_let_go_of_with_the_labels_that_it_masks():
    labels, mask = Watched(np.zeros((3, 4, 5), int)), Watched(np.ones((3, 4, 5), bool))
    masked = LabelMap(Windowed(labels)).masked(Windowed(mask))
    np.asarray(masked.labels)

    masked.labels.let_go()

    assert labels.seen["now"] == mask.seen["now"] == 0
