"""COCO's JSON: which entries are a picture's, which class is which, and crowds."""

import json

import numpy as np
import pytest
from PIL import Image

from autoseg.datasets.annotations import read_annotation
from autoseg.errors import FormatError
from autoseg.fingerprint.check.stage import check
from autoseg.instancefiles.readers.base import read_objects
from autoseg.tasks.instance import InstanceTask

LABELS = {1: "nucleus", 2: "tumor"}
SHAPE = (6, 8)


def image(number, name, shape=SHAPE):
    return {"id": number, "file_name": name, "height": shape[0], "width": shape[1]}


def square(number, of, x, y, kind=1, **more):
    """An object of 2 x 2 pixels with its first pixel at column x, row y."""
    corners = [x, y, x + 2, y, x + 2, y + 2, x, y + 2]
    entry = {"id": number, "image_id": of, "category_id": kind}
    return entry | {"segmentation": [corners]} | more


def brush(number, of, *columns, kind=1):
    """A crowd: two pixels at the top of each of these columns, as run lengths."""
    runs, at = [], 0
    for column in columns:
        runs += [6 * column - at, 2]
        at = 6 * column + 2
    code = {"size": list(SHAPE), "counts": [*runs, 48 - at]}
    entry = {"id": number, "image_id": of, "category_id": kind, "iscrowd": 1}
    return entry | {"segmentation": code}


def coco(path, images, annotations, names=None):
    raw = {"images": images, "annotations": annotations}
    if names is not None:
        raw["categories"] = [{"id": i, "name": name} for i, name in names.items()]
    path.write_text(json.dumps(raw))
    return path


def read(path, case="c0", labels=LABELS):
    return read_objects(path, case, labels)


@pytest.mark.parametrize(
    "names, numbers",
    [
        ({1: "tumor", 2: "nucleus"}, (2, 1)),
        ({0: "tumor", 1: "nucleus"}, (1, 0)),
        ({17: "nucleus", 90: "tumor", 3: "never used"}, (17, 90)),
        ({1: " Nucleus", 2: "TUMOR"}, (1, 2)),
    ],
)
def test_classes_are_those_of_the_names(tmp_path, names, numbers):
    entries = [square(1, 5, 0, 0, numbers[0]), square(2, 5, 4, 2, numbers[1])]
    path = coco(tmp_path / "all.json", [image(5, "c0.png")], entries, names)

    found = read(path)

    assert found.classes == {1: 1, 2: 2}
    assert np.argwhere(found.labels == 2).tolist() == [[2, 4], [2, 5], [3, 4], [3, 5]]


def test_files_that_number_differently_agree_by_name(tmp_path):
    found = []
    for case, names, kind in (
        ("c0", {1: "nucleus", 2: "tumor"}, 2),
        ("c1", {1: "tumor", 2: "nucleus"}, 1),
    ):
        images, entries = [image(1, f"{case}.png")], [square(1, 1, 0, 0, kind)]
        path = coco(tmp_path / f"{case}.json", images, entries, names)
        found.append(read(path, case).classes)

    assert found == [{1: 2}, {1: 2}]


@pytest.mark.parametrize(
    "names, kind, words",
    [
        ({1: "nuclei", 2: "tumour"}, 1, "the class 1 'nuclei'"),
        ({1: "nuclei", 2: "tumor"}, 1, "the class 1 'nuclei'"),
        ({1: "nucleu", 2: "tumor"}, 1, "both. Did you mean 'nucleus'?"),
        ({1: "nucleus", 2: "tumor"}, 3, "the class 3 has no name in the file"),
        ({1: "nucleus", 2: ""}, 2, "the class 2 has no name in the file"),
    ],
)
def test_names_that_disagree_are_an_error_with_both(tmp_path, names, kind, words):
    images, entries = [image(1, "c0.png")], [square(1, 1, 0, 0, kind)]
    entries.append(square(2, 1, 4, 2, 2))
    path = coco(tmp_path / "all.json", images, entries, names)

    with pytest.raises(FormatError) as caught:
        read(path)

    assert words in str(caught.value)
    assert "1 (nucleus), 2 (tumor)" in str(caught.value)


def test_without_names_numbers_are_those_of_dataset_json(tmp_path):
    entries = [square(1, 1, 0, 0, 2)]
    path = coco(tmp_path / "all.json", [image(1, "c0.png")], entries)

    assert read(path).classes == {1: 2}


def test_one_class_on_each_side_cannot_be_exchanged_and_is_told(tmp_path):
    data(tmp_path, ["c0"])
    entries = [square(1, 1, 0, 0, 7)]
    coco(tmp_path / "labelsTr.json", [image(1, "c0.png")], entries, {7: "Zelle"})

    found = [p for p in check(tmp_path) if "Zelle" in p.found]
    task = InstanceTask(labels={"cell": 1})
    read_back, _ = read_annotation(tmp_path / "labelsTr.json", None, task, case_id="c0")

    assert [p.severity for p in found] == ["warning"]
    assert "'cell'" in found[0].found
    assert read_back.class_of(1) == 1


def test_two_entries_of_one_picture_are_put_together(tmp_path):
    images = [image(1, "c0.png"), image(101, "./c0.png"), image(2, "c1.png")]
    entries = [square(1, 1, 0, 0), square(2, 101, 4, 2), square(3, 2, 2, 2)]
    path = coco(tmp_path / "all.json", images, entries)

    assert np.unique(read(path).labels, return_counts=True)[1].tolist() == [40, 4, 4]


@pytest.mark.parametrize(
    "other, words",
    [
        ("mine/c0.png", ["c0.png", "mine/c0.png", "ids 1, 7"]),
        ("c0.jpg", ["c0.png", "c0.jpg", "ids 1, 7"]),
        ("c0_0000.png", ["c0.png", "c0_0000.png", "ids 1, 7"]),
    ],
)
def test_names_that_may_be_one_picture_are_an_error_of_that_picture(
    tmp_path, other, words
):
    images = [image(1, "c0.png"), image(7, other), image(2, "c1.png")]
    path = coco(tmp_path / "all.json", images, [square(1, 2, 0, 0)])

    with pytest.raises(FormatError) as caught:
        read(path)

    assert all(word in str(caught.value) for word in words)
    assert read(path, "c1").labels.max() == 1


def test_one_picture_in_two_sizes_is_an_error(tmp_path):
    images = [image(1, "c0.png"), image(2, "c0.png", (12, 16))]
    path = coco(tmp_path / "all.json", images, [])

    with pytest.raises(FormatError, match="6 rows and 8 columns, 12 rows and 16"):
        read(path)


def test_one_id_of_two_pictures_is_an_error_of_both(tmp_path):
    images = [image(1, "c0.png"), image("1", "c1.png"), image(2, "c2.png")]
    path = coco(tmp_path / "all.json", images, [square(1, 1, 0, 0)])

    for case in ("c0", "c1"):
        with pytest.raises(FormatError, match="id 1 is of several.*c0.png, c1.png"):
            read(path, case)
    assert read(path, "c2").labels.max() == 0


@pytest.mark.parametrize("key, of", [(1, "1"), ("1", 1), (1, 1)])
def test_ids_are_the_same_as_text_and_as_number(tmp_path, key, of):
    path = coco(tmp_path / "all.json", [image(key, "c0.png")], [square(1, of, 0, 0)])

    assert (read(path).labels == 1).sum() == 4


# What `check` says of one file for all cases.


def data(folder, cases, **description):
    (folder / "imagesTr").mkdir(parents=True)
    noise = np.random.default_rng(0)
    for case in cases:
        picture = noise.integers(0, 255, SHAPE, dtype=np.uint8)
        Image.fromarray(picture).save(folder / "imagesTr" / f"{case}.png")
    base = {
        "task": "instance",
        "channel_names": {"0": "gray"},
        "labels": {"background": 0, "cell": 1},
    }
    (folder / "dataset.json").write_text(json.dumps(base | description))


def test_annotations_of_no_picture_are_counted(tmp_path):
    data(tmp_path, ["c0", "c1"])
    entries = [square(1, 0, 0, 0), square(2, 1, 0, 0)]
    entries += [square(3, 8, 0, 0), square(4, 8, 3, 3), square(5, "x", 0, 0)]
    images = [image(0, "c0.png"), image(1, "c1.png")]
    coco(tmp_path / "labelsTr.json", images, entries)

    found = [p for p in check(tmp_path) if "of no picture" in p.found]

    assert len(found) == 1
    assert found[0].found == (
        "3 annotations are of no picture: 2 with the image_id 8, 1 with the image_id x."
    )


def test_crowds_are_counted_over_the_cases_with_a_hint_at_brushes(tmp_path):
    data(tmp_path, ["c0", "c1", "c2"])
    images = [image(i, f"c{i}.png") for i in range(3)]
    entries = [square(9 * i, i, 0, 4) for i in range(3)]
    # In one piece, in one piece, in two pieces: for two of the three cases.
    for i in (0, 2):
        entries += [brush(9 * i + 1, i, 3), brush(9 * i + 2, i, 5, 6)]
        entries += [brush(9 * i + 3, i, 3, 7)]
    coco(tmp_path / "labelsTr.json", images, entries)

    found = [p for p in check(tmp_path) if "crowd" in p.found]

    assert len(found) == 1
    assert found[0].found.startswith("6 crowd regions (`iscrowd` 1) in 2 cases (c0, ")
    assert "4 of them are run lengths in one piece" in found[0].fix
    assert '"crowds": "objects"' in found[0].fix


def test_crowds_in_one_piece_are_objects_on_request(tmp_path):
    path = coco(
        tmp_path / "all.json",
        [image(1, "c0.png")],
        [brush(1, 1, 3), square(2, 1, 0, 4), brush(3, 1, 5, 7), brush(4, 1, 5, 6)],
    )

    found = read_objects(path, "c0", LABELS, crowds=True)

    assert np.argwhere(found.labels == 1).tolist() == [[0, 3], [1, 3]]
    assert (found.labels == 2).sum() == 4
    assert np.argwhere(found.labels == 3)[:, 1].tolist() == [5, 6, 5, 6]
    assert np.argwhere(found.labels == -2)[:, 1].tolist() == [7, 7]
    assert found.names == {1: "annotation 1", 2: "annotation 2", 3: "annotation 4"}


def test_a_data_set_may_ask_for_crowds_as_objects(tmp_path):
    data(tmp_path, ["c0"], crowds="objects")
    images = [image(1, "c0.png")]
    coco(tmp_path / "labelsTr.json", images, [brush(1, 1, 3), square(2, 1, 0, 4)])

    assert not [p for p in check(tmp_path) if "crowd" in p.found + p.fix]

    (tmp_path / "dataset.json").write_text(
        (tmp_path / "dataset.json").read_text().replace("objects", "maybe")
    )
    assert [p for p in check(tmp_path) if "`crowds` is 'maybe'" in p.found]


def test_findings_about_one_file_name_their_cases(tmp_path):
    data(tmp_path, ["c0", "c1", "c2", "c3"])
    images = [image(i, f"c{i}.png") for i in range(4)]
    coco(tmp_path / "labelsTr.json", images, [square(1, 1, 0, 0)])

    found = [p for p in check(tmp_path) if "is empty" in p.found]

    assert [p.case for p in found] == ["c0", "c2", "c3"]


def test_a_file_that_cannot_be_read_is_told_once(tmp_path):
    data(tmp_path, ["c0", "c1", "c2"])
    (tmp_path / "labelsTr.json").write_text('{"images": [], "annotations": [')

    found = [p for p in check(tmp_path) if p.severity == "error"]

    assert len(found) == 1
    assert "no JSON" in found[0].found


def test_ids_with_a_decimal_point_are_the_same_numbers(tmp_path):
    entries = [square(1, 5.0, 0, 0, 1.0), square(2, 5.0, 4, 2, "2.0")]
    path = coco(tmp_path / "all.json", [image(5, "c0.png")], entries)

    assert read(path).classes == {1: 1, 2: 2}
