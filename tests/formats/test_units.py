"""What files say of their unit, in every format that says it."""

import json

import nibabel
import numpy as np
import pytest
import SimpleITK
import tifffile

from autoseg.formats.base import find_format
from autoseg.formats.header import as_filed, in_unit

SHAPE = (4, 5, 6)
ZEROS = np.zeros(SHAPE, np.uint8)


def _nifti(path, edges, code):
    image = nibabel.Nifti1Image(ZEROS.T, np.diag([*edges[::-1], 1.0]))
    image.header["xyzt_units"] = code
    image.header.set_sform(image.affine, 1)
    nibabel.save(image, path)
    return path


def _write_nrrd(path, fields, voxels=ZEROS):
    lines = ["NRRD0004", "type: uint8", "dimension: 3"]
    if "space" in fields:
        lines.append(f"space: {fields['space']}")
    lines.append(f"sizes: {' '.join(map(str, voxels.shape[::-1]))}")
    lines += ["encoding: raw"]
    lines += [f"{name}: {value}" for name, value in fields.items() if name != "space"]
    path.write_bytes("\n".join([*lines, "", ""]).encode() + voxels.tobytes())
    return path


def _read_nrrd_fields(path):
    head = path.read_bytes().partition(b"\n\n")[0].decode()
    return dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)


def _nrrd(path, edges, word):
    x, y, z = edges[::-1]
    fields = {
        "space": "left-posterior-superior",
        "space directions": f"({x},0,0) (0,{y},0) (0,0,{z})",
        "space origin": "(10,20,30)",
    }
    if word:
        fields["space units"] = " ".join([f'"{word}"'] * 3)
    return _write_nrrd(path, fields)


def _meta(path, edges, word, voxels=ZEROS, more=""):
    said = f"DistanceUnits = {word}\n" if word else ""
    text = (
        "ObjectType = Image\nNDims = 3\nBinaryData = True\n"
        "BinaryDataByteOrderMSB = False\nCompressedData = False\n"
        f"TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 10 20 30\n{said}{more}"
        f"ElementSpacing = {' '.join(map(str, edges[::-1]))}\n"
        f"DimSize = {' '.join(map(str, SHAPE[::-1]))}\n"
        "ElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
    )
    path.write_bytes(text.encode() + voxels.tobytes())
    return path


def _imagej(path, edges, word, **metadata):
    said = {"axes": "ZYX", "spacing": edges[0], **metadata}
    if word is not None:
        said["unit"] = word
    resolution = (1 / edges[2], 1 / edges[1])
    tifffile.imwrite(path, ZEROS, imagej=True, resolution=resolution, metadata=said)
    return path


def _ome(path, sizes, words):
    said = {"axes": "ZYX"}
    for axis, size, word in zip("ZYX", sizes, words, strict=True):
        if size is not None:
            said[f"PhysicalSize{axis}"] = size
        if word is not None:
            said[f"PhysicalSize{axis}Unit"] = word
    tifffile.imwrite(path, ZEROS, metadata=said, photometric="minisblack")
    return path


def _both(path, unit=None):
    """Return the geometry of a header, which is that of the file read as a whole."""
    reader = find_format(path)
    image = reader.read_image([path], unit=unit).geometry
    assert reader.geometry(path, None, unit, None) == image
    assert reader.read_labels(path, unit=unit)[1] == image
    return image


@pytest.mark.parametrize(
    ("code", "number", "unit", "expected"),
    [
        (3, 500.0, None, (0.5, "mm")),  # 500 um
        (3, 500.0, "mm", (0.5, "mm")),
        (3, 500.0, "um", (500.0, "um")),
        (1, 0.001, None, (1.0, "mm")),  # a thousandth of a meter
        (1, 0.001, "um", (1000.0, "um")),
        (2, 0.5, None, (0.5, "mm")),
        (2, 0.5, "um", (0.5, "um")),  # mm, which programs write whatever is meant
        (0, 0.5, "um", (0.5, "um")),
        (0, 0.5, None, (0.5, "mm")),
        (3, 500.0, "px", (500.0, "px")),
    ],
)
def test_nifti_s_units_are_believed_but_for_mm(tmp_path, code, number, unit, expected):
    path = _nifti(tmp_path / "c.nii.gz", (2 * number, number, number), code)

    geometry = _both(path, unit)

    assert np.allclose(geometry.spacing, [2 * expected[0], *[expected[0]] * 2])
    assert geometry.unit == expected[1]


@pytest.mark.parametrize("kind", [_nrrd, _meta])
@pytest.mark.parametrize(
    ("word", "unit", "factor", "named"),
    [
        ("um", None, 1e-3, "mm"),
        ("um", "um", 1.0, "um"),
        ("µm", None, 1e-3, "mm"),
        ("nm", "um", 1e-3, "um"),
        ("nm", None, 1e-6, "mm"),
        ("cm", None, 10.0, "mm"),
        ("m", "um", 1e6, "um"),
        ("mm", "um", 1.0, "um"),
        ("mm", None, 1.0, "mm"),
        (None, None, 1.0, "mm"),
        (None, "um", 1.0, "um"),
        ("inch", "mm", 25.4, "mm"),
    ],
)
def test_nrrd_s_and_metaimage_s_units_are_converted(
    tmp_path, kind, word, unit, factor, named
):
    path = kind(tmp_path / ("c.nrrd" if kind is _nrrd else "c.mha"), (2, 0.5, 1), word)

    geometry = _both(path, unit)

    assert np.allclose(geometry.spacing, np.multiply((2, 0.5, 1), factor), rtol=1e-12)
    assert np.allclose(geometry.origin, np.multiply((10, 20, 30), factor), rtol=1e-12)
    assert geometry.unit == named


@pytest.mark.parametrize("kind", [_nrrd, _meta])
@pytest.mark.parametrize("word", ["um", "nm", "cm"])
@pytest.mark.parametrize("wanted", ["mm", "um", None])
def test_predictions_are_written_in_the_unit_of_their_image(
    tmp_path, kind, word, wanted
):
    ending = ".nrrd" if kind is _nrrd else ".mha"
    path = kind(tmp_path / f"c{ending}", (2, 0.3, 0.7), word)
    reader = find_format(path)
    geometry = reader.read_image([path]).geometry
    if wanted is not None:
        geometry = in_unit(geometry, wanted)

    reader.write_labels(tmp_path / f"p{ending}", ZEROS, geometry)

    # By programs that look at units, and by those that do not.
    ours, theirs = (
        SimpleITK.ReadImage(str(p)) for p in (tmp_path / f"p{ending}", path)
    )
    assert ours.GetSpacing() == theirs.GetSpacing()
    assert ours.GetOrigin() == theirs.GetOrigin()
    if kind is _nrrd:
        fields = _read_nrrd_fields(tmp_path / f"p{ending}")
        assert fields["space units"] == " ".join([f'"{word}"'] * 3)
    else:
        head = (tmp_path / f"p{ending}").read_bytes()[:600].decode("latin-1")
        assert f"DistanceUnits = {word}\n" in head


def test_a_converted_geometry_goes_back_to_the_bit(tmp_path):
    path = _nrrd(tmp_path / "c.nrrd", (2, 0.3, 0.7), "um")
    geometry = find_format(path).read_image([path]).geometry

    there = in_unit(in_unit(geometry, "um"), "px")

    assert there.spacing == pytest.approx((2 / 0.7, 0.3 / 0.7, 1.0))
    assert as_filed(there).spacing == (2.0, 0.3, 0.7)
    assert as_filed(there).unit == "um"


def test_micrometers_are_written_to_nifti_as_such(tmp_path):
    path = _ome(tmp_path / "c.ome.tif", (2.0, 0.5, 0.25), ("um",) * 3)
    geometry = find_format(path).read_image([path]).geometry

    find_format(".nii.gz").write_labels(tmp_path / "p.nii.gz", ZEROS, geometry)

    written = nibabel.load(tmp_path / "p.nii.gz")
    assert written.header.get_xyzt_units()[0] == "micron"
    assert written.header.get_zooms() == (0.25, 0.5, 2.0)
    # A direction of 1 in ITK's frame is -1 in NIfTI's, for x and y.
    assert np.allclose(written.affine, np.diag([-0.25, -0.5, 2.0, 1.0]))
    assert _both(tmp_path / "p.nii.gz", "um").spacing == pytest.approx((2.0, 0.5, 0.25))


@pytest.mark.parametrize("kind", [_nrrd, _meta])
def test_an_unknown_unit_of_a_volume_is_remarked(tmp_path, kind):
    path = kind(
        tmp_path / ("c.nrrd" if kind is _nrrd else "c.mha"), (2, 1, 1), "parsec"
    )

    geometry = _both(path)

    assert geometry.spacing == (2.0, 1.0, 1.0)
    assert "'parsec'" in " ".join(find_format(path).remarks(geometry))


@pytest.mark.parametrize(
    ("word", "factor", "unit"),
    [
        ("um", 1.0, "um"),
        ("micrometers", 1.0, "um"),
        ("micrometre", 1.0, "um"),
        ("nanometers", 1e-3, "um"),
        ("millimeter", 1.0, "mm"),
        ("centimetres", 10.0, "mm"),
        ("angstrom", 1e-4, "um"),
    ],
)
def test_imagej_s_words_for_units_are_known(tmp_path, word, factor, unit):
    geometry = _both(_imagej(tmp_path / "c.tif", (1.0, 0.2, 0.2), word))

    assert np.allclose(geometry.spacing, np.multiply((1.0, 0.2, 0.2), factor))
    assert geometry.unit == unit


@pytest.mark.parametrize("word", ["pixel", "pixels", None, "furlong"])
def test_the_ratio_of_the_axes_survives_without_a_unit(tmp_path, word):
    path = _imagej(tmp_path / "c.tif", (1.0, 0.2, 0.2), word)

    geometry = _both(path)

    assert geometry.spacing == pytest.approx((5.0, 1.0, 1.0))
    assert geometry.unit == "px"
    remarks = find_format(path).remarks(geometry)
    assert ("'furlong'" in " ".join(remarks)) == (word == "furlong")
    # The numbers have no unit, so dataset.json may give them one.
    assert _both(path, "um").spacing == pytest.approx((1.0, 0.2, 0.2))


def test_imagej_may_have_another_unit_along_z(tmp_path):
    path = _imagej(tmp_path / "c.tif", (1.0, 0.2, 0.2), "um", zunit="mm")

    assert _both(path).spacing == pytest.approx((1000.0, 0.2, 0.2))


def test_a_stack_without_a_distance_of_slices_is_noted(tmp_path):
    said = {"axes": "ZYX", "unit": "um"}
    path = tmp_path / "c.tif"
    tifffile.imwrite(path, ZEROS, imagej=True, resolution=(4, 4), metadata=said)

    geometry = _both(path)

    assert geometry.spacing == (1.0, 0.25, 0.25)
    assert "distance of its slices" in find_format(path).notes(geometry)[0]


@pytest.mark.parametrize(
    ("sizes", "words", "spacing", "unit"),
    [
        ((2, 1, 1), ("nm", "nm", "nm"), (2e-3, 1e-3, 1e-3), "um"),
        ((2, 1, 1), ("Å", "Å", "Å"), (2e-4, 1e-4, 1e-4), "um"),
        ((2, 1, 1), ("pm", "pm", "pm"), (2e-6, 1e-6, 1e-6), "um"),
        ((2, 1, 1), ("dm", "um", "um"), (2e5, 1.0, 1.0), "um"),
        ((2, 1, 1), ("mm", "mm", "mm"), (2.0, 1.0, 1.0), "mm"),
        ((3, 1, 1), ("pixel", "pixel", "pixel"), (3.0, 1.0, 1.0), "px"),
        ((3, 2, 2), ("pixel", "pixel", "pixel"), (1.5, 1.0, 1.0), "px"),
        ((None, 0.3, 0.3), (None, "um", "um"), (0.3, 0.3, 0.3), "um"),
        ((None, 0.3, 0.3), (None, None, None), (0.3, 0.3, 0.3), "um"),
        ((2, 0.3, 0.3), ("reference frame", "um", "um"), (0.3, 0.3, 0.3), "um"),
    ],
)
def test_ome_s_units_and_gaps(tmp_path, sizes, words, spacing, unit):
    path = _ome(tmp_path / "c.ome.tif", sizes, words)

    geometry = _both(path)

    assert geometry.spacing == pytest.approx(spacing, rel=1e-12)
    assert geometry.unit == unit
    gap = sizes[0] is None or words[0] == "reference frame"
    assert bool(find_format(path).notes(geometry)) == gap


def test_a_prediction_of_an_ome_image_is_calibrated_for_imagej(tmp_path):
    path = _ome(tmp_path / "c.ome.tif", (2.0, 0.65, 0.325), ("um",) * 3)
    geometry = find_format(path).read_image([path]).geometry

    find_format(".tif").write_labels(tmp_path / "p.tif", ZEROS, geometry)

    with tifffile.TiffFile(tmp_path / "p.tif") as file:
        said = file.imagej_metadata
        assert (said["unit"], said["spacing"]) == ("micron", 2.0)
        for name, edge in (("XResolution", 0.325), ("YResolution", 0.65)):
            number, of = file.pages[0].tags[name].value
            assert number / of == pytest.approx(1 / edge, rel=1e-6)
    assert _both(tmp_path / "p.tif").spacing == geometry.spacing


@pytest.mark.parametrize(
    ("word", "spacing", "unit"),
    [("nm", (0.002, 0.001, 0.001), "um"), ("micrometres", (2.0, 1.0, 1.0), "um")],
)
def test_a_side_car_s_unit_is_any_word(tmp_path, word, spacing, unit):
    tifffile.imwrite(tmp_path / "c.tif", ZEROS, photometric="minisblack")
    text = json.dumps({"spacing": [2, 1, 1], "unit": word})

    for encoding in ("utf-8", "utf-8-sig"):  # with the mark that Windows puts there
        (tmp_path / "c.json").write_text(text, encoding=encoding)
        geometry = _both(tmp_path / "c.tif")
        assert (geometry.spacing, geometry.unit) == (pytest.approx(spacing), unit)


@pytest.mark.parametrize("centering", ["cell", "node", None])
def test_nrrd_s_limits_of_axes_are_its_spacing(tmp_path, centering):
    fields = {"axis mins": "0 0 0", "axis maxs": "12 13 60"}
    if centering:
        fields["centerings"] = " ".join([centering] * 3)
    path = tmp_path / "c.nrrd"
    _write_nrrd(path, fields, np.zeros((20, 26, 24), np.uint8))

    geometry = _both(path)

    # From border to border there are n cells; from center to center n - 1.
    less = 1 if centering == "node" else 0
    expected = (60 / (20 - less), 13 / (26 - less), 12 / (24 - less))
    assert geometry.spacing == pytest.approx(expected)
    first = [0.0] * 3 if less else [edge / 2 for edge in expected[::-1]]
    assert geometry.origin == pytest.approx(first)


def test_nrrd_s_limits_may_run_backwards(tmp_path):
    fields = {"axis mins": "12 0 0", "axis maxs": "0 13 60"}
    path = tmp_path / "c.nrrd"
    _write_nrrd(path, fields, np.zeros((20, 26, 24), np.uint8))

    geometry = _both(path)

    assert geometry.spacing == pytest.approx((3.0, 0.5, 0.5))
    assert geometry.direction[0] == -1.0
    assert geometry.origin[0] == pytest.approx(11.75)


def test_centerings_and_units_of_a_nrrd_come_back(tmp_path):
    fields = {
        "spacings": "0.5 0.5 2.0",
        "units": '"um" "um" "um"',
        "centerings": "node node node",
    }
    path = _write_nrrd(tmp_path / "c.nrrd", fields)
    reader = find_format(path)
    geometry = reader.read_image([path]).geometry

    reader.write_labels(tmp_path / "p.nrrd", ZEROS, geometry)

    assert geometry.spacing == pytest.approx((2e-3, 5e-4, 5e-4))
    assert fields.items() <= _read_nrrd_fields(tmp_path / "p.nrrd").items()
