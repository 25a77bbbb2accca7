"""Images and label maps left in their files are checked and scored as in memory."""

import json

import numpy as np
import pytest

from autoseg.evaluate.stage import evaluate
from autoseg.fingerprint.check.stage import examine
from autoseg.geometry import mapped
from autoseg.metrics import segmentation
from autoseg.spec.arrays import windowed
from tests import toy

SHAPE = (9, 13, 15)
LABELS = {"background": 0, "both": [3, 7], "one": 3, "ignore": 9}
VALUES = np.array([0, 3, 7, 9], np.uint8)


@pytest.fixture
def by_parts(monkeypatch):
    """Gives what leaves everything in its file; it returns the most read at once."""
    read, largest = windowed.Windowed.__array__, [0]

    def counted(self, *args, **how):
        largest[0] = max(largest[0], self.size)
        return read(self, *args, **how)

    def begin():
        monkeypatch.setattr(mapped, "IN_MEMORY", 0)
        monkeypatch.setattr(segmentation, "ROWS", 400)
        for module in (windowed, mapped):
            monkeypatch.setattr(module, "AT_ONCE", 400)
        monkeypatch.setattr("autoseg.geometry.crop.PIECE", 400)
        monkeypatch.setattr(windowed.Windowed, "__array__", counted)
        return largest

    return begin


def _dataset(folder, spoiled):
    """Two volumes whose files have different axes, with something to say about one."""
    for number, axes in enumerate(("LPS", "SAR")):
        rng = np.random.default_rng(number)
        inner = toy.labels_of(number, SHAPE)
        inner[6:, 5:7, 3:5] = 3
        image = (100 * inner + rng.integers(1, 60, SHAPE)).astype(np.float32)
        image[:, :2] = 0
        labels = VALUES[inner]
        if spoiled and number:
            image[7, 8, 9] = image[8, 1, 1] = np.nan
            labels[0, 0, 0] = 5
        said = np.roll(VALUES[np.minimum(inner, 2)], 1 + number, axis=2)
        for part, array in (("imagesTr", image), ("labelsTr", labels), ("said", said)):
            end = "_0000" if part == "imagesTr" else ""
            path = folder / part / f"c{number}{end}.nii"
            toy.write_nifti(path, array, (3.0, 1.0, 1.5), axes)
    return toy.describe(
        folder,
        channel_names={"0": "MR"},
        labels=LABELS,
        regions_class_order=[7, 3],
        file_ending=".nii",
    )


def _scored(folder, output):
    evaluate(folder / "said", dataset=folder, output=output, workers=1)
    return json.loads((output / "summary.json").read_text())


def test_scores_are_those_of_maps_in_memory(tmp_path, by_parts):
    folder = _dataset(tmp_path / "Dataset001_Files", spoiled=False)
    known = _scored(folder, tmp_path / "known")
    largest = by_parts()

    found = _scored(folder, tmp_path / "found")

    assert found == known
    assert 0 < largest[0] <= 400


def test_what_a_check_says_is_what_it_says_of_images_in_memory(tmp_path, by_parts):
    folder = _dataset(tmp_path / "Dataset001_Files", spoiled=True)
    known = examine(folder, workers=1)
    largest = by_parts()

    found = examine(folder, workers=1)

    assert found.problems == known.problems
    assert any("2 voxels not finite" in one.found for one in found.problems)
    assert any("first at (7, 8, 9)" in one.found for one in found.problems)
    assert any("The value 5 is not" in one.found for one in found.problems)
    for one, other in zip(found.cases, known.cases, strict=True):
        assert one.digest == other.digest
        assert one.box == other.box
        assert one.found == other.found
    assert 0 < largest[0] <= 400


def test_a_budget_leaves_maps_in_their_files(tmp_path):
    folder = _dataset(tmp_path / "Dataset001_Files", spoiled=False)
    seen = []
    whole = segmentation.score_labels

    def looked(predicted, reference, *args, **how):
        seen.append([type(one).__name__ for one in (predicted, reference)])
        return whole(predicted, reference, *args, **how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segmentation, "score_labels", looked)
        patch.setattr("autoseg.parallel.used_memory", lambda: 0)
        # A sixteenth of it: 7020 bytes as float32 are more than 6000.
        evaluate(folder / "said", dataset=folder, workers=1, max_memory=96_000 / 1e9)

    assert seen == [["Windowed", "Windowed"]] * 2
