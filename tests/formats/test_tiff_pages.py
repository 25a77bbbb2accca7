"""All pages of a TIFF file are read, or it is refused; its own letters hold."""

import logging

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from autoseg.errors import FormatError
from autoseg.formats.tiff import TiffFormat
from autoseg.geometry import mapped

TIFF = TiffFormat()
RNG = np.random.default_rng(0)
STACK = RNG.integers(0, 255, (4, 40, 50)).astype(np.uint8)


def _both(path, channels=1):
    """Return what is read, whose shape the header alone gives, too."""
    image = TIFF.read_image([path], channels=channels)
    assert TIFF.geometry(path, None, None, channels) == image.geometry
    return image.array


def _ome_part(path, plane, names, axis="Z"):
    """Write one plane of a set: its description names the files of all planes."""
    parts = "".join(
        f'<TiffData First{axis}="{i}" IFD="0" PlaneCount="1">'
        f'<UUID FileName="{name}">urn:uuid:{i:08d}-0000-0000-0000-000000000000</UUID>'
        "</TiffData>"
        for i, name in enumerate(names)
    )
    sizes = {"Z": 1, "C": 1, "T": 1} | {axis: len(names)}
    counts = " ".join(f'Size{letter}="{n}"' for letter, n in sizes.items())
    channels = "".join(f'<Channel ID="Channel:0:{c}"/>' for c in range(sizes["C"]))
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org'
        '/Schemas/OME/2016-06"><Image ID="Image:0" Name="a"><Pixels ID="Pixels:0" '
        f'DimensionOrder="XYZCT" Type="uint8" SizeX="50" SizeY="40" {counts}>'
        f"{channels}{parts}</Pixels></Image></OME>"
    )
    tifffile.imwrite(
        path, plane, metadata=None, description=xml, photometric="minisblack"
    )


@pytest.mark.parametrize("append", [True, False])
def test_pages_that_were_written_one_by_one_are_a_stack(tmp_path, append):
    path = tmp_path / "c.tif"
    if append:
        for page in STACK:
            tifffile.imwrite(path, page, append=True)
    else:
        with tifffile.TiffWriter(path) as writer:
            for page in STACK:
                writer.write(page)

    assert np.array_equal(_both(path), STACK[None])
    assert np.array_equal(TIFF.read_labels(path)[0], STACK)
    assert np.array_equal(_both(path, channels=4)[:, :], STACK)


def test_pages_of_two_compressions_are_in_their_order(tmp_path):
    path = tmp_path / "c.tif"
    with tifffile.TiffWriter(path) as writer:
        for number, page in enumerate(STACK):
            packed = "zlib" if number % 2 else None
            writer.write(page, metadata=None, compression=packed, contiguous=False)

    assert np.array_equal(_both(path), STACK[None])


@pytest.mark.parametrize("order", [(4, 1), (4, 2, 1), (1, 4), (1, 2, 4)])
def test_smaller_copies_are_left_aside_and_noted(tmp_path, order):
    path = tmp_path / "c.tif"
    with tifffile.TiffWriter(path) as writer:
        for step in order:
            writer.write(np.ascontiguousarray(STACK[0, ::step, ::step]), metadata=None)

    assert np.array_equal(_both(path), STACK[None, 0])


def test_a_thumbnail_first_is_noted(tmp_path):
    path = tmp_path / "c.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(STACK[0, ::4, ::4].copy(), metadata=None)
        writer.write(STACK[0], metadata=None)

    geometry = TIFF.read_image([path], channels=1).geometry

    assert geometry.shape == (40, 50)
    assert any("smaller cop" in note for note in TIFF.notes(geometry))


@pytest.mark.parametrize(
    "other", [STACK[0, :10], STACK[0].astype(np.uint16), STACK[:3, :30, :30]]
)
def test_images_of_different_kinds_are_refused(tmp_path, other):
    path = tmp_path / "c.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(STACK[0], photometric="minisblack")
        writer.write(np.ascontiguousarray(other), photometric="minisblack")

    for read in (lambda: _both(path), lambda: TIFF.read_labels(path)):
        with pytest.raises(FormatError, match=r"c\.tif.*2 images of different kinds"):
            read()


def test_two_images_of_ome_are_refused(tmp_path):
    path = tmp_path / "c.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(STACK[0], metadata={"Name": "first"})
        writer.write(STACK[1], metadata={"Name": "second"})

    with pytest.raises(FormatError, match="2 images: first.*second"):
        _both(path)


@pytest.mark.parametrize("axis", ["Z", "C", "T"])
def test_missing_parts_of_an_ome_set_are_named(tmp_path, axis, capfd):
    names = [f"s_{i}.ome.tif" for i in range(3)]
    for number in range(3):
        _ome_part(tmp_path / f"c_{number:04d}.ome.tif", STACK[number], names, axis)

    for number in range(3):
        path = tmp_path / f"c_{number:04d}.ome.tif"
        for read in (lambda p=path: _both(p), lambda p=path: TIFF.read_labels(p)):
            with pytest.raises(FormatError, match=r"s_0\.ome\.tif.*s_2\.ome\.tif"):
                read()

    assert capfd.readouterr().err == ""


def test_a_set_that_is_whole_is_read(tmp_path):
    names = [f"s_{i}.ome.tif" for i in range(3)]
    for name, plane in zip(names, STACK, strict=False):
        _ome_part(tmp_path / name, plane, names)

    assert np.array_equal(_both(tmp_path / names[0])[0], STACK[:3])


def test_one_file_that_was_renamed_is_whole(tmp_path):
    _ome_part(tmp_path / "c_0000.ome.tif", STACK[0], ["before.ome.tif"])

    assert np.array_equal(_both(tmp_path / "c_0000.ome.tif"), STACK[None, 0])


def _said(path, array, axes):
    options = {"metadata": {"axes": axes}}
    if path.name == "i.tif":
        options |= {"imagej": True}
    else:
        options |= {"photometric": "minisblack"}
    tifffile.imwrite(path, array, **options)
    return path


@pytest.mark.parametrize("name", ["i.tif", "o.ome.tif"])
@pytest.mark.parametrize(
    ("axes", "shape", "channels", "words"),
    [
        ("ZCYX", (2, 3, 40, 50), 2, "3 channels where 2"),
        ("ZCYX", (3, 2, 40, 50), 3, "2 channels where 3"),
        ("ZCYX", (4, 3, 40, 50), 1, "3 channels where 1"),
        ("ZYX", (3, 40, 50), 3, "1 channels where 3"),
        ("TYX", (6, 40, 50), 1, "6 time points"),
        ("TCYX", (6, 2, 40, 50), 2, "6 time points"),
        ("TZYX", (6, 2, 40, 50), 1, "6 time points"),
    ],
)
def test_letters_of_axes_in_the_file_hold(tmp_path, name, axes, shape, channels, words):
    path = _said(tmp_path / name, np.zeros(shape, np.uint16), axes)

    with pytest.raises(FormatError, match=words):
        TIFF.read_image([path], channels=channels)


@pytest.mark.parametrize("name", ["i.tif", "o.ome.tif"])
@pytest.mark.parametrize("axes", ["TYX", "TZYX", "ZCYX"])
def test_letters_of_axes_hold_in_annotations(tmp_path, name, axes):
    shape = (3, 2, 40, 50)[-len(axes) :]
    path = _said(tmp_path / name, np.zeros(shape, np.uint16), axes)

    with pytest.raises(FormatError, match="time points|channels"):
        TIFF.read_labels(path)


def test_ome_s_channels_are_no_slices(tmp_path):
    path = _said(tmp_path / "o.ome.tif", STACK[:3], "CYX")

    assert _both(path, channels=3).shape == (3, 40, 50)
    with pytest.raises(FormatError, match="3 channels where 1"):
        TIFF.read_image([path], channels=1)
    with pytest.raises(FormatError, match="3 channels"):
        TIFF.read_labels(path)


def test_channels_of_a_stack_that_nobody_named_are_noted(tmp_path):
    path = _said(tmp_path / "i.tif", STACK, "CYX")

    image = TIFF.read_image([path], channels=1)

    assert image.array.shape == (1, 4, 40, 50)
    assert any("4 channels" in note for note in TIFF.notes(image.geometry))


def test_channels_of_an_imagej_composite_are_channels(tmp_path):
    path = tmp_path / "i.tif"
    said = {"axes": "CYX", "mode": "composite"}
    tifffile.imwrite(path, STACK[:3], imagej=True, metadata=said)

    with pytest.raises(FormatError, match="3 channels where 1"):
        TIFF.read_image([path], channels=1)


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_a_bilevel_mask_has_its_drawn_pixels(tmp_path, photometric):
    mask = np.zeros((40, 50), bool)
    mask[5:15, 10:20] = True
    stored = ~mask if photometric == "miniswhite" else mask
    path = tmp_path / "c.tif"
    tifffile.imwrite(path, stored, photometric=photometric)

    labels, _ = TIFF.read_labels(path)

    assert np.array_equal(np.asarray(Picture.open(path)), mask)  # what Pillow shows
    assert np.array_equal(labels, mask)
    assert np.array_equal(_both(path)[0], mask)


@pytest.mark.parametrize("software", ["tifffile.py", "another program"])
def test_a_boolean_array_that_tifffile_stored_as_black_is_warned_of(tmp_path, software):
    mask = np.zeros((40, 50), bool)
    mask[5:15, 10:20] = True
    path = tmp_path / "c.tif"
    tifffile.imwrite(path, mask, software=software)  # True is black, unless asked for

    labels, grid = TIFF.read_labels(path)

    assert np.array_equal(labels, np.asarray(Picture.open(path)))
    assert labels.sum() == 40 * 50 - 10 * 10
    said = TIFF.remarks(grid) if software.startswith("tiff") else TIFF.notes(grid)
    assert "white is read as 1" in said[0]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_gray_where_0_is_white_is_read_as_stored_and_noted(tmp_path, kind):
    path = tmp_path / "c.tif"
    tifffile.imwrite(path, STACK[0].astype(kind), photometric="miniswhite")

    image = TIFF.read_image([path])

    assert np.array_equal(image.array[0], STACK[0])
    assert "0 is white" in TIFF.notes(image.geometry)[0]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_stands_as_viewers_show_it(tmp_path, orientation):
    from PIL import ImageOps

    path = tmp_path / "c.tif"
    tag = (274, "H", 1, orientation, True)
    tifffile.imwrite(path, STACK[0], extratags=[tag], metadata=None)
    exif = Picture.Exif()
    exif[274] = orientation
    Picture.fromarray(STACK[0]).save(tmp_path / "c.png", exif=exif)
    with Picture.open(tmp_path / "c.png") as picture:
        shown = np.asarray(ImageOps.exif_transpose(picture))

    assert np.array_equal(_both(path)[0], shown)
    assert np.array_equal(TIFF.read_labels(path)[0], shown)


def test_a_missing_decoder_is_named(tmp_path, monkeypatch):
    path = tmp_path / "c.tif"
    tifffile.imwrite(path, STACK[0], metadata=None)
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        place = file.pages[0].tags[259].valueoffset
    data[place : place + 2] = (50000).to_bytes(2, "little")  # Zstandard
    path.write_bytes(data)

    with pytest.raises(FormatError, match="ZSTD.*needs the package imagecodecs"):
        _both(path)


def test_packed_values_name_the_package_that_unpacks_them(tmp_path):
    path = tmp_path / "c.tif"
    # 12 bits: two values in three bytes.
    page = np.zeros((40, 75), np.uint8)
    tifffile.imwrite(path, page, metadata=None)
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        tags = file.pages[0].tags
        places = {code: tags[code].valueoffset for code in (256, 258)}
    data[places[256] : places[256] + 2] = (50).to_bytes(2, "little")
    data[places[258] : places[258] + 2] = (12).to_bytes(2, "little")
    path.write_bytes(data)

    with pytest.raises(FormatError, match="12 bits.*needs the package imagecodecs"):
        _both(path)


def test_tifffile_says_nothing_by_itself(tmp_path):
    tifffile.imwrite(tmp_path / "c.tif", STACK)
    _both(tmp_path / "c.tif")

    assert not logging.getLogger("tifffile").propagate


def test_a_doubt_about_channels_is_noted_only_where_they_are_read_as_slices(tmp_path):
    path = tmp_path / "i.tif"
    tifffile.imwrite(path, STACK[:3], imagej=True, metadata={"axes": "CYX"})

    slices = TIFF.read_image([path], channels=1).geometry
    channels = TIFF.read_image([path], channels=3).geometry

    assert [note for note in TIFF.notes(slices) if "read as slices" in note]
    assert TIFF.notes(channels) == ()


@pytest.mark.parametrize(
    ("spacing", "unit", "remarks", "notes"),
    [
        ((0.5, 0.5), "um", 0, 0),  # as the file says
        ((0.0005, 0.0005), "mm", 0, 0),
        ((0.5, 0.6), "um", 0, 1),
        ((0.5, 0.5), None, 1, 0),  # without a unit, these are millimeters
    ],
)
def test_a_size_in_the_file_that_dataset_json_overrules_is_told(
    tmp_path, spacing, unit, remarks, notes
):
    path = tmp_path / "i.tif"
    said = {"axes": "YX", "unit": "um"}
    tifffile.imwrite(path, STACK[0], imagej=True, resolution=(2, 2), metadata=said)

    grid = TIFF.read_image([path], spacing=spacing, unit=unit).geometry

    assert grid.spacing == spacing
    assert (len(TIFF.remarks(grid)), len(TIFF.notes(grid))) == (remarks, notes)
    assert all("0.5 x 0.5 um" in text for text in TIFF.remarks(grid))


@pytest.mark.parametrize("packed", [None, "tiff_deflate"])
def test_a_palette_is_color_in_a_picture_of_colors_and_values_elsewhere(
    tmp_path, packed
):
    indices = np.arange(12, dtype=np.uint8).reshape(3, 4) % 4
    colors = np.array([[0, 10, 20], [200, 0, 0], [0, 90, 0], [5, 6, 255]], np.uint8)
    picture = Picture.fromarray(indices)
    picture.putpalette(colors.ravel().tolist())
    picture.save(tmp_path / "c.tif", compression=packed)

    assert np.array_equal(
        _both(tmp_path / "c.tif", 3), colors[indices].transpose(2, 0, 1)
    )
    assert np.array_equal(_both(tmp_path / "c.tif"), indices[None])
    assert np.array_equal(TIFF.read_labels(tmp_path / "c.tif")[0], indices)
    with mapped.keeping_to(0):
        left = TIFF.read_image([tmp_path / "c.tif"], channels=3, lazily=True)
    assert np.array_equal(left.array, colors[indices].transpose(2, 0, 1))


def test_a_tiff_packed_as_jpeg_is_an_image_and_no_annotation(tmp_path):
    path = tmp_path / "c.tif"
    mask = np.zeros((24, 24), np.uint8)
    mask[5:14, 6:17] = 200
    Picture.fromarray(mask).save(path, compression="jpeg", quality=75)

    with pytest.raises(FormatError, match="c.tif is packed as JPEG, which changes"):
        TIFF.read_labels(path)
    found = TIFF.read_image([path], channels=1).array[0]
    assert np.abs(found - mask).max() < 40 and len(np.unique(found)) > 2
