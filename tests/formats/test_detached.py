"""Images in two files: NRRD's header alone, NIfTI's pair and Analyze 7.5."""

import gzip
import struct

import nibabel
import numpy as np
import pytest
import SimpleITK

from autoseg.errors import FormatError
from autoseg.formats.base import find_format, writable
from autoseg.formats.detached import DetachedFormat
from autoseg.formats.names import segments_of
from autoseg.geometry import mapped
from autoseg.spec.foreign.behind import voxels_behind
from tests.each import each

VOXELS = np.random.default_rng(0).integers(-99, 300, (6, 5, 4)).astype(np.int16)
AFFINE = np.array([[-0.5, 0, 0, 3], [0, -0.75, 0, 4], [0, 0, 2, 5], [0, 0, 0, 1]])


def _pair(path, kind=nibabel.Nifti1Pair, array=VOXELS, **more):
    image = kind(array.T, AFFINE, **more)
    if kind is nibabel.Spm2AnalyzeImage:
        image.set_data_dtype(np.int16)
    nibabel.save(image, path)
    return path


def _nrrd(path):
    image = SimpleITK.GetImageFromArray(VOXELS)
    image.SetSpacing((0.5, 0.75, 2.0))
    image.SetOrigin((-3.0, -4.0, 5.0))
    SimpleITK.WriteImage(image, str(path))
    return path


def _packed(path):
    _pair(path.with_name("b.hdr"))
    for ending in (".hdr", ".img"):
        content = (path.parent / f"b{ending}").read_bytes()
        (path.parent / f"a{ending}.gz").write_bytes(gzip.compress(content))
    return path.with_name("a.hdr.gz")


def _read(path, **how):
    return find_format(path).read_image([path], **how)


@each("make", [_pair, _nrrd, _packed, "nifti2"])
def test_a_header_and_its_voxels_are_an_image_that_is_oriented(tmp_path, make):
    path = tmp_path / ("a.nhdr" if make is _nrrd else "a.hdr")
    path = _pair(path, nibabel.Nifti2Pair) if make == "nifti2" else make(path)

    image = _read(path)

    assert isinstance(find_format(path), DetachedFormat)
    np.testing.assert_array_equal(image.array[0], VOXELS)
    assert image.geometry.spacing == (2.0, 0.75, 0.5)
    assert image.geometry.origin == (-3.0, -4.0, 5.0)  # LPS, where nibabel's is RAS
    assert image.geometry.direction == (1, 0, 0, 0, 1, 0, 0, 0, 1)
    assert image.geometry.oriented


@each("order", ["<", ">"])
def test_analyze_has_a_size_and_no_orientation(tmp_path, order):
    header = nibabel.AnalyzeHeader(endianness=order)
    path = _pair(tmp_path / "a.hdr", nibabel.AnalyzeImage, header=header)

    image = _read(path)

    np.testing.assert_array_equal(image.array[0], VOXELS)
    assert image.geometry.spacing == (2.0, 0.75, 0.5)
    assert not image.geometry.oriented
    assert find_format(path).remarks(image.geometry) == ()


def test_analyze_is_read_in_its_unit_and_with_the_scale_of_spm(tmp_path):
    path = _pair(tmp_path / "a.hdr", nibabel.Spm2AnalyzeImage, VOXELS * 0.5)
    content = bytearray(path.read_bytes())
    content[56:59] = b"cm\0"
    path.write_bytes(content)

    image = _read(path)

    # int16 over the range of the values: half a step is their rounding.
    step = np.ptp(VOXELS) * 0.5 / 65535
    np.testing.assert_allclose(image.array[0], VOXELS * 0.5, atol=step)
    assert image.geometry.spacing == (20.0, 7.5, 5.0)
    (remark,) = find_format(path).remarks(image.geometry)
    assert "where SPM keeps a scale" in remark


def test_an_unknown_unit_of_analyze_is_said(tmp_path):
    path = _pair(tmp_path / "a.hdr", nibabel.AnalyzeImage)
    content = bytearray(path.read_bytes())
    content[56:60] = b"furl"
    path.write_bytes(content)

    geometry = _read(path).geometry

    assert geometry.spacing == (2.0, 0.75, 0.5)
    assert "'furl' is not known" in find_format(path).remarks(geometry)[0]


def test_large_pairs_stay_in_their_files(tmp_path, monkeypatch):
    paths = [_pair(tmp_path / "b.hdr"), _nrrd(tmp_path / "n.nhdr"), _packed(tmp_path)]
    known = [_read(path) for path in paths]
    monkeypatch.setattr(mapped, "IN_MEMORY", 0)

    for path, one in zip(paths, known, strict=True):
        found = _read(path, lazily=True)
        assert mapped.is_mapped(found.array)
        np.testing.assert_array_equal(found.array, one.array)
        assert found.geometry == one.geometry


@each("ending", [".nhdr", ".nrrd"])
def test_names_of_segments_stand_in_a_header_without_voxels_too(tmp_path, ending):
    labels = np.arange(120, dtype=np.uint8).reshape(6, 5, 4) % 3
    (tmp_path / "a.raw").write_bytes(labels.tobytes())
    path = tmp_path / f"a{ending}"
    names = "".join(
        f"Segment{n}_Name:={name}\nSegment{n}_LabelValue:={n + 1}\n"
        for n, name in enumerate(("liver", "tumor"))
    )
    path.write_text(  # no blank line at its end: no voxels follow
        "NRRD0005\ntype: uint8\ndimension: 3\nsizes: 4 5 6\nencoding: raw\n"
        f"{names}data file: a.raw\n"
    )

    assert segments_of(path) == {"liver": 1, "tumor": 2}
    np.testing.assert_array_equal(find_format(path).read_labels(path)[0], labels)


def test_voxels_count_as_files_of_the_image(tmp_path):
    plain, packed = _pair(tmp_path / "p.hdr"), _packed(tmp_path / "a.hdr")

    assert voxels_behind(plain) == [tmp_path / "p.img"]
    assert voxels_behind(packed) == [tmp_path / "a.img.gz"]


def test_what_is_half_or_another_thing_is_refused_by_name(tmp_path):
    gone, short, text = (tmp_path / f"{name}.hdr" for name in ("gone", "short", "text"))
    _pair(gone).with_suffix(".img").unlink()
    _pair(short).with_suffix(".img").write_bytes(VOXELS.tobytes()[:-1])
    text.write_text("ENVI\nsamples = 3\n")
    binary = _pair(tmp_path / "binary.hdr", nibabel.AnalyzeImage)
    content = bytearray(binary.read_bytes())
    content[70:72] = struct.pack("<h", 1)  # one bit a voxel
    binary.write_bytes(content)

    for path, said in (
        (gone, "the header of .*gone.img, which is not there"),
        (short, "short.img is cut off: 239 of 240 bytes"),
        (text, "no header of NIfTI or Analyze"),
        (binary, "data type 1, which is not supported"),
        (tmp_path / "a.img", r"read by its header.*\.hdr beside it"),
    ):
        with pytest.raises(FormatError, match=said):
            _read(path)


def test_predictions_are_written_in_one_file(tmp_path):
    assert {writable(ending) for ending in DetachedFormat.endings} == {".nii.gz"}
    geometry = _read(_pair(tmp_path / "a.hdr")).geometry

    with pytest.raises(FormatError, match=r"one file, such as \.nii\.gz"):
        DetachedFormat().write_labels(tmp_path / "b.hdr", VOXELS, geometry)
