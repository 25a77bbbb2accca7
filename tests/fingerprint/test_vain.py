"""What check refuses, no stage trains on: the fingerprint refuses it, too."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from autoseg.errors import DatasetError
from autoseg.fingerprint.check.stage import check
from autoseg.fingerprint.stage import fingerprint


def data_set(folder, labels, ending=".png", maps=None, **described):
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(3):
        image = random.integers(0, 255, (24, 24), np.uint8)
        Image.fromarray(image).save(folder / f"imagesTr/c{number}_0000.png")
        drawn = np.zeros((24, 24), np.uint8)
        drawn[2:8, 2 + number : 8], drawn[12:18, 3:9] = maps or (1, 1)
        Image.fromarray(drawn).save(folder / f"labelsTr/c{number}{ending}")
    text = {"channel_names": ["a"], "labels": labels, **described}
    (folder / "dataset.json").write_text(json.dumps(text))
    return folder


CELLS = {"background": 0, "cell": 1}
VAIN = {
    "masks": ({"labels": CELLS, "task": "instance"}, "masks of the foreground, not"),
    "too large": ({"labels": {**CELLS, "far": 70_000}}, "cannot hold the values"),
    "nowhere": (
        {
            "labels": {**CELLS, "other": 2},
            "maps": (1, 2),
            "annotated": {"c*": ["cell"]},
        },
        "'other' is annotated in no case",
    ),
    "no such case": (
        {"labels": CELLS, "annotated": {"c0": ["cell"], "d*": ["cell"]}},
        "'d\\*', which is no case",
    ),
    "jpeg": ({"labels": CELLS, "ending": ".jpg", "maps": (0, 0)}, "are JPEG files"),
}


@pytest.mark.parametrize("which", VAIN)
def test_the_fingerprint_refuses_what_check_refuses(tmp_path, which):
    described, said = VAIN[which]
    folder = data_set(tmp_path / "Toy", **described)
    if which == "jpeg":  # 1 in a JPEG file may be read as another value
        labels = np.zeros((24, 24), np.uint8)
        for path in (folder / "labelsTr").iterdir():
            Image.fromarray(labels + 1).save(path, quality=100)

    errors = [p.found for p in check(folder) if p.severity == "error"]
    assert any(re.search(said, found) for found in errors)
    with pytest.raises(DatasetError, match=said):
        fingerprint(folder, tmp_path / "root", workers=1)


@pytest.mark.parametrize("name", ["c0_annotation", ".c0"])
def test_an_id_that_cannot_name_prepared_files_is_refused_before_anything(
    tmp_path, name
):
    folder = data_set(tmp_path / "Toy", CELLS, maps=(1, 0))
    (folder / "imagesTr/c1_0000.png").rename(folder / f"imagesTr/{name}_0000.png")
    (folder / "labelsTr/c1.png").rename(folder / f"labelsTr/{name}.png")
    if name[0] == ".":  # hidden in a folder, but not in a list
        images = {"c0": "c0", name: name}
        (folder / "dataset.json").write_text(
            json.dumps(
                {
                    "channel_names": ["a"],
                    "labels": CELLS,
                    "file_ending": ".png",
                    "dataset": {
                        case: {
                            "images": [f"imagesTr/{case}_0000.png"],
                            "label": f"labelsTr/{case}.png",
                        }
                        for case in images
                    },
                }
            )
        )

    errors = [p.found for p in check(folder) if p.severity == "error"]
    assert errors == [f"Case ids become file names, which these cannot: {name}."]
    with pytest.raises(DatasetError, match=f"these cannot: {re.escape(name)}"):
        fingerprint(folder, tmp_path / "root", workers=1)
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize(
    "described",
    [{"components": False}, {"components": True}, {"maps": (1, 2)}],
    ids=["one object", "pieces", "ids"],
)
def test_masks_that_are_meant_are_measured(tmp_path, described):
    folder = data_set(tmp_path / "Toy", CELLS, task="instance", **described)

    made = fingerprint(folder, tmp_path / "root", workers=1)

    objects = made.annotation["objects"]
    assert objects == (3 if described == {"components": False} else 6)


def test_nothing_says_where_no_object_is_if_no_case_has_all_of_its_objects(tmp_path):
    labels, said = {"a": 1, "b": 2}, {"c*": ["a"]}
    folder = data_set(
        tmp_path / "Toy", labels, task="instance", maps=(1, 2), annotated=said
    )
    for number in range(3):
        side = json.dumps({"instances": {"1": 1, "2": 2}})
        (folder / f"labelsTr/c{number}.json").write_text(side)

    errors = [p.found for p in check(folder) if p.severity == "error"]
    assert any("no case has all of its objects annotated" in e for e in errors)
    with pytest.raises(DatasetError, match="no case has all of its objects"):
        fingerprint(folder, tmp_path / "root", workers=1)
