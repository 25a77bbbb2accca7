"""Annotations that were copied or drawn in some slices only; CTs in other units."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from autoseg.fingerprint.check.drawn import drawn_labels, drawn_points
from autoseg.fingerprint.check.instance_maps import instance_problems
from autoseg.fingerprint.check.stage import check
from tests import toy
from tests.each import each

SHAPE = (12, 10, 14)


def box(*start):
    """Return a map with a box of 8 x 6 x 6 voxels."""
    made = np.zeros(SHAPE, np.uint8)
    made[tuple(slice(a, a + n) for a, n in zip(start, (8, 6, 6), strict=True))] = 1
    return made


def data(folder, drawn, images=None, channel="MR", **raw):
    """A data set with these annotations."""
    rng = np.random.default_rng(0)
    for number, annotation in enumerate(drawn):
        image = rng.normal(40, 9, SHAPE) if images is None else images[number]
        name = f"c{number}"
        for part, end in (("imagesTr", "_0000"), ("labelsTr", "")):
            (folder / part).mkdir(parents=True, exist_ok=True)
            array = annotation if part == "labelsTr" else image.astype(np.float32)
            toy.write_nifti(folder / part / f"{name}{end}.nii.gz", array)
    said = {"channel_names": {"0": channel}, "labels": {"background": 0, "a": 1}}
    (folder / "dataset.json").write_text(json.dumps(said | raw))
    return folder


def warned(folder, words):
    found = [p for p in check(folder, workers=1) if words in p.found]
    assert all(p.severity == "warning" for p in found)
    return [p.file.name.partition(".")[0] for p in found]


BOXES = [box(0, 0, 0), box(2, 1, 3), box(1, 3, 5), box(3, 4, 8), box(4, 2, 2)]


def test_an_annotation_that_another_image_has_too_is_told(tmp_path):
    drawn = [*BOXES[:4], BOXES[1]]
    folder = data(tmp_path / "copied", drawn)
    assert warned(folder, "It is the annotation of c1") == ["c4"]

    groups = {"groups": {"c1": "m", "c4": "m"}}  # frames of one movie
    assert not warned(data(tmp_path / "movie", drawn, **groups), "It is the annotation")
    alike = [BOXES[0]] * 4 + [BOXES[1]]  # what most have is a frame or the like
    assert not warned(data(tmp_path / "frame", alike), "It is the annotation")


def test_slices_that_were_left_out_are_told(tmp_path):
    drawn = []
    for made in BOXES:
        kept = np.zeros_like(made)
        kept[:, 1::3] = made[:, 1::3]
        drawn.append(kept)
    folder = data(tmp_path / "sparse", drawn[:1] + drawn[2:])
    # Of 6 rows from 0, 3, 4 and 2 on every third is 1, 4; 4, 7; 4, 7; 4, 7.
    assert not warned(folder, "single slices")
    drawn = [np.where(np.arange(12)[:, None, None] % 3 == 1, m, 0) for m in BOXES]
    drawn = [m.astype(np.uint8) for m in drawn]
    # Of 8 slices from 0, 2, 1, 3 and 4 on: 1 4 7; 4 7; 1 4 7; 4 7 10; 4 7 10.
    folder = data(tmp_path / "third", drawn)
    assert warned(folder, "in 3 single slices across z, the nearest 3 apart") == [
        "c0", "c2", "c3", "c4"
    ]  # fmt: skip
    assert not warned(data(tmp_path / "few", [drawn[0], *BOXES[1:]]), "single slices")
    ignored = [np.where(m, m, 2).astype(np.uint8) for m in drawn]
    labels = {"background": 0, "a": 1, "ignore": 2}
    assert not warned(data(tmp_path / "ig", ignored, labels=labels), "single slices")


@each(
    "names, where",
    [
        ([], None),
        ([(0, 0), (2, 0), (5, 0)], (0, 3, 2)),
        ([(0, 2), (3, 2), (7, 2)], (2, 3, 3)),
        ([(0, 0), (1, 0), (5, 0)], None),
        ([(0, 0), (5, 0)], None),
    ],
)
def test_it_is_looked_along_each_axis(names, where):
    made = np.zeros(SHAPE, np.uint8)
    for place, axis in names:
        np.moveaxis(made, axis, 0)[place, 1:8, 1:8] = 1
    found = drawn_labels(made)

    if not names:
        assert found is None
    elif where is None:
        assert found.axis is None
    else:
        assert (found.axis, found.slices, found.apart) == where


def test_points_are_compared_where_there_are_three():
    places = np.array([[1.0, 2], [3, 4], [5, 6.5]])
    one, again, other = (
        drawn_points(array, 3) for array in (places, places.copy(), places + 0.5)
    )
    assert one.digest == again.digest != other.digest
    assert drawn_points(places, 2) is None


@pytest.mark.parametrize("lowest, told", [(-1000, ["c3_0000", "c4_0000"]), (-90, [])])
def test_a_ct_in_other_units_than_the_others_is_told(tmp_path, lowest, told):
    rng = np.random.default_rng(1)
    images = [rng.uniform(lowest, 300, SHAPE) for _ in BOXES]
    images[3] += 1024
    images[4] = (images[4] - lowest) / 6  # to gray values
    folder = data(tmp_path / "ct", BOXES, images, channel="CT")

    assert warned(folder, "No value of this CT is below 0") == told
    mr = data(tmp_path / "mr", BOXES, images)
    assert not warned(mr, "Hounsfield")


def test_a_ct_whose_negative_values_lost_their_sign_is_told(tmp_path):
    rng = np.random.default_rng(1)
    images = [rng.integers(-1000, 300, SHAPE).astype(np.int16) for _ in BOXES]
    images[2] = images[2].astype(np.uint16)

    folder = data(tmp_path / "ct", BOXES, images, channel="CT")

    assert warned(folder, "those below 0 seem to be stored in 16 bits") == ["c2_0000"]


@pytest.mark.parametrize("together", [True, False])
def test_a_channel_that_is_a_copy_of_another_is_told(tmp_path, together):
    rng = np.random.default_rng(1)
    folder = data(tmp_path / "two", BOXES, channel_names={"0": "T1", "1": "T2"})
    for number in range(5):
        one, other, blank = *rng.normal(size=(2, *SHAPE)), np.zeros(SHAPE)
        pair = {1: (one, one), 2: (blank, blank)}.get(number, (one, other))
        place = folder / "imagesTr" / f"c{number}_0000.nii.gz"
        place.unlink()
        for channel, array in enumerate(pair):
            path = place.with_name(f"c{number}_000{channel}.nii.gz")
            if not together:
                toy.write_nifti(path, array.astype(np.float32))
        if together:
            image = np.stack(pair, axis=-1).astype(np.float32)
            nibabel.save(
                nibabel.Nifti1Image(image.transpose(2, 1, 0, 3), np.eye(4)), place
            )

    name = "c1_0000" if together else "c1_0001"
    assert warned(folder, "A channel has the same voxels") == [name]


def test_volumes_that_are_labeled_slice_by_slice_are_told():
    whole, apart = np.zeros((2, 5, 12, 20), np.uint16)
    for number in range(4):
        whole[1:5, 2:9, 5 * number : 5 * number + 3] = number + 1
    for place in range(1, 5):
        apart[place] = np.where(whole[place], whole[place] + 4 * place, 0)
    flat = np.zeros((5, 12, 20), np.uint16)  # flat objects that lie apart
    for number in range(10):
        flat[number % 5, 2:9, 2 * number] = number + 1

    def found(labels):
        problems = instance_problems(labels, Path("a.tif"))
        return [p.found for p in problems if "labeled each by itself" in p.found]

    assert found(apart)[0].startswith("Each of its 16 instances is in one slice alone")
    assert not found(whole) and not found(flat)


@pytest.mark.parametrize("factor, told", [(1, False), (0.5, True)])
def test_points_of_smaller_images_are_told(tmp_path, factor, told):
    rng = np.random.default_rng(0)
    for part in ("imagesTr", "labelsTr"):
        (tmp_path / part).mkdir()
    for number in range(6):
        picture = rng.integers(0, 255, (40, 60), dtype=np.uint8)
        Image.fromarray(picture).save(tmp_path / "imagesTr" / f"c{number}.png")
        places = rng.uniform(0, 1, (6, 2)) * (59, 39) * factor
        rows = [f"p{n},{x:.1f},{y:.1f}" for n, (x, y) in enumerate(places)]
        text = "\n".join(["name,x,y", *rows])
        (tmp_path / "labelsTr" / f"c{number}.csv").write_text(text)
    names = [f"p{n}" for n in range(6)]
    said = {"task": "landmark", "channel_names": {"0": "x"}, "landmarks": names}
    (tmp_path / "dataset.json").write_text(json.dumps(said))

    assert bool(warned(tmp_path, "No point of any case lies beyond")) is told
