"""Arrays of ids, and the arrays that are not opened."""

import numpy as np
import pytest

from autoseg.errors import FormatError
from autoseg.instancefiles.readers.base import read_objects
from autoseg.spec.image import Geometry

LABELS = {1: "cell"}


@pytest.mark.parametrize("shape", [(9, 11), (3, 9, 11)])
@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.uint32])
def test_ids_are_numbered_in_their_order(tmp_path, shape, kind):
    ids = np.random.default_rng(0).choice([0, 2, 7, 200], shape).astype(kind)
    np.save(tmp_path / "c0.npy", ids)
    geometry = Geometry(shape=shape, spacing=(1.0,) * len(shape), unit="px")

    found = read_objects(tmp_path / "c0.npy", "c0", LABELS, geometry)

    assert np.array_equal(np.array([0, 2, 7, 200])[found.labels], ids)
    assert found.names == {1: "id 2", 2: "id 7", 3: "id 200"}


def test_a_map_of_truths_is_one_object(tmp_path):
    np.save(tmp_path / "c0.npy", np.eye(4, dtype=bool))

    found = read_objects(tmp_path / "c0.npy", "c0", LABELS)

    assert np.array_equal(found.labels, np.eye(4))


@pytest.mark.parametrize("name, words", [("c0_seg.npy", "cp_masks"), ("c0.npy", "obj")])
def test_pickle_is_not_opened_and_cellpose_is_told_how(tmp_path, name, words):
    content = {"masks": np.zeros((4, 4), np.uint16), "filename": "c0.png"}
    np.save(tmp_path / name, np.array(content, dtype=object), allow_pickle=True)

    with pytest.raises(FormatError, match=words):
        read_objects(tmp_path / name, "c0", LABELS)


@pytest.mark.parametrize(
    "array", [np.zeros(4, int), np.zeros((4, 4)), np.full((4, 4), -1)]
)
def test_what_is_no_map_of_ids_is_refused(tmp_path, array):
    np.save(tmp_path / "c0.npy", array)

    with pytest.raises(FormatError, match="c0.npy: it h"):
        read_objects(tmp_path / "c0.npy", "c0", LABELS)


def test_another_size_is_refused(tmp_path):
    np.save(tmp_path / "c0.npy", np.eye(4, dtype=int))
    geometry = Geometry(shape=(5, 5), spacing=(1.0, 1.0), unit="px")

    with pytest.raises(FormatError, match="4 rows and 4 columns"):
        read_objects(tmp_path / "c0.npy", "c0", LABELS, geometry)
