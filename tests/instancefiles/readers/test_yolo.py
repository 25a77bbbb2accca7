"""YOLO's text: fractions, classes by number and by name."""

import numpy as np
import pytest

from autoseg.errors import FormatError
from autoseg.instancefiles.readers.base import read_objects
from autoseg.spec.image import Geometry
from tests.instancefiles.readers.outlines import blob, inside

SHAPE = (40, 50)
PICTURE = Geometry(shape=SHAPE, spacing=(1.0, 1.0), unit="px")
LABELS = {2: "cell", 5: "debris"}
RINGS = blob((12, 12), 9), blob((36, 28), 8)


def row(kind, ring):
    cells = [f"{x / SHAPE[1]:.9f} {y / SHAPE[0]:.9f}" for x, y in ring]
    return f"{kind} {' '.join(cells)}"


def write(folder, *rows):
    (folder / "labelsTr").mkdir(exist_ok=True)
    path = folder / "labelsTr" / "c0.txt"
    path.write_text("\n".join(rows))
    return path


def read(path, labels=LABELS):
    return read_objects(path, "c0", labels, PICTURE)


def test_corners_are_fractions_of_the_picture(tmp_path):
    found = read(write(tmp_path, row(1, RINGS[0]), row(0, RINGS[1])))

    assert np.array_equal(found.labels == 1, inside(RINGS[0], SHAPE))
    assert np.array_equal(found.labels == 2, inside(RINGS[1], SHAPE))
    assert found.classes == {1: 5, 2: 2}  # the second and the first of `labels`


@pytest.mark.parametrize(
    "file, text",
    [
        ("data.yaml", "path: x\nnames: [debris, 'cell']  # two\nnc: 2\n"),
        ("data.yaml", "nc: 2\nnames:\n  0: debris\n  1: cell\n\ntrain: a\n"),
        ("data.yaml", 'names:\n- debris\n- "cell"\ntrain: a\n'),
        ("data.yml", "names: {1: cell, 0: debris}\n"),
        ("classes.txt", "debris\ncell\n"),
        ("labelsTr/classes.txt", "debris\ncell\n"),
    ],
)
def test_names_of_classes_win(tmp_path, file, text):
    path = write(tmp_path, row(0, RINGS[0]), row(1, RINGS[1]))
    (tmp_path / file).write_text(text)

    assert read(path).classes == {1: 5, 2: 2}


def test_rows_of_a_pose_are_no_polygons(tmp_path):
    path = write(tmp_path, "0 0.5 0.5 0.2 0.2 0.4 0.4 1 0.6 0.6 1")
    (tmp_path / "data.yaml").write_text("kpt_shape: [2, 3]\nnames: [cell]\n")

    with pytest.raises(FormatError, match="kpt_shape.*a box and keypoints"):
        read(path)


def test_a_picture_without_objects_is_an_empty_file(tmp_path):
    assert not read(write(tmp_path)).labels.any()


@pytest.mark.parametrize(
    "text, words",
    [
        ("0 0.5 0.5 0.2 0.2", "row 1 is a box"),
        ("0 0.1 0.1 0.5 0.5 0.2", "three corners"),
        ("0 10 10 30 10 30 30", "no fractions of the picture"),
        ("2 0.1 0.1 0.5 0.5 0.2 0.4", "the class 2, counted from 0"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text, words):
    with pytest.raises(FormatError, match=words):
        read(write(tmp_path, text))


def test_a_class_that_labels_have_not_is_named(tmp_path):
    path = write(tmp_path, row(0, RINGS[0]), row(1, RINGS[1]))
    (tmp_path / "data.yaml").write_text("names: [nucleus, cell]\n")

    with pytest.raises(FormatError, match="'nucleus'.*2 .cell., 5 .debris."):
        read(path)
