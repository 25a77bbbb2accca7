"""Pictures against Pillow and SimpleITK, which wrote them."""

import io
import struct
import zlib

import numpy as np
import pytest
import SimpleITK
from PIL import Image as Picture
from PIL import ImageOps

from autoseg.errors import FormatError
from autoseg.formats.natural import NaturalFormat
from autoseg.spec.image import Geometry

NATURAL = NaturalFormat()
RNG = np.random.default_rng(0)
RGBA = RNG.integers(0, 250, (5, 6, 4)).astype(np.uint8)
FLAT = Geometry(shape=(5, 6), spacing=(1.0, 1.0), unit="px")


def _save(path, array, mode=None):
    Picture.fromarray(array, mode).save(path) if mode else Picture.fromarray(
        array
    ).save(path)
    return path


def _palette(path, indices, colors):
    picture = Picture.frombytes("P", indices.shape[::-1], indices.tobytes())
    picture.putpalette(colors)
    picture.save(path)
    return path


@pytest.mark.parametrize(
    ("array", "channels"),
    [
        (RGBA[..., 0], 1),
        (RGBA[..., :3], 3),
        (RGBA, 4),
        (RGBA[..., 0].astype(np.uint16) * 200, 1),
        (RGBA[..., 0] > 100, 1),
    ],
)
def test_channels_come_first(tmp_path, array, channels):
    path = _save(tmp_path / "c.png", array)

    image = NATURAL.read_image([path])

    wanted = array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)
    assert image.array.shape == (channels, 5, 6)
    assert image.array.dtype == np.float32
    assert np.array_equal(image.array, wanted)
    assert image.geometry == FLAT


def test_bmp_and_jpeg_are_read(tmp_path):
    gray = _save(tmp_path / "c.bmp", RGBA[..., 0])
    smooth = np.full((8, 8, 3), (200, 100, 50), np.uint8)
    color = _save(tmp_path / "c.jpeg", smooth)

    assert np.array_equal(NATURAL.read_image([gray]).array[0], RGBA[..., 0])
    difference = NATURAL.read_image([color]).array - np.moveaxis(smooth, -1, 0)
    assert np.abs(difference).max() <= 2  # JPEG is not exact


def test_color_of_16_bits_keeps_them(tmp_path):
    # Pillow keeps the upper eight.
    array = RGBA[..., :3].astype(np.uint16) * 200 + 7
    image = SimpleITK.GetImageFromArray(array, isVector=True)
    SimpleITK.WriteImage(image, str(tmp_path / "c.png"))

    read = NATURAL.read_image([tmp_path / "c.png"])

    assert np.array_equal(read.array, np.moveaxis(array, -1, 0))


def test_a_palette_is_color_in_an_image_and_classes_in_an_annotation(tmp_path):
    indices = (RGBA[..., 0] % 3).astype(np.uint8)
    colors = [0, 0, 0, 255, 0, 0, 0, 255, 0]
    path = _palette(tmp_path / "c.png", indices, colors)

    image = NATURAL.read_image([path])
    labels, _ = NATURAL.read_labels(path)

    wanted = np.reshape(colors, (3, 3))[indices]
    assert np.array_equal(image.array, np.moveaxis(wanted, -1, 0))
    assert np.array_equal(labels, indices)


def test_gray_saved_as_color_is_one_channel_where_one_is_expected(tmp_path):
    path = _save(tmp_path / "c.png", np.repeat(RGBA[..., :1], 3, -1))

    assert NATURAL.read_image([path], channels=1).array.shape == (1, 5, 6)
    assert np.array_equal(NATURAL.read_labels(path)[0], RGBA[..., 0])


def test_an_opaque_alpha_channel_is_left_out_where_color_is_expected(tmp_path):
    opaque = RGBA.copy()
    opaque[..., 3] = 255
    path = _save(tmp_path / "c.png", opaque)

    assert NATURAL.read_image([path], channels=3).array.shape == (3, 5, 6)
    assert NATURAL.read_image([path], channels=4).array.shape == (4, 5, 6)
    with pytest.raises(FormatError, match="4 channels where 3"):
        NATURAL.read_image([_save(tmp_path / "d.png", RGBA)], channels=3)


def test_color_is_no_annotation(tmp_path):
    with pytest.raises(FormatError, match=r"c\.png.*channels that differ"):
        NATURAL.read_labels(_save(tmp_path / "c.png", RGBA[..., :3]))


def test_spacing_comes_from_the_data_set(tmp_path):
    path = _save(tmp_path / "c.png", RGBA[..., 0])

    geometry = NATURAL.read_image([path], spacing=(0.5, 0.25)).geometry
    named = NATURAL.read_image([path], spacing=(0.5, 0.25), unit="um").geometry

    assert (geometry.spacing, geometry.unit) == ((0.5, 0.25), "mm")
    assert named.unit == "um"
    with pytest.raises(FormatError, match="2 axes.*3"):
        NATURAL.read_image([path], spacing=(1.0, 0.5, 0.25))


@pytest.mark.parametrize(
    ("ending", "highest", "kind"),
    [(".png", 255, np.uint8), (".png", 65535, np.uint16), (".bmp", 255, np.uint8)],
)
def test_labels_come_back(tmp_path, ending, highest, kind):
    labels = np.zeros((5, 6), np.int64)
    labels[2, 3] = highest

    NATURAL.write_labels(tmp_path / f"c{ending}", labels, FLAT)

    read, _ = NATURAL.read_labels(tmp_path / f"c{ending}")
    assert read.dtype == kind
    assert np.array_equal(read, labels)
    assert np.array_equal(np.asarray(Picture.open(tmp_path / f"c{ending}")), labels)


@pytest.mark.parametrize(("name", "highest"), [("c.png", 65536), ("c.bmp", 256)])
def test_labels_that_do_not_fit_are_refused(tmp_path, name, highest):
    with pytest.raises(FormatError, match="cannot hold"):
        NATURAL.write_labels(tmp_path / name, np.array([[0, highest]]), FLAT)


def test_annotations_are_never_written_as_jpeg(tmp_path):
    with pytest.raises(FormatError, match="JPEG changes values"):
        NATURAL.write_labels(tmp_path / "c.jpg", np.zeros((5, 6), np.uint8), FLAT)


def test_what_a_picture_cannot_hold_is_refused(tmp_path):
    with pytest.raises(FormatError, match="two axes"):
        NATURAL.write_labels(tmp_path / "c.png", np.zeros((2, 5, 6), np.uint8), FLAT)
    with pytest.raises(FormatError, match=r"\.tif"):
        NATURAL.write_image(tmp_path / "c.png", np.zeros((5, 6)), FLAT)


@pytest.mark.parametrize("ending", [".png", ".jpg", ".bmp"])
@pytest.mark.parametrize("share", [0.6, 0.02, 0])
def test_a_file_that_was_cut_off_is_refused(tmp_path, ending, share):
    noise = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    path = _save(tmp_path / f"c{ending}", noise)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])

    with pytest.raises(FormatError, match=rf"c{ending}"):
        NATURAL.read_image([path])


def test_something_else_by_that_name_is_refused(tmp_path):
    (tmp_path / "c.png").write_text("hello")

    with pytest.raises(FormatError, match="no picture"):
        NATURAL.read_image([tmp_path / "c.png"])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_a_picture_stands_as_viewers_show_it(tmp_path, ending, orientation):
    exif = Picture.Exif()
    exif[274] = orientation
    path = tmp_path / f"c{ending}"
    Picture.fromarray(RGBA[..., :3]).save(path, exif=exif)
    with Picture.open(path) as picture:
        shown = np.asarray(ImageOps.exif_transpose(picture))

    image = NATURAL.read_image([path])

    assert np.array_equal(image.array, np.moveaxis(shown, -1, 0))
    assert NATURAL.geometry(path, None, None, 3) == image.geometry
    assert bool(NATURAL.notes(image.geometry)) == (orientation != 1)


def test_an_annotation_stands_as_viewers_show_it(tmp_path):
    exif = Picture.Exif()
    exif[274] = 6  # a quarter to the right
    Picture.fromarray(RGBA[..., 0]).save(tmp_path / "c.png", exif=exif)

    labels, geometry = NATURAL.read_labels(tmp_path / "c.png")

    assert np.array_equal(labels, np.rot90(RGBA[..., 0], -1))
    assert geometry.shape == (6, 5)


def _png(path, rows, width, depth, color, interlaced=False, extra=b""):
    """Write a PNG from its filtered rows."""

    def chunk(name, data):
        check = zlib.crc32(name + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + name + data + check

    head = width.to_bytes(4, "big") + len(rows).to_bytes(4, "big")
    head += bytes([depth, color, 0, 0, interlaced])
    parts = chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(b"".join(rows)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + parts + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize("filtered", [0, 1, 2])
def test_gray_with_alpha_keeps_its_16_bits(tmp_path, filtered):
    gray = RNG.integers(0, 65536, (5, 6))
    gray[0, :2] = 1000, 1001
    alpha = np.full_like(gray, 65535)
    stored = np.stack([gray, alpha], -1).astype(">u2")
    flat = np.frombuffer(stored.tobytes(), np.uint8).reshape(5, 24).astype(int)
    before = np.zeros_like(flat)
    if filtered == 1:  # differences to the pixel on the left, four bytes away
        before[:, 4:] = flat[:, :-4]
    if filtered == 2:  # to the one above
        before[1:] = flat[:-1]
    rows = [bytes([filtered]) + bytes(row) for row in ((flat - before) % 256).tolist()]
    path = _png(tmp_path / "c.png", rows, width=6, depth=16, color=4)

    assert np.array_equal(NATURAL.read_image([path], channels=1).array[0], gray)
    labels, _ = NATURAL.read_labels(path)
    assert labels.dtype == np.uint16 and np.array_equal(labels, gray)
    both = NATURAL.read_image([path], channels=2).array
    assert np.array_equal(both, [gray, alpha])


def test_a_picture_in_one_color_is_one_channel_where_one_is_expected(tmp_path):
    blue = np.zeros((4, 5, 3), np.uint8)
    blue[..., 2] = np.arange(20).reshape(4, 5)
    one = _save(tmp_path / "a.png", blue)
    blue[0, 0, 0] = 1
    two = _save(tmp_path / "b.png", blue)

    found = NATURAL.read_image([one], channels=1, names=("DAPI",)).array

    assert np.array_equal(found, blue[None, ..., 2])
    with pytest.raises(FormatError, match="Save the one that shows DAPI alone"):
        NATURAL.read_image([two], channels=1, names=("DAPI",))


def test_an_animation_is_refused(tmp_path):
    frames = [Picture.fromarray(np.full((4, 5), k, np.uint8)) for k in (0, 90)]
    frames[0].save(tmp_path / "c.png", save_all=True, append_images=frames[1:])

    with pytest.raises(FormatError, match="animation of 2 pictures"):
        NATURAL.read_image([tmp_path / "c.png"])


@pytest.mark.parametrize("bits", [2, 4])
def test_few_bits_are_spread_over_eight_as_viewers_show_them(tmp_path, bits):
    """W3C's PNG, section 13.12: the largest value is white, whatever its bits."""
    values = np.arange(2**bits, dtype=np.uint8)
    row = np.packbits(np.unpackbits(values[:, None], axis=1)[:, 8 - bits :])
    head = struct.pack(">IIBBBBB", 2**bits, 1, bits, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n"
    for kind, content in (
        (b"IHDR", head),
        (b"IDAT", zlib.compress(b"\0" + row.tobytes())),
        (b"IEND", b""),
    ):
        whole = kind + content
        data += struct.pack(">I", len(content)) + whole
        data += struct.pack(">I", zlib.crc32(whole))
    (tmp_path / "c.png").write_bytes(data)

    found = NATURAL.read_image([tmp_path / "c.png"]).array[0, 0]

    assert np.array_equal(found, values * (255 // (2**bits - 1)))


def _jpeg(path, form="JPEG", **options):
    """Save a mask of 0 and 200 with an edge, at an edge of which JPEG wavers."""
    mask = np.zeros((24, 24), np.uint8)
    mask[5:14, 6:17] = 200
    packed = io.BytesIO()
    Picture.fromarray(mask).save(packed, form, **options)
    path.write_bytes(packed.getvalue())
    return mask


@pytest.mark.parametrize("name", ["c.png", "c.bmp", "c.jpg"])
@pytest.mark.parametrize("progressive", [False, True], ids=["plain", "progressive"])
def test_a_jpeg_is_no_annotation_whatever_its_name_is(tmp_path, name, progressive):
    _jpeg(tmp_path / name, progressive=progressive)
    seen = np.unique(np.asarray(Picture.open(tmp_path / name)))
    assert len(seen) > 2  # so numbers are not those that were drawn

    with pytest.raises(FormatError, match=f"{name} is packed as JPEG, which changes"):
        NATURAL.read_labels(tmp_path / name)
    assert NATURAL.read_image([tmp_path / name]).array.shape == (1, 24, 24)


def test_what_other_packings_keep_is_an_annotation(tmp_path):
    mask = _jpeg(tmp_path / "kept.png", "JPEG2000", irreversible=False)
    _jpeg(tmp_path / "lost.png", "JPEG2000", irreversible=True)
    _jpeg(tmp_path / "whole.png", "WEBP", lossless=True)
    _jpeg(tmp_path / "waved.png", "WEBP", quality=50)

    assert np.array_equal(NATURAL.read_labels(tmp_path / "kept.png")[0], mask)
    assert np.array_equal(NATURAL.read_labels(tmp_path / "whole.png")[0], mask)
    for name, packing in (("lost", "JPEG 2000"), ("waved", "WebP")):
        with pytest.raises(FormatError, match=f"{name}.png is packed as {packing}"):
            NATURAL.read_labels(tmp_path / f"{name}.png")


@pytest.mark.parametrize(
    ("marker", "bits", "kind"),
    [
        (0xC1, 12, "a JPEG of 12 bits"),
        (0xC3, 8, "a JPEG without loss"),
        (0xF7, 8, "a JPEG-LS file"),
    ],
)
def test_a_jpeg_that_is_not_read_is_called_so_and_not_damaged(
    tmp_path, marker, bits, kind
):
    _jpeg(tmp_path / "c.jpg")
    plain = (tmp_path / "c.jpg").read_bytes()
    frame = plain.index(b"\xff\xc0\x00\x0b\x08")  # SOF0, its length, 8 bits
    head = bytes([0xFF, marker, 0, 0x0B, bits])
    (tmp_path / "c.jpg").write_bytes(plain[:frame] + head + plain[frame + 5 :])

    with pytest.raises(FormatError, match=f"c.jpg is {kind}, which cannot be read"):
        NATURAL.read_image([tmp_path / "c.jpg"])
