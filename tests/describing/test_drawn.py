"""What maps mean is told by their values, and asked where two readings are possible."""

import numpy as np
import pytest
from PIL import Image

from autoseg.describing.drawn import guess, measure
from autoseg.describing.stage import init
from autoseg.errors import UsageError


def of(tmp_path, *maps):
    """Return what is measured of maps that are given as arrays."""
    found = []
    for number, labels in enumerate(maps):
        path = tmp_path / f"{number}.png"
        Image.fromarray(np.asarray(labels, np.uint8)).save(path)
        found.append(measure(path))
    return found


def grid(count, size=4, step=6, value=None):
    """Return a map of ``count`` squares in rows of ten."""
    labels = np.zeros((step * (count // 10 + 1), step * 10), np.uint8)
    for n in range(count):
        y, x = step * (n // 10), step * (n % 10)
        labels[y : y + size, x : x + size] = n + 1 if value is None else value
    return labels


def test_many_values_in_one_piece_are_ids_of_objects(tmp_path):
    found = guess(of(tmp_path, grid(30), grid(17), grid(8)))
    assert found.task == "instance" and "8 to 30 values" in found.because


def test_the_same_few_values_are_classes(tmp_path):
    labels = np.zeros((20, 20))
    labels[:9], labels[12:] = 1, 2
    assert guess(of(tmp_path, labels, labels)).task == "semantic"


def test_one_area_is_semantic_and_many_pieces_are_a_question(tmp_path):
    one = guess(of(tmp_path, grid(1, value=255)))
    assert one.task == "semantic"
    many = guess(of(tmp_path, grid(12, value=255), grid(20, value=255)))
    assert many.task is None and many.readings == ("semantic", "instance")
    assert "16 pieces" in many.because


def test_a_few_objects_counted_from_one_are_a_question(tmp_path):
    assert guess(of(tmp_path, grid(3), grid(5), grid(4))).task is None


def test_small_spots_of_the_same_values_are_landmarks(tmp_path):
    labels = np.zeros((60, 60))
    labels[5:8, 5:8], labels[30:33, 40:43], labels[50:53, 9:12] = 1, 2, 3
    assert guess(of(tmp_path, labels, labels)).task == "landmark"


def test_255_beside_classes_may_be_what_nobody_looked_at(tmp_path):
    labels = np.zeros((20, 20))
    labels[:9], labels[12:], labels[:, :2] = 1, 2, 255
    assert guess(of(tmp_path, labels, labels)).void == 255


def pictures(tmp_path, *maps):
    for number, labels in enumerate(maps):
        for part, array in (("images", labels * 0 + 7), ("masks", labels)):
            path = tmp_path / part / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(np.asarray(array, np.uint8)).save(path)


def test_two_readings_are_an_error_that_names_the_option(tmp_path):
    pictures(tmp_path, grid(12, value=255), grid(20, value=255))
    with pytest.raises(UsageError, match="--task semantic or --task instance"):
        init(tmp_path)
    asked = []

    def answer(question, answers, option):
        asked.append((answers, option))
        return "instance"

    dataset = init(tmp_path, ask=answer, picture=False).dataset
    assert asked == [(("semantic", "instance"), "--task")]
    assert dataset.raw["components"] is True
    dataset = init(tmp_path, task="semantic", overwrite=True, picture=False).dataset
    assert dataset.raw["labels"] == {"background": 0, "foreground": 255}


def test_labels_get_the_names_that_are_given(tmp_path):
    labels = np.zeros((20, 20))
    labels[:9], labels[12:] = 1, 2
    pictures(tmp_path, labels, labels)
    seen = init(tmp_path, labels={"liver": 1, "tumor": 2}, picture=False)
    assert seen.dataset.raw["labels"] == {"background": 0, "liver": 1, "tumor": 2}
    with pytest.raises(UsageError, match="leaves out 2"):
        init(tmp_path, labels={"liver": 1}, overwrite=True)
    with pytest.raises(UsageError, match="'semantic'"):
        init(tmp_path, task="semantik", overwrite=True)


def test_gray_pictures_saved_as_color_have_one_channel(tmp_path):
    labels = grid(1)
    pictures(tmp_path, labels)
    gray = np.random.default_rng(0).integers(0, 255, (*labels.shape, 1), np.uint8)
    Image.fromarray(gray.repeat(3, 2)).save(tmp_path / "images" / "0.png")
    assert init(tmp_path, picture=False).dataset.channel_names == ("image",)
    color = np.random.default_rng(0).integers(0, 255, (*labels.shape, 3), np.uint8)
    Image.fromarray(color).save(tmp_path / "images" / "0.png")
    names = init(tmp_path, picture=False, overwrite=True).dataset.channel_names
    assert names == ("red", "green", "blue")


def _pairs(tmp_path, *maps):
    """Write images of noise and annotations of their names."""
    noise = np.random.default_rng(0)
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for number, labels in enumerate(maps):
        image = noise.integers(0, 255, labels.shape).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / f"images/{number}.png")
        Image.fromarray(labels.astype(np.uint8)).save(tmp_path / f"labels/{number}.png")
    return tmp_path


@pytest.mark.parametrize("task", [None, "semantic", "instance"], ids=str)
def test_images_are_not_taken_for_annotations(tmp_path, task):
    folder = _pairs(tmp_path, *[grid(1)] * 3)

    for images in ("images", "labels"):
        with pytest.raises(UsageError, match="they are images, such as .*images/0.png"):
            init(folder, images=[images], annotations=["images"], task=task)
    assert not (folder / "dataset.json").exists()


def test_empty_annotations_and_what_cannot_be_are_said_before_anything_is_written(
    tmp_path,
):
    folder = _pairs(tmp_path, *[grid(1)] * 3)
    how = {"task": "semantic", "picture": False}

    with pytest.raises(UsageError, match="--spacing has 3 numbers, and images have 2"):
        init(folder, spacing=[1, 1, 1], **how)
    with pytest.raises(UsageError, match=r"(?s)Nothing was written.*two labels"):
        init(folder, labels={"a": 1, "b": 1}, **how)
    for path in (folder / "labels").iterdir():
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
    with pytest.raises(UsageError, match="All 3 annotations are empty"):
        init(folder, **how)
    assert not (folder / "dataset.json").exists()
