"""TIFF against tifffile, ImageJ's and OME's conventions."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from autoseg.errors import FormatError
from autoseg.formats._tiff.layout import find_layout
from autoseg.formats.tiff import TiffFormat
from autoseg.geometry import mapped
from autoseg.spec.foreign.units import unit_of
from autoseg.spec.image import Geometry

TIFF = TiffFormat()
RNG = np.random.default_rng(0)
STACK = RNG.integers(0, 255, (5, 6, 7)).astype(np.uint8)


def _write(path, array, **options):
    tifffile.imwrite(path, array, **options)
    return path


def test_a_picture_has_two_axes_and_a_stack_three(tmp_path):
    flat = TIFF.read_image([_write(tmp_path / "a.tif", STACK[0])])
    stack = TIFF.read_image([_write(tmp_path / "b.tiff", STACK)])

    assert np.array_equal(flat.array, STACK[None, 0])
    assert np.array_equal(stack.array, STACK[None])
    assert stack.geometry == Geometry(
        shape=(5, 6, 7), spacing=(1, 1, 1), unit="px", oriented=False
    )


def test_color_is_three_channels(tmp_path):
    color = np.moveaxis(STACK[:3], 0, -1).copy()
    path = _write(tmp_path / "c.tif", color, photometric="rgb")

    assert np.array_equal(TIFF.read_image([path]).array, STACK[:3])


@pytest.mark.parametrize("last", [False, True])
def test_the_number_of_channels_tells_channels_from_slices(tmp_path, last):
    array = np.moveaxis(STACK[:2], 0, -1) if last else STACK[:2]
    path = _write(tmp_path / "c.tif", np.ascontiguousarray(array))

    two = TIFF.read_image([path], channels=2)

    assert np.array_equal(two.array, STACK[:2])
    assert TIFF.read_image([path], channels=1).array.shape == (1, *array.shape)


@pytest.mark.parametrize("last", [False, True])
def test_channels_of_a_stack_come_first_or_last(tmp_path, last):
    volume = RNG.integers(0, 255, (2, 4, 6, 7)).astype(np.uint16)
    array = np.moveaxis(volume, 0, -1) if last else volume
    path = _write(tmp_path / "c.tif", np.ascontiguousarray(array))

    assert np.array_equal(TIFF.read_image([path], channels=2).array, volume)


def test_imagej_s_axes_and_spacing_are_understood(tmp_path):
    volume = RNG.integers(0, 255, (4, 2, 6, 7)).astype(np.uint16)
    path = _write(
        tmp_path / "c.tif",
        volume,
        imagej=True,
        resolution=(4, 2),  # pixels for each unit along x and y
        metadata={"axes": "ZCYX", "spacing": 1.5, "unit": "micron"},
    )

    image = TIFF.read_image([path], channels=2)

    assert np.array_equal(image.array, np.moveaxis(volume, 1, 0))
    assert image.geometry.spacing == (1.5, 0.5, 0.25)
    assert image.geometry.unit == "um"


def test_ome_s_axes_and_spacing_are_understood(tmp_path):
    volume = RNG.integers(0, 255, (2, 4, 6, 7)).astype(np.uint16)
    path = _write(
        tmp_path / "c.ome.tif",
        volume,
        metadata={
            "axes": "CZYX",
            "PhysicalSizeX": 250.0,
            "PhysicalSizeXUnit": "nm",
            "PhysicalSizeY": 500.0,
            "PhysicalSizeYUnit": "nm",
            "PhysicalSizeZ": 1.5,
        },
    )

    image = TIFF.read_image([path], channels=2)

    assert np.array_equal(image.array, volume)
    assert image.geometry.spacing == (1.5, 0.5, 0.25)
    assert image.geometry.unit == "um"


def test_a_stack_saved_as_channels_is_a_stack_where_one_channel_is_expected(tmp_path):
    # What imagej=True without axes says of any stack.
    path = _write(tmp_path / "c.tif", STACK, imagej=True)

    assert TIFF.read_image([path], channels=1).array.shape == (1, 5, 6, 7)
    assert TIFF.read_image([path], channels=5).array.shape == (5, 6, 7)
    assert np.array_equal(TIFF.read_labels(path)[0], STACK)


@pytest.mark.parametrize("slices", [3, 4])
def test_few_slices_are_no_colors_where_one_channel_is_expected(tmp_path, slices):
    # tifffile takes three or four planes of bytes for the colors of one picture.
    path = tmp_path / "c.tif"
    planes = {"photometric": "rgb", "planarconfig": "separate"}
    if slices == 4:
        planes["extrasamples"] = ["unassalpha"]
    _write(path, STACK[:slices], **planes)

    assert TIFF.read_image([path], channels=1).array.shape == (1, slices, 6, 7)
    assert TIFF.read_image([path], channels=slices).array.shape == (slices, 6, 7)


def test_a_side_car_gives_the_spacing_before_anything_else(tmp_path):
    (tmp_path / "c.json").write_text(json.dumps({"spacing": [3, 2, 1], "unit": "um"}))
    metadata = {"axes": "ZYX", "spacing": 9, "unit": "mm"}
    for name in ("c_0000.tif", "c.tif"):
        path = _write(tmp_path / name, STACK, imagej=True, metadata=metadata)

        geometry = TIFF.read_image([path], spacing=(7, 7, 7)).geometry

        assert (geometry.spacing, geometry.unit) == ((3.0, 2.0, 1.0), "um")


def test_a_json_that_is_something_else_is_no_side_car(tmp_path):
    (tmp_path / "c.json").write_text(json.dumps({"points": []}))
    path = _write(tmp_path / "c.tif", STACK)

    assert TIFF.read_image([path]).geometry.unit == "px"


@pytest.mark.parametrize("spacing", ["1", [1, 2, -3], [1, 2]])
def test_a_side_car_with_a_wrong_spacing_is_refused(tmp_path, spacing):
    (tmp_path / "c.json").write_text(json.dumps({"spacing": spacing}))
    path = _write(tmp_path / "c.tif", STACK)

    with pytest.raises(FormatError, match="spacing"):
        TIFF.read_image([path])


def test_dataset_json_s_spacing_goes_before_the_file_s(tmp_path):
    metadata = {"axes": "ZYX", "spacing": 9, "unit": "inch"}
    path = _write(tmp_path / "c.tif", STACK, imagej=True, metadata=metadata)

    geometry = TIFF.read_image([path], spacing=(3, 2, 1), unit="um").geometry

    assert (geometry.spacing, geometry.unit) == ((3.0, 2.0, 1.0), "um")


def test_the_file_s_spacing_is_converted_to_the_unit_asked_for(tmp_path):
    metadata = {"axes": "ZYX", "spacing": 1.5, "unit": "um"}
    path = _write(
        tmp_path / "c.tif", STACK, imagej=True, resolution=(2, 2), metadata=metadata
    )

    geometry = TIFF.read_image([path], unit="mm").geometry

    assert geometry.unit == "mm"
    assert np.allclose(geometry.spacing, (0.0015, 0.0005, 0.0005))


def test_dots_per_inch_are_no_spacing(tmp_path):
    path = _write(
        tmp_path / "c.tif", STACK[0], resolution=(72, 72), resolutionunit="INCH"
    )

    assert TIFF.read_image([path]).geometry.unit == "px"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("\\u00B5m", (1.0, "um")),
        ("µm", (1.0, "um")),
        ("nm", (1e-3, "um")),
        ("cm", (10.0, "mm")),
        ("Inch", (25.4, "mm")),
        ("pixel", (None, "px")),
        (None, (None, "px")),
    ],
)
def test_units_of_length(name, expected):
    unit = unit_of(name)

    assert (unit.factor if unit.has_size else None, unit.name) == expected


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_deflate"])
def test_compressed_files_are_read(tmp_path, compression):
    pages = [Picture.fromarray(page) for page in STACK]
    pages[0].save(
        tmp_path / "c.tif",
        compression=compression,
        save_all=True,
        append_images=pages[1:],
    )

    assert np.array_equal(TIFF.read_image([tmp_path / "c.tif"]).array[0], STACK)


@pytest.mark.parametrize(
    "options",
    [
        {"imagej": True, "metadata": {"axes": "ZYX", "spacing": 0.3, "unit": "um"}},
        {"metadata": {"axes": "ZYX", "PhysicalSizeX": 0.3}, "ome": True},
        {},
    ],
)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32])
def test_a_prediction_has_the_spacing_of_its_image_to_the_bit(tmp_path, options, kind):
    path = _write(tmp_path / "c.tif", STACK, resolution=(3.7, 2.9), **options)
    image = TIFF.read_image([path])
    (tmp_path / "out").mkdir()

    TIFF.write_labels(tmp_path / "out" / "c.tif", STACK.astype(kind), image.geometry)

    labels, geometry = TIFF.read_labels(tmp_path / "out" / "c.tif")
    assert geometry == image.geometry
    assert labels.dtype == kind
    assert np.array_equal(labels, STACK)
    assert np.array_equal(tifffile.imread(tmp_path / "out" / "c.tif"), STACK)


@pytest.mark.parametrize("spacing", [(3.3, 0.7, 0.1), None])
def test_a_spacing_from_outside_the_file_goes_into_a_side_car(tmp_path, spacing):
    path = _write(tmp_path / "c.tif", STACK)
    geometry = TIFF.read_image([path], spacing=spacing).geometry
    (tmp_path / "out").mkdir()

    TIFF.write_labels(tmp_path / "out" / "c.tif", STACK, geometry)

    assert TIFF.read_labels(tmp_path / "out" / "c.tif")[1] == geometry
    assert (tmp_path / "out" / "c.json").exists() == (spacing is not None)


def test_a_side_car_keeps_what_else_it_says(tmp_path):
    geometry = Geometry(shape=STACK.shape, spacing=(3.0, 1.0, 1.0), unit="um")
    (tmp_path / "c.json").write_text('{"instances": {"1": 2}, "spacing": [9, 9, 9]}')

    TIFF.write_labels(tmp_path / "c.tif", STACK.astype(np.uint32), geometry)

    found = json.loads((tmp_path / "c.json").read_text())
    assert found == {
        "instances": {"1": 2},
        "spacing": [3.0, 1.0, 1.0],
        "unit": "um",
    }


@pytest.mark.parametrize("dim", [2, 3])
def test_probabilities_keep_their_channels(tmp_path, dim):
    shape = (5, 6, 7)[-dim:]
    array = RNG.random((4, *shape), dtype=np.float32)

    TIFF.write_image(
        tmp_path / "p.tif", array, Geometry(shape=shape, spacing=(1.0,) * dim)
    )

    assert np.array_equal(
        TIFF.read_image([tmp_path / "p.tif"], channels=4).array, array
    )


def test_more_axes_than_there_can_be_are_refused():
    with pytest.raises(FormatError, match="TCZYX"):
        find_layout("TCZYX", (2, 3, 4, 5, 6), 3, "c.tif")
    with pytest.raises(FormatError, match="Y and X"):
        find_layout("Q", (7,), 1, "c.tif")


@pytest.mark.parametrize("share", [0.9, 0.6, 0.3, 0.01, 0])
def test_a_file_that_was_cut_off_is_refused(tmp_path, share):
    path = tmp_path / "c.tif"
    with tifffile.TiffWriter(path) as writer:
        for page in STACK:
            writer.write(page, contiguous=False, metadata=None)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])

    with pytest.raises(FormatError, match=r"c\.tif"):
        TIFF.read_image([path])


def test_a_file_that_was_cut_off_between_pages_is_refused(tmp_path):
    # tifffile reads the pages that are left.
    path = tmp_path / "c.tif"
    with tifffile.TiffWriter(path) as writer:
        for page in STACK:
            writer.write(page, contiguous=False, metadata=None)
    assert TIFF.read_image([path]).array.shape == (1, 5, 6, 7)
    with tifffile.TiffFile(path) as file:
        start = file.pages[3].offset
    path.write_bytes(path.read_bytes()[:start])

    with pytest.raises(FormatError, match="after 3 pages"):
        TIFF.read_image([path])


def test_complex_numbers_are_refused(tmp_path):
    path = _write(tmp_path / "c.tif", STACK.astype(np.complex64))

    with pytest.raises(FormatError, match="complex"):
        TIFF.read_image([path])


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}])
@pytest.mark.parametrize("color", [False, True])
def test_a_large_picture_can_stay_in_its_file(tmp_path, monkeypatch, options, color):
    monkeypatch.setattr(mapped, "IN_MEMORY", 10)
    picture = RNG.integers(0, 60_000, (50, 40, 3) if color else (50, 40))
    picture = picture.astype(">u2")
    path = _write(tmp_path / "a.tif", picture, byteorder=">", **options)
    channels = 3 if color else 1

    there = TIFF.read_image([path], channels=channels, lazily=True)
    here = TIFF.read_image([path], channels=channels)

    expected = np.moveaxis(picture, -1, 0) if color else picture[None]
    assert mapped.is_mapped(there.array) and there.array.dtype.kind == "u"
    assert not mapped.is_mapped(here.array) and here.array.dtype == np.float32
    assert np.array_equal(there.array, expected)
    assert np.array_equal(here.array, expected)


def test_large_maps_are_written_in_tiles(tmp_path, monkeypatch):
    monkeypatch.setattr(mapped, "IN_MEMORY", 10)
    labels = RNG.integers(0, 2**31, (700, 30)).astype(np.uint32)
    geometry = Geometry(shape=(700, 30), spacing=(0.5, 0.5), unit="um")

    TIFF.write_labels(tmp_path / "a.tif", labels, geometry)

    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages[0].is_tiled
    found, back = TIFF.read_labels(tmp_path / "a.tif")
    assert found.dtype == np.uint32 and np.array_equal(found, labels)
    assert back.spacing == (0.5, 0.5)
