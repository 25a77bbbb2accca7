"""Batches come in order, whole, and with the name of the case that failed."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from autoseg.augmentations.pipeline import Pipeline
from autoseg.errors import TrainingError
from autoseg.train.data import loader as module
from autoseg.train.data.loader import Loader
from autoseg.train.data.open_cases import OpenCases
from autoseg.train.data.sample import read_box, read_sample
from autoseg.train.data.sampler import Drawn, Sampler


class Watched:
    """An array that remembers how many of its elements were read."""

    def __init__(self, array):
        self.array, self.read = array, 0
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, index):
        cut = self.array[index]
        self.read += cut.size
        return cut


def stored(shape=(2, 10, 12), seed=0):
    rng = np.random.default_rng(seed)
    image = rng.normal(size=shape).astype(np.float16)
    labels = rng.integers(-1, 3, size=shape[1:]).astype(np.int8)
    return SimpleNamespace(
        image=Watched(image),
        annotation=Watched(labels),
        points=None,
        shape=shape[1:],
        foreground_count=lambda name: 0,
    )


@pytest.mark.parametrize("corner", [(0, 0), (-2, 3), (7, 9), (-3, -3), (20, 0)])
def test_a_box_is_what_padding_everything_and_cutting_gives(corner):
    array = np.arange(2 * 10 * 12).reshape(2, 10, 12)
    everything = np.pad(array, ((0, 0), (40, 40), (40, 40)), constant_values=-7)
    y, x = corner[0] + 40, corner[1] + 40

    box = read_box(array, corner, (6, 7), -7)

    np.testing.assert_array_equal(box, everything[:, y : y + 6, x : x + 7])


def test_no_voxel_is_read_in_vain():
    case = stored()
    draw = SimpleNamespace(source_shape=(6, 6))
    drawn = Drawn(case="x", corner=(-1, 8), plane=None, augmentation=draw)

    sample = read_sample(case, drawn, (4, 4))

    # A box of 6 x 6 about a patch at (-1, 8): rows -2..3 and columns 7..12.
    assert sample.image.shape == (2, 6, 6) and sample.image.dtype == torch.float32
    assert case.image.read == 2 * 4 * 5
    assert case.annotation.read == 4 * 5
    assert (sample.labels[:2] == -1).all() and (sample.image[:, :2] == 0).all()
    expected = case.annotation.array[0:4, 7:12]
    np.testing.assert_array_equal(sample.labels[2:, :5].numpy(), expected)


def test_a_slice_of_a_volume_is_read_alone():
    case = stored((1, 5, 8, 8))
    draw = SimpleNamespace(source_shape=(4, 4))
    drawn = Drawn(case="x", corner=(2, 3), plane=4, augmentation=draw)

    sample = read_sample(case, drawn, (4, 4))

    expected = case.annotation.array[4, 2:6, 3:7]
    np.testing.assert_array_equal(sample.labels.numpy(), expected)
    assert case.annotation.read == 16


def make(open_case, threads, patch=(4, 4), policy="nnunet", channels=2, encode=None):
    pipeline = Pipeline(policy, patch, (0, 1), channels=channels)
    sampler = Sampler(
        ["a", "b", "c"],
        open_case,
        classes=(),
        patch_size=patch,
        batch_size=2,
        foreground=0.33,
        seed=5,
        augment=pipeline.draw,
    )
    return Loader(
        sampler, pipeline, torch.device("cpu"), threads=threads, encode=encode
    )


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_threads_change_nothing_and_batches_come_in_order():
    cases = {name: stored(seed=i) for i, name in enumerate("abc")}

    alone = list(make(cases.__getitem__, 0).batches(0, 12))
    threaded = list(make(cases.__getitem__, 3).batches(0, 12))

    assert [batch.iteration for batch in threaded] == list(range(12))
    for one, other in zip(alone, threaded, strict=True):
        assert one.cases == other.cases
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.labels, other.labels)
    assert alone[0].images.shape == (2, 2, 4, 4)


def test_ids_beyond_16_bit_come_through_every_step():
    case = stored()
    case.annotation = Watched(np.full((10, 12), 70_000, np.int32))

    batch = next(make(lambda name: case, 0).batches(0, 1))

    assert (
        batch.labels.unique().tolist() == [0, 70_000] or batch.labels.eq(70_000).all()
    )


@pytest.mark.parametrize("threads", [0, 2])
def test_targets_are_encoded_from_the_augmented_labels(threads):
    cases = {name: stored(seed=i) for i, name in enumerate("abc")}

    def encode(labels):
        return {"twice": np.stack([labels, 2 * labels]).astype(np.float32)}

    batches = list(make(cases.__getitem__, threads, encode=encode).batches(0, 3))

    for batch in batches:
        assert batch.learned["twice"].shape == (2, 2, 4, 4)
        assert torch.equal(batch.learned["twice"][:, 1], 2.0 * batch.labels)


def test_going_on_in_the_middle_gives_the_same_batches():
    cases = {name: stored(seed=i) for i, name in enumerate("abc")}
    loader = make(cases.__getitem__, 2)

    whole = list(loader.batches(0, 8))
    rest = list(loader.batches(5, 8))

    assert [batch.iteration for batch in rest] == [5, 6, 7]
    for one, other in zip(whole[5:], rest, strict=True):
        assert torch.equal(one.images, other.images)


@pytest.mark.parametrize("threads", [0, 2])
def test_an_error_names_the_case_and_what_was_done_with_it(threads):
    def open_case(name):
        if name == "b":
            raise OSError("the disk is gone")
        return stored()

    with pytest.raises(TrainingError, match="reading case b .*the disk is gone"):
        list(make(open_case, threads).batches(0, 50))


def test_threads_end_when_nobody_wants_more_batches():
    before = threading.active_count()
    batches = make(lambda name: stored(), 2).batches(0)
    next(batches)

    batches.close()

    assert threading.active_count() == before


def test_a_thread_that_hangs_is_reported_with_its_case(monkeypatch, caplog):
    monkeypatch.setattr(module, "PATIENCE", 0.05)

    def open_case(name):
        time.sleep(0.3)
        return stored()

    next(make(open_case, 1).batches(0, 1))

    assert "reading case" in caplog.text


def test_cases_are_kept_open_up_to_a_limit():
    opened = []
    cases = OpenCases(lambda name: opened.append(name) or name.upper(), limit=2)

    found = [cases(name) for name in "abacab"]

    assert found == list("ABACAB")
    assert opened == ["a", "b", "c", "b"]  # b was the one not used for longest
