"""Which patches are drawn, and that the draw belongs to nothing but its numbers."""

import numpy as np
import pytest

from autoseg.errors import TrainingError
from autoseg.train.data.sampler import VALIDATION, Sampler


class Stored:
    """A stored case: a label map and the index of its classes."""

    def __init__(self, labels, classes=("a", "b"), ignore=None):
        self.labels = np.asarray(labels)
        self.shape = self.labels.shape
        self.index = {
            name: np.flatnonzero(self.labels == i + 1) for i, name in enumerate(classes)
        }
        if ignore is not None:
            self.index["annotated"] = np.flatnonzero(self.labels != ignore)

    def foreground(self, name):
        return self.index[name]

    def foreground_count(self, name):
        return len(self.index.get(name, ()))


def make(cases, patch=(4, 4), batch=2, seed=0, **options):
    options = {"foreground": 0.33, "classes": ("a", "b"), **options}
    return Sampler(
        sorted(cases),
        cases.__getitem__,
        patch_size=patch,
        batch_size=batch,
        seed=seed,
        **options,
    )


def corner_case(size=20):
    """One voxel of class a in a corner, many of class b elsewhere."""
    labels = np.zeros((size, size), int)
    labels[12:18, 12:18] = 2
    labels[3, 4] = 1
    return Stored(labels)


@pytest.mark.parametrize(("batch", "forced"), [(2, 1), (12, 4), (9, 3)])
def test_the_last_third_of_a_batch_is_centered_on_foreground(batch, forced):
    # nnU-Net: sample j is forced unless j < round(B * (1 - 0.33))
    labels = np.zeros((64, 64), int)
    labels[30, 30] = 1
    sampler = make({"x": Stored(labels)}, batch=batch)

    centered = [
        all(sampler.draw(i, j).corner == (28, 28) for i in range(12))
        for j in range(batch)
    ]

    assert centered == [False] * (batch - forced) + [True] * forced


@pytest.mark.parametrize(("share", "centered"), [(0.25, 25), (1.0, 100), (0.0, 0)])
def test_a_share_of_batches_of_one_is_centered_on_foreground(share, centered):
    labels = np.zeros((512, 512), int)
    labels[30, 30] = 1
    sampler = make({"x": Stored(labels)}, batch=1, foreground=share)

    found = [sampler.draw(i, 0).corner == (28, 28) for i in range(100)]

    assert sum(found) == centered
    assert sum(found[:8]) == 8 * share  # evenly, not all in the end


def test_classes_are_drawn_uniformly_however_large_they_are():
    sampler = make({"x": corner_case()})

    hits = sum(sampler.draw(i, 1).corner == (1, 2) for i in range(400))

    assert 160 < hits < 240  # the one voxel of class a: half of 400, 4 sigma


def test_cases_are_drawn_uniformly():
    sampler = make({name: corner_case() for name in "wxyz"})

    drawn = [sampler.draw(i, 0).case for i in range(400)]

    assert all(60 < drawn.count(name) < 140 for name in "wxyz")


def test_a_draw_depends_on_seed_stream_iteration_and_sample_only():
    cases = {name: corner_case() for name in "wxyz"}
    forwards = [make(cases).draw(i, j) for i in range(6) for j in range(2)]
    again = make(cases)
    backwards = [again.draw(i, j) for i in reversed(range(6)) for j in (1, 0)]

    assert forwards == backwards[::-1]
    for other in (make(cases, seed=1), make(cases, stream=VALIDATION)):
        assert forwards != [other.draw(i, j) for i in range(6) for j in range(2)]


def test_a_patch_anywhere_stays_inside_and_reaches_both_ends():
    sampler = make({"x": corner_case(8)}, patch=(4, 8))

    corners = {sampler.draw(i, 0).corner for i in range(200)}

    assert corners == {(low, 0) for low in range(5)}


def test_a_patch_on_a_voxel_does_not_begin_before_the_image_but_may_end_after_it():
    labels = np.zeros((20, 20), int)
    labels[1, 19] = 1
    sampler = make({"x": Stored(labels)}, patch=(8, 8))

    # 1 - 4 is before the image, 19 - 4 + 8 is behind it: as in nnU-Net.
    assert sampler.draw(0, 1).corner == (0, 15)


def test_without_overhang_a_patch_on_a_voxel_ends_with_the_image_or_is_centered_on_it():
    labels = np.zeros((20, 5), int)
    labels[17, 4] = 1
    sampler = make({"x": Stored(labels)}, patch=(8, 8), overhang=False)

    # 20 - 8 is the last place inside; 5 columns are in the middle of 8, 2 before them.
    assert sampler.draw(0, 1).corner == (12, -2)


def test_an_image_smaller_than_the_patch_is_centered_in_it():
    sampler = make({"x": Stored(np.zeros((4, 20), int))}, patch=(8, 8))

    assert {sampler.draw(i, 0).corner[0] for i in range(50)} == {-2}


def test_a_case_without_foreground_is_drawn_anywhere():
    sampler = make({"x": Stored(np.zeros((20, 20), int))})

    assert len({sampler.draw(i, 1).corner for i in range(50)}) > 20


def test_with_an_ignore_label_patches_are_centered_on_annotated_voxels():
    labels = np.full((20, 20), 3)
    labels[9, 10], labels[10, 10] = 0, 1
    sampler = make({"x": Stored(labels, ignore=3)})

    assert {sampler.draw(i, 0).corner for i in range(50)} == {(7, 8), (8, 8)}
    assert {sampler.draw(i, 1).corner for i in range(50)} == {(8, 8)}


def test_a_2d_patch_of_a_volume_is_cut_from_the_slice_of_its_voxel():
    labels = np.zeros((6, 20, 20), int)
    labels[4, 10, 12] = 1
    sampler = make({"x": Stored(labels)})

    forced = sampler.draw(0, 1)

    assert (forced.plane, forced.corner) == (4, (8, 10))
    assert {sampler.draw(i, 0).plane for i in range(100)} == set(range(6))


def test_the_augmentation_is_drawn_from_the_samples_own_numbers():
    case = {"x": corner_case()}
    sampler = make(case, augment=lambda rng: int(rng.integers(1 << 30)))

    assert sampler.draw(3, 0).augmentation == sampler.draw(3, 0).augmentation
    assert sampler.draw(3, 0).augmentation != sampler.draw(3, 1).augmentation


def test_no_case_at_all_is_refused():
    with pytest.raises(TrainingError, match="no case"):
        make({})
