"""nnU-Net's fingerprint as ours."""

import pytest

from autoseg.errors import DatasetError
from autoseg.interop.nnunet_fingerprint import fingerprint_from_nnunet

NUMBERS = {
    "max": 3000.0,
    "mean": 90.0,
    "median": 95.0,
    "min": -900.0,
    "percentile_00_5": -100.0,
    "percentile_99_5": 300.0,
    "std": 70.0,
}


def files(shapes, spacings, **more):
    dataset = {
        "channel_names": {"0": "CT", "1": "PET"},
        "labels": {"background": 0, "liver": 1},
        "numTraining": 40,
        "file_ending": ".nii.gz",
        **more,
    }
    fingerprint = {
        "shapes_after_crop": shapes,
        "spacings": spacings,
        "median_relative_size_after_cropping": 0.9,
        "foreground_intensity_properties_per_channel": {
            "1": {**NUMBERS, "mean": 5.0},
            "0": NUMBERS,
        },
    }
    return dataset, fingerprint


def test_volumes_keep_their_axes():
    found, task = fingerprint_from_nnunet(*files([[40, 50, 60]], [[3, 1, 1]]))

    assert found.shapes == ((40, 50, 60),)
    assert found.spacings == ((3.0, 1.0, 1.0),)
    assert (found.unit, found.num_cases) == ("mm", 40)
    assert found.relative_size_after_crop == 0.9
    assert task.options == {"labels": {"background": 0, "liver": 1}}


def test_channels_are_in_the_order_of_their_numbers():
    found, _ = fingerprint_from_nnunet(*files([[40, 50, 60]], [[3, 1, 1]]))

    assert found.channel_names == ("CT", "PET")
    assert [channel.mean for channel in found.intensities] == [90.0, 5.0]
    assert found.intensities[0].percentile_99_5 == 300.0


def test_eleven_channels_are_not_sorted_as_text():
    names = {str(n): f"c{n}" for n in range(11)}

    found, _ = fingerprint_from_nnunet(
        *files([[40, 50, 60]], [[3, 1, 1]], channel_names=names)
    )

    assert found.channel_names[-1] == "c10"


@pytest.mark.parametrize("thick", [999, 999 * 2.5])
def test_two_dimensional_images_lose_the_axis_that_nnunet_adds(thick):
    found, _ = fingerprint_from_nnunet(*files([[1, 50, 60]], [[thick, 2.5, 1]]))

    assert found.shapes == ((50, 60),)
    assert found.spacings == ((2.5, 1.0),)


def test_a_volume_of_one_slice_stays_a_volume():
    found, _ = fingerprint_from_nnunet(*files([[1, 50, 60]], [[5, 1, 1]]))

    assert found.dim == 3


def test_the_older_name_of_the_channels_is_read():
    dataset, fingerprint = files([[40, 50, 60]], [[3, 1, 1]])
    dataset["modality"] = dataset.pop("channel_names")

    assert fingerprint_from_nnunet(dataset, fingerprint)[0].channel_names[0] == "CT"


@pytest.mark.parametrize("key", ["channel_names", "labels", "numTraining"])
def test_what_is_missing_in_the_data_set_is_named(key):
    dataset, fingerprint = files([[40, 50, 60]], [[3, 1, 1]])
    del dataset[key]

    with pytest.raises(DatasetError, match=key):
        fingerprint_from_nnunet(dataset, fingerprint)


def test_what_is_missing_in_the_fingerprint_is_named():
    dataset, fingerprint = files([[40, 50, 60]], [[3, 1, 1]])
    del fingerprint["spacings"]

    with pytest.raises(DatasetError, match="spacings"):
        fingerprint_from_nnunet(dataset, fingerprint)
