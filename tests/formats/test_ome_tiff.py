import json

import numpy as np
import pytest
import tifffile

from autoseg.formats.base import find_format
from autoseg.geometry import mapped
from autoseg.spec.image import Geometry


def _geometry(shape, unit="um"):
    spacing = (2.0, 0.325, 0.65)[-len(shape) :]
    return Geometry(shape=shape, spacing=spacing, unit=unit)


@pytest.mark.parametrize(
    ("shape", "unit"), [((700, 1020), "um"), ((2, 520, 610), "mm"), ((520, 530), "px")]
)
def test_labels_are_a_pyramid_with_the_calibration_of_the_image(tmp_path, shape, unit):
    labels = np.random.default_rng(0).integers(0, 900, shape, dtype=np.uint16)
    path = tmp_path / "p.ome.tif"
    geometry = _geometry(shape, unit)

    find_format(path).write_labels(path, labels, geometry)

    with tifffile.TiffFile(path) as file:
        assert file.is_ome and len(file.series) == 1
        levels = file.series[0].levels
        assert len(levels) == 3  # the largest edge, half and a quarter of it
        assert levels[0].keyframe.is_tiled
        for level, found in enumerate(levels):
            step = (..., slice(None, None, 2**level), slice(None, None, 2**level))
            np.testing.assert_array_equal(found.asarray(), labels[step])
        pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
    assert (pixels["PhysicalSizeY"], pixels["PhysicalSizeX"]) == (0.325, 0.65)
    names = {"um": "µm", "mm": "mm", "px": "pixel"}
    assert pixels["PhysicalSizeXUnit"] == names[unit]
    again, place = find_format(path).read_labels(path)
    np.testing.assert_array_equal(again, labels)
    if unit != "px":
        assert (place.spacing, place.unit) == (geometry.spacing, unit)
    assert [entry.name for entry in tmp_path.iterdir()] == ["p.ome.tif"]


def test_images_are_averaged_and_keep_their_channels(tmp_path):
    array = np.random.default_rng(0).random((2, 3, 300, 301)).astype(np.float32)
    path = tmp_path / "p.ome.tiff"

    find_format(path).write_image(path, array, _geometry((3, 300, 301)))

    image = find_format(path).read_image([path], channels=2)
    np.testing.assert_array_equal(image.array, array)
    small = tifffile.imread(path, level=1)
    blocks = array[..., :300].reshape(2, 3, 150, 2, 150, 2).mean((3, 5))
    np.testing.assert_allclose(small[..., :150], blocks, atol=1e-6)


def test_a_map_that_is_in_a_file_is_written_plane_by_plane(tmp_path, monkeypatch):
    monkeypatch.setattr(mapped, "IN_MEMORY", 0)
    labels = mapped.zeros((4, 30, 40), np.uint8)
    labels[2, 5:9] = 7
    path = tmp_path / "p.ome.tif"

    find_format(path).write_labels(path, labels, _geometry((4, 30, 40)))

    np.testing.assert_array_equal(tifffile.imread(path), labels)


@pytest.mark.parametrize(
    "options",
    [
        {"tile": (16, 32), "compression": "zlib", "predictor": True},
        {"rowsperstrip": 7, "compression": "zlib"},
        {"rowsperstrip": 7, "compression": "zlib", "byteorder": ">"},
    ],
    ids=["tiles", "strips", "the other byte order"],
)
@pytest.mark.parametrize("colors", [False, True], ids=["gray", "colors"])
def test_tiles_and_strips_are_read_by_windows(tmp_path, monkeypatch, options, colors):
    shape = (3, 45, 70, 3) if colors else (3, 45, 70)
    array = np.random.default_rng(0).integers(0, 9000, shape, dtype=np.uint16)
    path = tmp_path / "a.tif"
    byteorder = options.pop("byteorder", None) if "byteorder" in options else None
    tifffile.imwrite(
        path,
        array,
        byteorder=byteorder,
        photometric="rgb" if colors else "minisblack",
        metadata={"axes": "ZYXS" if colors else "ZYX"},
        **{k: v for k, v in options.items() if k != "byteorder"},
    )
    (tmp_path / "a.json").write_text(json.dumps({"spacing": [1, 1, 1]}))
    known = np.moveaxis(array, -1, 0) if colors else array[None]
    monkeypatch.setattr(mapped, "IN_MEMORY", 0)

    found = find_format(path).read_image([path], channels=len(known), lazily=True).array

    window = (slice(None), slice(1, 3), slice(5, 40), slice(20, 69))
    assert mapped.is_mapped(found)
    np.testing.assert_array_equal(found[window], known[window])
    np.testing.assert_array_equal(found, known)
