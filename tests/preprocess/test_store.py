"""Preprocessed cases on disk."""

import json
import os
import threading

import numpy as np
import pytest

from autoseg.errors import DatasetError, UsageError
from autoseg.preprocess.store import CaseStore


def _image(shape=(2, 9, 11, 13), seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _labels(shape=(9, 11, 13)):
    return (np.arange(np.prod(shape)).reshape(shape) % 4 - 1).astype(np.int16)


@pytest.fixture
def store(tmp_path):
    return CaseStore(tmp_path / "3d")


@pytest.fixture
def written(store):
    """A store with the case ``one``; all its parts are known."""
    foreground = {
        "liver": np.array([3, 5, 900], np.uint32),
        "nothing": np.array([], np.uint32),
        "tumor": np.array([4], np.uint32),
    }
    store.write("one", _image(), _labels(), foreground, {"stamp": "x", "n": [1, 0.1]})
    return store


def test_a_case_comes_back_as_it_was_written(written):
    case = written.open("one")

    assert case.shape == (9, 11, 13)
    assert case.channels == 2
    np.testing.assert_array_equal(case.image[:], _image().astype(np.float16))
    np.testing.assert_array_equal(case.annotation[:], _labels())
    assert case.properties == {"stamp": "x", "n": [1, 0.1]}
    assert case.classes == ("liver", "nothing", "tumor")
    np.testing.assert_array_equal(case.foreground("liver"), [3, 5, 900])
    np.testing.assert_array_equal(case.foreground("tumor"), [4])
    assert len(case.foreground("nothing")) == 0
    assert [case.foreground_count(name) for name in case.classes] == [3, 0, 1]


def test_a_part_of_an_array_is_read_by_slicing(written):
    case = written.open("one")

    patch = case.image[1:2, 2:5, 3:9, 10:13]

    expected = _image()[1:2, 2:5, 3:9, 10:13].astype(np.float16)
    np.testing.assert_array_equal(patch, expected)


def test_indices_are_mapped_and_not_loaded(written):
    places = written.open("one").foreground("liver")

    owners = [places]
    while isinstance(owners[-1], np.ndarray):
        owners.append(owners[-1].base)
    assert any(isinstance(owner, np.memmap) for owner in owners)
    assert places.dtype == np.uint32


def test_indices_beyond_four_thousand_million_keep_their_value(store):
    far = np.array([7, 2**33], np.uint64)

    store.write("huge", _image(), _labels(), {"a": far}, {})

    np.testing.assert_array_equal(store.open("huge").foreground("a"), far)


def test_a_case_without_any_foreground_can_be_read(store):
    store.write("empty", _image(), _labels(), {"liver": np.zeros(0, np.uint32)}, {})
    store.write("none", _image(), _labels(), {}, {})

    assert len(store.open("empty").foreground("liver")) == 0
    assert store.open("none").classes == ()


def test_an_unknown_class_is_answered_with_those_that_are_there(written):
    with pytest.raises(DatasetError, match="no indices of 'spleen'.*liver"):
        written.open("one").foreground("spleen")


@pytest.mark.parametrize(
    ("largest", "precision", "stored"),
    [
        (2048.0, "auto", "float16"),
        (2049.0, "auto", "float32"),
        (-3000.0, "auto", "float32"),
        (3000.0, "float16", "float16"),
        (1.0, "float32", "float32"),
    ],
)
def test_images_are_stored_in_half_precision_unless_values_are_large(
    tmp_path, largest, precision, stored
):
    store = CaseStore(tmp_path, precision=precision)
    image = _image()
    image[0, 0, 0, 0] = largest

    store.write("case", image, _labels(), {}, {})

    found = store.open("case").image
    assert found.dtype == np.dtype(stored)
    np.testing.assert_array_equal(found[:], image.astype(stored))


def test_what_does_not_fit_half_precision_is_refused_when_that_is_asked_for(tmp_path):
    image = np.full((1, 3, 3), 1e5, np.float32)

    with pytest.raises(DatasetError, match="beyond float16"):
        CaseStore(tmp_path, precision="float16").write(
            "case", image, np.zeros((3, 3), np.int16), {}, {}
        )


def test_an_unknown_precision_is_refused(tmp_path):
    with pytest.raises(UsageError, match="'float8'.*float16"):
        CaseStore(tmp_path, precision="float8")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused_with_the_case(store, bad):
    image = _image()
    image[0, 1, 1, 1] = bad

    with pytest.raises(DatasetError, match="case one.*not finite"):
        store.write("one", image, _labels(), {}, {})

    assert "one" not in store


@pytest.mark.parametrize(
    ("low", "high", "dtype"),
    [
        (-1, 127, "int8"),
        (-1, 128, "int16"),
        (0, 32767, "int16"),
        (0, 32768, "int32"),
        (0, 2**31, "int64"),
    ],
)
def test_annotations_are_stored_in_the_smallest_type_that_holds_them(
    store, low, high, dtype
):
    labels = np.zeros((4, 4), np.int64)
    labels[0, :2] = low, high

    store.write("case", _image((1, 4, 4)), labels, {}, {})

    found = store.open("case").annotation
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found[:], labels)


def test_image_and_annotation_of_different_shape_are_refused(store):
    with pytest.raises(DatasetError, match="case one.*must be equal"):
        store.write("one", _image(), _labels((9, 11, 12)), {}, {})


@pytest.mark.parametrize("shape", [(5, 7), (1, 1), (3, 40, 2), (1, 300, 301)])
def test_any_number_of_axes_can_be_stored(store, shape):
    labels = np.ones(shape, np.int16)

    store.write("case", _image((3, *shape)), labels, {}, {})

    case = store.open("case")
    assert case.shape == shape
    np.testing.assert_array_equal(case.image[:], _image((3, *shape)).astype(np.float16))


def test_a_store_knows_its_complete_cases(written):
    written.write("two", _image(), _labels(), {}, {})
    (written.folder / "three.b2nd").write_bytes(b"interrupted before three.json")

    assert written.ids() == ("one", "two")
    assert "one" in written and "three" not in written


def test_a_case_with_dots_in_its_name_is_a_case(store):
    store.write("scan.v1.2", _image(), _labels(), {}, {})

    assert store.ids() == ("scan.v1.2",)
    assert store.open("scan.v1.2").channels == 2


def test_a_missing_case_is_named_with_what_to_do(store):
    with pytest.raises(DatasetError, match="case nine .*autoseg preprocess"):
        store.open("nine")


@pytest.mark.parametrize(
    "file", ["one.b2nd", "one_annotation.b2nd", "one_foreground.npy"]
)
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_case_is_found_when_it_is_opened(written, file, damage):
    path = written.folder / file
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-7])

    with pytest.raises(DatasetError, match="case one: .*" + file) as caught:
        written.open("one")

    assert "Delete" in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"bytes": {"image": 1}}'])
def test_a_damaged_description_is_named(written, text):
    (written.folder / "one.json").write_text(text)

    with pytest.raises(DatasetError, match="case one .*cannot be read"):
        written.open("one")


def test_a_case_of_another_version_is_refused(written):
    path = written.folder / "one.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 0}))

    with pytest.raises(DatasetError, match="case one .*schema 0"):
        written.open("one")


@pytest.mark.parametrize("part", ["image", "annotation"])
def test_an_array_of_the_right_size_with_other_content_is_found_when_read(
    written, part
):
    case = written.open("one")
    size = case.path(part).stat().st_size
    case.path(part).write_bytes(bytes(size))

    with pytest.raises(DatasetError, match="case one: .*damaged"):
        getattr(written.open("one"), part)


def test_an_array_of_another_case_is_found_when_read(written):
    written.write("two", _image((2, 9, 11, 12)), _labels((9, 11, 12)), {}, {})
    path = written.folder / "one.json"
    raw = json.loads(path.read_text())
    (written.folder / "one.b2nd").write_bytes(
        (written.folder / "two.b2nd").read_bytes()
    )
    raw["bytes"]["image"] = (written.folder / "one.b2nd").stat().st_size
    path.write_text(json.dumps(raw))

    with pytest.raises(DatasetError, match=r"case one: .*\(2, 9, 11, 12\)"):
        _ = written.open("one").image


def test_indices_of_the_right_size_with_other_content_are_found(written):
    path = written.folder / "one_foreground.npy"
    path.write_bytes(bytes(path.stat().st_size))

    with pytest.raises(DatasetError, match="case one: .*damaged"):
        written.open("one").foreground("liver")


def test_a_write_that_is_interrupted_leaves_no_case(written, monkeypatch):
    replace, calls = os.replace, []

    def fail_at_the_third(source, target):
        calls.append(target)
        if len(calls) == 3:
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", fail_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        written.write("one", 2 * _image(), _labels(), {}, {})

    # The old description is gone first, so no mixture is ever taken for a case.
    assert "one" not in written
    assert not list(written.folder.glob("*.tmp")) + list(written.folder.glob(".*.tmp"))


def test_a_case_that_is_written_again_is_the_new_one(written):
    written.write("one", 2 * _image(), _labels(), {}, {"stamp": "y"})

    case = written.open("one")
    np.testing.assert_array_equal(case.image[:], (2 * _image()).astype(np.float16))
    assert case.properties == {"stamp": "y"}


def test_a_removed_case_leaves_no_file(written):
    written.remove("one")

    assert list(written.folder.iterdir()) == []


def test_what_killed_runs_left_is_removed_unless_others_may_still_write(written):
    names = ("mine.b2nd", "mine_annotation.b2nd", "mine_foreground.npy", "mine.json")
    mine = [written.folder / f".{name}.123.tmp" for name in names]
    old, fresh = (written.folder / f".{n}.b2nd.123.tmp" for n in ("old", "fresh"))
    for path in (*mine, old, fresh):
        path.write_bytes(b"")
    os.utime(old, (0, 0))

    written.clear_interrupted(["mine", "other"])

    assert [path for path in (*mine, old, fresh) if path.exists()] == [fresh]
    assert "one" in written


def test_the_same_case_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        CaseStore(tmp_path / name).write(
            "one", _image(), _labels(), {"x": np.array([1], np.uint32)}, {"k": 1}
        )

    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(files) == 4
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (
            tmp_path / "b" / file
        ).read_bytes()


def test_threads_may_share_a_case(tmp_path):
    store = CaseStore(tmp_path, patch_size=(8, 8, 8))
    image = _image((1, 24, 30, 28))
    store.write("one", image, np.zeros((24, 30, 28), np.int16), {}, {})
    case, wrong = store.open("one"), []
    half = image.astype(np.float16)

    def read(seed):
        rng = np.random.default_rng(seed)
        for _ in range(50):
            at = tuple(slice(i, i + 9) for i in rng.integers(0, 15, 3))
            if not np.array_equal(
                case.image[(slice(0, 1), *at)], half[(slice(0, 1), *at)]
            ):
                wrong.append(at)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
