"""TIFF as nnU-Net's readers take it."""

import json

import numpy as np
import tifffile

from autoseg.formats.base import find_format
from autoseg.formats.tiff_plain import PlainTiffFormat

STACK = np.random.default_rng(0).integers(0, 255, (5, 6, 7)).astype(np.uint8)
METADATA = {"axes": "ZYX", "spacing": 1.5, "unit": "um"}


def _save(path, array=STACK):
    axes = {"axes": "ZYX"[-array.ndim :]}
    tifffile.imwrite(path, array, imagej=True, metadata=METADATA | axes)
    return path


def test_metadata_give_no_spacing(tmp_path):
    path = _save(tmp_path / "c_0000.tif")

    image = PlainTiffFormat().read_image([path])

    assert np.array_equal(image.array[0], STACK)
    assert (image.geometry.spacing, image.geometry.unit) == ((1, 1, 1), "px")


def test_a_side_car_does_and_so_does_dataset_json(tmp_path):
    path = _save(tmp_path / "c_0000.tif")
    given = PlainTiffFormat().read_image([path], spacing=(4, 2, 2)).geometry
    (tmp_path / "c.json").write_text(json.dumps({"spacing": [3, 2, 1]}))

    assert given.spacing == (4, 2, 2)
    assert PlainTiffFormat().read_image([path]).geometry.spacing == (3, 2, 1)


def test_predictions_keep_the_spacing(tmp_path):
    geometry = (
        PlainTiffFormat()
        .read_image([_save(tmp_path / "c.tif")], spacing=(4, 2, 0.1))
        .geometry
    )

    PlainTiffFormat().write_labels(tmp_path / "l.tif", STACK, geometry)

    labels, back = PlainTiffFormat().read_labels(tmp_path / "l.tif")
    assert np.array_equal(labels, STACK)
    assert back == geometry


def test_the_format_of_pictures_takes_it_so_when_asked_for_by_name(tmp_path):
    path = _save(tmp_path / "c.tif", STACK[0])

    asked = find_format(path, "natural")
    image = asked.read_image([path])
    asked.write_labels(tmp_path / "l.tif", STACK[0], image.geometry)
    asked.write_image(tmp_path / "p.tif", image.array, image.geometry)

    assert type(asked) is type(find_format("a.png"))
    assert type(find_format(path)) is not type(asked)
    assert image.geometry.unit == "px"
    assert np.array_equal(asked.read_labels(tmp_path / "l.tif")[0], STACK[0])
    assert np.array_equal(asked.read_image([tmp_path / "p.tif"]).array, image.array)


def test_it_is_never_chosen_unasked():
    assert not PlainTiffFormat.automatic
