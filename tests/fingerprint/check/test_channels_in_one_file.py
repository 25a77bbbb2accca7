"""Channels that lie in one file are counted and compared as those in several are."""

import numpy as np
import pytest
import tifffile

from autoseg.fingerprint.check.stage import check
from tests import toy


@pytest.mark.parametrize("copied", [False, True])
def test_two_channels_of_one_file_are_two(tmp_path, copied):
    folder = toy.describe(
        tmp_path / "Two",
        channel_names={"0": "nuclei", "1": "actin"},
        labels={"background": 0, "cell": 1},
        file_ending=".tif",
        numTraining=5,
    )
    rng = np.random.default_rng(0)
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir()
    for number in range(5):
        image = rng.integers(0, 900, (2, 24, 20)).astype(np.uint16)
        image[1] = image[0] if copied else image[1]
        label = np.zeros((24, 20), np.uint8)
        label[number : number + 9, 4:15] = 1
        where = folder / "imagesTr" / f"c{number}.tif"
        tifffile.imwrite(where, image, metadata={"axes": "CYX"})
        tifffile.imwrite(folder / "labelsTr" / f"c{number}.tif", label)

    problems = check(folder, workers=1)

    assert [one for one in problems if one.severity == "error"] == []
    twins = [one for one in problems if "same voxels as another one" in one.found]
    assert len(twins) == (5 if copied else 0)
