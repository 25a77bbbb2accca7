from dataclasses import replace

import numpy as np
import pytest

from autoseg.geometry import mapped
from autoseg.preprocess import later
from autoseg.preprocess.case import prepare_image
from autoseg.preprocess.later import prepare_later
from autoseg.spec.choice import Choice
from autoseg.spec.configuration import Configuration
from autoseg.spec.image import Geometry, Image
from autoseg.spec.plan import Channel, Plan

NAMES = ("zscore", "rgb_to_0_1", "rescale_to_0_1", "none")


def _plan(dim=2, spacing=1.0, masked=False, names=NAMES, transpose=None):
    return Plan(
        name="toy",
        dataset="Toy",
        planner="unet",
        task=Choice(name="semantic", options={"labels": {"background": 0, "one": 1}}),
        unit="px",
        transpose=transpose or tuple(range(dim)),
        channels=tuple(
            Channel(name=name, normalizer=Choice(name=name), masked=masked)
            for name in names
        ),
        configurations={
            "net": Configuration(
                spacing=(spacing,) * dim,
                patch_size=(8,) * dim,
                batch_size=2,
                median_shape=(8.0,) * dim,
                network=Choice(name="plain_unet", options={"features": [2]}),
            )
        },
    )


def _image(path, shape=(4, 30, 41), dtype=np.uint8):
    """An image in a file, with a frame of zeros that is cropped."""
    values = np.zeros(shape, dtype)
    inner = (slice(None), *[slice(2, -3)] * (len(shape) - 1))
    rng = np.random.default_rng(0)
    values[inner] = rng.integers(1, 200, values[inner].shape)
    np.save(path / "image.npy", values)
    spacing = (1.0,) * (len(shape) - 1)
    return Image(
        array=np.load(path / "image.npy", mmap_mode="r"),
        geometry=Geometry(shape=shape[1:], spacing=spacing, unit="px"),
    )


@pytest.mark.parametrize("dtype", [np.uint8, ">u2", np.float32])
@pytest.mark.parametrize("transpose", [(0, 1), (1, 0)])
def test_parts_are_those_of_an_image_that_is_prepared_at_once(
    tmp_path, monkeypatch, dtype, transpose
):
    image, plan = _image(tmp_path, dtype=dtype), _plan(transpose=transpose)
    monkeypatch.setattr(later, "AT_MOST", 100)

    whole = prepare_image(image, plan, "net")
    parts = prepare_later(image, plan, "net")

    assert parts.placement == whole.placement
    assert parts.array.shape == whole.array.shape and len(parts.array) == 4
    for box in ((slice(0, 9), slice(0, 36)), (slice(3, 20), slice(5, 6))):
        index = (slice(None), *box)
        assert parts.array[index].dtype == np.float32
        np.testing.assert_array_equal(parts.array[index], whole.array[index])
    assert image.array.max() < 200  # the file is as it was


@pytest.mark.parametrize(
    "box",
    [
        (slice(0, 1), slice(0, 30), slice(0, 50), slice(0, 900)),  # all of it
        (slice(1, 2), slice(3, 11), slice(8, 40), slice(64, 128)),  # a window
        (slice(0, 2), slice(0, 30), slice(0, 50), slice(0, 1)),  # a face
        (slice(0, 1), slice(2, 3), slice(5, 6), slice(10, 300)),  # a part of a row
    ],
    ids=["all", "window", "face", "row"],
)
def test_the_pages_of_a_box_are_counted(box):
    shape, itemsize = (2, 30, 50, 900), 2
    places = np.arange(np.prod(shape)).reshape(shape)[box]
    pages = len(np.unique(places * itemsize // 4096))

    touched = later.touched_bytes(box, shape, itemsize)

    assert pages * 4096 / 2 <= touched <= 2 * pages * 4096


def test_volumes_are_left_in_their_files_too(tmp_path):
    image, plan = _image(tmp_path, (1, 9, 20, 21)), _plan(3, names=("zscore",))

    whole = prepare_image(image, plan, "net")
    parts = prepare_later(image, plan, "net")

    everything = (slice(None),) * 4
    np.testing.assert_array_equal(parts.array[everything], whole.array)


@pytest.mark.parametrize(
    "change", [{"spacing": 2.0}, {"spacing": 0.7}, {"masked": True}]
)
def test_what_is_resampled_or_masked_is_what_it_would_be_in_memory(
    tmp_path, monkeypatch, change
):
    image, plan = (
        _image(tmp_path, (1, 9, 20, 21)),
        _plan(3, names=("zscore",), **change),
    )
    monkeypatch.setattr(mapped, "IN_MEMORY", 0)

    whole = prepare_image(image, plan, "net")
    parts = prepare_later(image, plan, "net")

    assert parts.placement == whole.placement
    assert mapped.is_mapped(parts.array)
    np.testing.assert_array_equal(parts.array, whole.array)


def test_an_image_in_memory_is_left_to_others(tmp_path):
    there = _image(tmp_path)
    image = Image(array=np.array(there.array), geometry=there.geometry)

    assert prepare_later(image, _plan(), "net") is None


def test_a_constant_image_becomes_zero(tmp_path):
    np.save(tmp_path / "flat.npy", np.full((1, 50, 60), 213, np.uint16))
    image = Image(
        array=np.load(tmp_path / "flat.npy", mmap_mode="r"),
        geometry=Geometry(shape=(50, 60), spacing=(1.0, 1.0), unit="px"),
    )

    found = prepare_later(image, _plan(names=("zscore",)), "net")

    assert not found.array[(slice(None),) * 3].any()


def test_parts_are_of_the_whole_image_if_nothing_is_cropped(tmp_path):
    plan = replace(_plan(names=("none",) * 4), crop="none")
    image = _image(tmp_path)

    parts = prepare_later(image, plan, "net")

    assert parts.placement.box == ((0, 30), (0, 41))
    everything = (slice(None), slice(0, 30), slice(0, 41))
    np.testing.assert_array_equal(parts.array[everything], image.array)
