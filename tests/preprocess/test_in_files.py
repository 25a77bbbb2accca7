"""Data sets whose images are left in their files go the way of those in memory."""

import gzip
import json

import numpy as np
import pytest

import autoseg
from autoseg.geometry import mapped
from autoseg.geometry.slabs import components, holes
from autoseg.preprocess.store import CaseStore
from autoseg.spec.arrays import windowed
from tests import toy

SHAPE = (11, 13, 15)
NUMBERS = int(np.prod(SHAPE))
LABELS = {"background": 0, "one": 3, "two": 7, "ignore": 9}
AXES = ("LPS", "SAR")  # z is the first axis of the second file


@pytest.fixture
def by_parts(monkeypatch):
    """Leaves every image in its file; tells the most numbers that were read at once."""
    read, largest = windowed.Windowed.__array__, [0]

    def counted(self, *args, **how):
        largest[0] = max(largest[0], self.size)
        return read(self, *args, **how)

    monkeypatch.setattr(mapped, "IN_MEMORY", 0)
    for module in (windowed, mapped):
        monkeypatch.setattr(module, "AT_ONCE", 300)
    for module in (components, holes):
        monkeypatch.setattr(module, "SLAB", 400)
    monkeypatch.setattr("autoseg.tasks.semantic.sizes.SLAB", 400)
    monkeypatch.setattr("autoseg.tasks.semantic.places.MOST_INDICES", 20)
    monkeypatch.setattr("autoseg.preprocess.store.AT_ONCE", 2000)
    monkeypatch.setattr("autoseg.geometry.crop.PIECE", 300)
    monkeypatch.setattr("autoseg.geometry._labels.SLAB", 300)
    monkeypatch.setattr(windowed.Windowed, "__array__", counted)
    return largest


def _dataset(folder, packed):
    """Two volumes of int16 with a frame of zeros, a hole, and zeros at the border."""
    for number, axes in enumerate(AXES):
        rng = np.random.default_rng(number)
        labels = toy.labels_of(number, SHAPE)
        image = (100 * labels + rng.integers(1, 60, SHAPE)).astype(np.int16)
        image[4:6, 5:8, 6:9] = 0  # a hole
        image[:, :3] = image[..., -2:] = image[0] = 0
        image[7:, -1, 2:4] = 0  # at the border
        labels = np.array([0, 3, 7, 9], np.uint8)[
            labels + (labels == 2) * (image > 230)
        ]
        for part, array in (("images", image), ("labels", labels)):
            end = "_0000" if part == "images" else ""
            path = folder / f"{part}Tr" / f"c{number}{end}.nii"
            toy.write_nifti(path, array, (3.0, 1.0, 1.0), axes)
            if packed:
                path.with_suffix(".nii.gz").write_bytes(
                    gzip.compress(path.read_bytes())
                )
                path.unlink()
    return toy.describe(
        folder,
        channel_names={"0": "MR"},
        labels=LABELS,
        file_ending=".nii.gz" if packed else ".nii",
    )


def _prepared(folder, root, **settings):
    autoseg.fingerprint(folder, root, workers=1)
    given = {"3d_fullres.patch_size": [8, 8, 8], **settings}
    autoseg.plan(folder, root, settings=given)
    autoseg.preprocess(folder, root, configurations=["3d_fullres"], workers=1)
    made = root / "preprocessed" / folder.name
    store = CaseStore(next(path for path in made.glob("3d*") if path.is_dir()))
    cases = [store.open(case) for case in store.ids()]
    return (made / "fingerprint.json").read_text(), cases


@pytest.mark.parametrize(
    ("packed", "spacing"), [(False, None), (True, [2.0, 1.3, 0.8])]
)
def test_what_is_read_by_parts_is_prepared_to_the_bit_as_what_is_in_memory(
    tmp_path, request, monkeypatch, packed, spacing
):
    settings = {} if spacing is None else {"3d_fullres.spacing": spacing}
    monkeypatch.setattr("autoseg.tasks.semantic.places.MOST_INDICES", 20)
    folder = _dataset(tmp_path / "Toy", packed)
    known, whole = _prepared(folder, tmp_path / "a", **settings)
    largest = request.getfixturevalue("by_parts")

    found, parts = _prepared(folder, tmp_path / "b", **settings)

    assert json.loads(found) == json.loads(known)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_array_equal(one.image[:], other.image[:])
        np.testing.assert_array_equal(one.annotation[:], other.annotation[:])
        assert (one.annotation[:] == -1).any()
        assert one.classes == other.classes and len(one.classes) == 3
        for name in one.classes:
            np.testing.assert_array_equal(one.foreground(name), other.foreground(name))
        same = ("shape", "image_dtype", "annotation_dtype", "foreground")
        assert [one.raw[key] for key in same] == [other.raw[key] for key in same]
    assert 0 < largest[0] < NUMBERS
