"""Values that are no intensities are found, and intensities are not taken for them."""

import json

import numpy as np
import pytest

from autoseg.fingerprint.check.stage import check
from autoseg.fingerprint.extremes import find_extreme
from tests import toy


def tissue(shape=(20, 32, 28)):
    return np.random.default_rng(1).normal(100, 15, shape).astype(np.float32)


@pytest.mark.parametrize("value", [-32768, 1e20, -3.4e38, 3.4e38, 99999])
@pytest.mark.parametrize("count", [1, 320])
def test_a_value_far_from_all_others_is_found_with_its_share(value, count):
    image = tissue()
    image.reshape(-1)[:count] = value

    found = find_extreme(image)

    assert found.value == pytest.approx(value)
    assert found.share == pytest.approx(count / image.size)
    # 98 of 100 values of a normal distribution lie within 2.33 deviations.
    assert found.low == pytest.approx(100 - 2.33 * 15, abs=3)
    assert found.high == pytest.approx(100 + 2.33 * 15, abs=3)


@pytest.mark.parametrize("value", [-9999, -2000, 3000])
def test_a_value_of_many_voxels_need_not_be_as_far(value):
    image = tissue()
    image[:, :2] = value  # 2 of 32 rows

    found = find_extreme(image)

    # The others reach from 65 to 135: 10 times that is 700.
    assert found.value == value and found.share == pytest.approx(2 / 32)


def images():
    rng = np.random.default_rng(2)
    zeros = tissue() + 1000
    zeros[:, :20] = 0
    fluorescence = rng.poisson(5, (64, 64)).astype(np.float32)
    fluorescence[20:24, 20:24] = rng.integers(20_000, 65_535, (4, 4))
    hounsfield = rng.normal(40, 300, (20, 20, 20)).clip(-1024, 3071)
    hounsfield[:5] = -3024
    white = np.random.default_rng(3).integers(100, 116, (64, 64)).astype(np.float32)
    white[:, :20] = 255
    hot = np.random.default_rng(4).normal(100, 5, (64, 64)).astype(np.float32)
    hot[3, 3] = 900
    missing = tissue()
    missing[0, 0, 0] = np.nan
    return {
        "tissue": tissue(),
        "paper": white,
        "a hot pixel of a camera": hot,
        "not a number": missing,
        "background of 0": zeros,
        "bright objects": fluorescence,
        "padding of CT": hounsfield,
        "a mask": (tissue() > 100) * 255.0,
        "constant": np.full((8, 8), 3.0),
        "tiny": tissue() * 1e-11,
        "three values": rng.choice([0, 1, 60_000], (30, 30)).astype(float),
    }


@pytest.mark.parametrize("name", images())
def test_intensities_are_no_extremes(name):
    assert find_extreme(images()[name]) is None


def test_check_says_it_once_with_value_and_share(tmp_path):
    folder = toy.volumes(tmp_path / "Toy", cases=5, test=0)
    for number in (0, 2, 4):
        image = toy.image_of(toy.labels_of(number), number)
        image[:, :2, :3] = np.finfo(np.float32).min
        toy.write_nifti(folder / "imagesTr" / f"case_{number:02d}_0000.nii.gz", image)

    found = [p for p in check(folder) if "far from all others" in p.found]

    # 2 x 3 of 20 x 24 voxels of a slice are 1.25 %.
    assert len(found) == 1 and found[0].severity == "warning"
    assert "-3.40282e+38" in found[0].found and "1.2 %" in found[0].found
    assert "2 other file" in found[0].found
    assert json.loads((folder / "dataset.json").read_text())["numTraining"] == 5
