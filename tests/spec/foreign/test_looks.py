"""Colors and codes of classes in dataset.json."""

import json

import numpy as np
import pytest

from autoseg.errors import DatasetError
from autoseg.formats.names import name_segments, segments_of
from autoseg.instancefiles.geojson import write_regions
from autoseg.report.pictures.layers import class_colors
from autoseg.spec.foreign.looks import ANATOMY, looks_of

LIVER = ["SCT", "10200004", "Liver"]
RAW = {
    "colors": {"liver": "#DD8265", "tumor": [0, 128, 255]},
    "codes": {"liver": LIVER, "tumor": {"type": LIVER, "region": LIVER}},
}


def test_what_is_given_counts_and_the_rest_has_usual_looks():
    looks = looks_of(["liver", "vessel", "tumor"], RAW)

    assert looks["liver"].color == (0xDD, 0x82, 0x65)
    assert (looks["liver"].kind, looks["liver"].category) == (tuple(LIVER), ANATOMY)
    assert looks["tumor"].color == (0, 128, 255)
    assert looks["tumor"].region == tuple(LIVER)
    assert looks["vessel"].kind is None
    assert len({look.color for look in looks.values()}) == 3


@pytest.mark.parametrize(
    "raw",
    [
        {"colors": {"liver": "red"}},
        {"colors": {"liver": [0, 0, 256]}},
        {"colors": "#DD8265"},
        {"codes": {"liver": ["SCT", "10200004"]}},
        {"codes": {"liver": {"kind": LIVER}}},
    ],
    ids=["word", "large", "none", "short", "key"],
)
def test_what_is_no_color_or_code_is_told(raw):
    with pytest.raises(DatasetError, match="`co(lors|des)`"):
        looks_of(["liver"], raw)


def test_pictures_and_segments_for_slicer_have_them(tmp_path):
    import SimpleITK

    image = SimpleITK.GetImageFromArray(np.ones((2, 3, 4), np.uint8))
    SimpleITK.WriteImage(image, str(tmp_path / "a.seg.nrrd"))
    name_segments(tmp_path / "a.seg.nrrd", {1: "liver"}, looks_of(["liver"], RAW))

    text = (tmp_path / "a.seg.nrrd").read_bytes().partition(b"\n\n")[0].decode()
    assert "Segment0_Color:=0.8667 0.5098 0.3961" in text  # of 255
    assert "~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~" in text
    assert segments_of(tmp_path / "a.seg.nrrd") == {"liver": 1}
    assert class_colors(["liver"], RAW) == {"liver": "#DD8265"}


def test_classes_are_outlines_for_qupath(tmp_path):
    labels = np.zeros((2, 5, 6), np.uint8)
    labels[1, 1:4, 1:5] = 1
    labels[1, 2, 2] = 0  # a hole
    labels[0, 0, 0] = 3

    write_regions(
        tmp_path / "a.geojson", labels, {1: "liver", 3: "tumor"}, {"liver": (1, 2, 3)}
    )

    first, second = json.loads((tmp_path / "a.geojson").read_text())["features"]
    assert first["geometry"]["plane"]["z"] == 1
    outer, hole = first["geometry"]["coordinates"]
    assert outer == [[1, 1], [5, 1], [5, 4], [1, 4], [1, 1]]
    assert sorted(map(tuple, hole[:-1])) == [(2, 2), (2, 3), (3, 2), (3, 3)]
    assert first["properties"] == {
        "objectType": "annotation",
        "classification": {"name": "liver", "color": [1, 2, 3]},
    }
    assert second["properties"]["classification"] == {"name": "tumor"}
