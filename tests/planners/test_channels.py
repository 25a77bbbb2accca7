"""Normalization by the channel's name."""

import pytest

from autoseg.errors import PlanError
from planners._channels import choose_channels


@pytest.mark.parametrize(
    "name, normalizer",
    [
        ("CT", "ct"),
        ("ct", "ct"),
        ("noNorm", "none"),
        ("rescale_to_0_1", "rescale_to_0_1"),
        ("RGB_to_0_1", "rgb_to_0_1"),
        ("zscore", "zscore"),
        ("T1", "zscore"),
        ("rescale_0_1", "zscore"),  # as in nnU-Net: an unknown name
    ],
)
def test_a_channel_is_normalized_by_its_name(fingerprint, name, normalizer):
    channels, _ = choose_channels(fingerprint((9, 9, 9), (1, 1, 1), names=(name,)))

    assert channels[0].normalizer.name == normalizer


def test_ct_takes_its_numbers_along(fingerprint):
    channels, _ = choose_channels(fingerprint((9, 9, 9), (1, 1, 1), names=("CT",)))

    assert channels[0].normalizer.options == {
        "mean": 90.0,
        "std": 70.0,
        "percentile_00_5": -100.0,
        "percentile_99_5": 300.0,
    }


@pytest.mark.parametrize("left, masked", [(0.75, False), (0.7499, True)])
def test_the_mask_is_used_when_cropping_takes_a_quarter(fingerprint, left, masked):
    found = fingerprint(
        (9, 9, 9), (1, 1, 1), names=("MRI", "CT"), relative_size_after_crop=left
    )

    channels, _ = choose_channels(found)

    assert [channel.masked for channel in channels] == [masked, False]


def test_ct_without_intensities_is_an_error(fingerprint):
    found = fingerprint((9, 9, 9), (1, 1, 1), names=("CT",), intensities=())

    with pytest.raises(PlanError, match="run `autoseg fingerprint` again"):
        choose_channels(found)
