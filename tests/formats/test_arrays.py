"""Channels and label values between a file and the rest of autoseg."""

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from autoseg.errors import FormatError
from autoseg.formats._arrays import (
    as_integers,
    as_storable,
    fit_channels,
    write_voxels,
)
from autoseg.geometry import mapped

FILE = Path("file.png")
RGB = np.arange(3 * 4, dtype=np.uint8).reshape(3, 2, 2)
GRAY = RGB[:1]


@pytest.mark.parametrize("channels", [None, 3])
def test_channels_that_fit_stay(channels):
    assert fit_channels(RGB, channels, FILE) is RGB


def test_gray_saved_as_color_becomes_one_channel():
    assert np.array_equal(fit_channels(np.repeat(GRAY, 3, 0), 1, FILE), GRAY)


def test_an_opaque_alpha_channel_goes():
    opaque = np.concatenate([RGB, np.full((1, 2, 2), 255, np.uint8)])

    assert np.array_equal(fit_channels(opaque, 3, FILE), RGB)
    assert fit_channels(opaque, 4, FILE) is opaque


def test_gray_among_color_is_repeated():
    assert np.array_equal(fit_channels(GRAY, 3, FILE), np.repeat(GRAY, 3, 0))


@pytest.mark.parametrize(
    ("array", "channels"),
    [
        (RGB, 1),  # colors that differ
        (RGB, 2),
        (np.concatenate([RGB, RGB[:1]]), 3),  # an alpha channel that says something
        (GRAY, 2),
    ],
)
def test_channels_are_never_thrown_away_or_made_up(array, channels):
    with pytest.raises(FormatError, match=rf"{len(array)} channels where {channels}"):
        fit_channels(array, channels, FILE)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint32, np.int64])
def test_integers_keep_their_type(kind):
    assert as_integers(np.ones((1, 2), kind), FILE).dtype == kind


def test_truth_values_become_0_and_1():
    labels = as_integers(np.array([[True, False]]), FILE)

    assert labels.dtype == np.uint8
    assert labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0.0, 255.0], np.uint8),
        ([0.0, 256.0], np.uint16),
        ([-1.0, 3.0], np.int16),
        ([-1.0, 70000.0], np.int32),
    ],
)
def test_whole_floating_point_values_become_the_smallest_integers(values, kind):
    labels = as_integers(np.array([values]), FILE)

    assert labels.dtype == kind
    assert labels.tolist() == values


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf])
def test_values_that_are_not_whole_are_refused(value):
    with pytest.raises(FormatError, match=r"file\.png.*not whole"):
        as_integers(np.array([[0.0, value]]), FILE)


def test_color_in_an_annotation_is_refused():
    with pytest.raises(FormatError, match="3 channels that differ"):
        as_integers(RGB, FILE)


def test_gray_saved_as_color_is_an_annotation():
    opaque = np.concatenate([*[GRAY] * 3, np.full((1, 2, 2), 255, np.uint8)])

    assert np.array_equal(as_integers(opaque, FILE), GRAY[0])


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (np.array([3], np.uint16), np.uint16),  # its own type is kept
        (np.array([3], np.int64), np.uint8),
        (np.array([True]), np.uint8),
        (np.array([256], np.int64), np.uint16),
        (np.array([-1], np.int64), np.int32),
        (np.array([65536], np.uint32), np.int32),
        (np.array([3], ">u2"), np.uint16),
    ],
)
def test_labels_are_stored_in_their_type_or_the_smallest(labels, kind):
    stored = as_storable(labels, (np.uint8, np.uint16, np.int32), FILE)

    assert stored.dtype == kind
    assert stored.tolist() == labels.tolist()


def test_values_never_wrap():
    with pytest.raises(FormatError, match=r"file\.png cannot hold .* 0 to 65536"):
        as_storable(np.array([0, 65536]), (np.uint8, np.uint16), FILE)


def test_floating_point_labels_are_no_labels():
    with pytest.raises(FormatError, match="float64"):
        as_storable(np.array([1.0]), (np.uint8,), FILE)


@pytest.mark.parametrize("value", [1, 3, 17, 1000, 32000])
def test_what_a_scale_and_float32_round_is_whole(value):
    slope = np.float32(0.001)
    stored = np.array([[0, value]], np.float64) * 1000

    labels = as_integers((stored * float(slope)).astype(np.float32), FILE)

    assert labels.tolist() == [0, value]


@pytest.mark.parametrize("value", [0.9961, 0.99998, 3.0001])
def test_what_is_further_from_whole_is_refused(value):
    with pytest.raises(FormatError, match="nearest neighbor"):
        as_integers(np.array([[0.0, value]]), FILE)


def test_voxels_in_a_file_are_written_row_by_row_and_alike(monkeypatch):
    monkeypatch.setattr(mapped, "AT_ONCE", 12)
    plain = np.arange(40, dtype=">u2").reshape(5, 8)
    filed = mapped.filed(plain.shape, plain.dtype)
    filed[...] = plain
    whole, parts = io.BytesIO(), []

    write_voxels(whole, plain)
    write_voxels(SimpleNamespace(write=lambda part: parts.append(bytes(part))), filed)

    assert b"".join(parts) == whole.getvalue() == plain.astype("<u2").tobytes()
    assert [len(part) for part in parts] == [16] * 5
