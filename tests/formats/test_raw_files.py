"""MetaImage and NRRD files that stay where they are hold what ITK reads of them."""

import bz2
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import SimpleITK

from autoseg.errors import FormatError
from autoseg.formats.base import find_format
from autoseg.formats.itk import ItkFormat
from autoseg.geometry import mapped
from autoseg.spec.foreign.behind import voxels_behind

SHAPE = (5, 6, 7)


def _write(path, array, vector=False, packed=False):
    image = SimpleITK.GetImageFromArray(array, isVector=vector)
    image.SetSpacing((0.5, 0.75, 2.0))
    image.SetOrigin((1.0, -2.0, 3.0))
    SimpleITK.WriteImage(image, str(path), useCompression=packed)


@pytest.mark.parametrize("ending", [".mha", ".mhd", ".nrrd"])
@pytest.mark.parametrize("packed", [False, True], ids=["raw", "packed"])
@pytest.mark.parametrize("kind", ["int16", "vector"])
def test_voxels_are_those_of_itk(tmp_path, monkeypatch, ending, packed, kind):
    vector = kind == "vector"
    shape = (*SHAPE, 2) if vector else SHAPE
    array = np.random.default_rng(0).integers(0, 99, shape)
    array = array.astype("int16" if vector else kind)
    path = tmp_path / f"a{ending}"
    _write(path, array, vector, packed)
    known = find_format(path).read_image([path])
    monkeypatch.setattr(mapped, "IN_MEMORY", 0)

    found = find_format(path).read_image([path], lazily=True)

    assert mapped.is_mapped(found.array)
    np.testing.assert_array_equal(found.array, known.array)
    np.testing.assert_array_equal(
        np.asarray(found.array[:, 1:3, 2:, ::-1]), known.array[:, 1:3, 2:, ::-1]
    )
    assert found.geometry == known.geometry


def test_nrrd_packed_by_bzip2_is_read_although_itk_cannot(tmp_path):
    array = np.arange(5 * 6 * 7, dtype="<i2").reshape(SHAPE)
    head = b"NRRD0004\ntype: short\ndimension: 3\nsizes: 7 6 5\nspacings: .5 1 2\n"
    path = tmp_path / "a.nrrd"
    packed = bz2.compress(array.tobytes())
    path.write_bytes(head + b"endian: little\nencoding: bzip2\n\n" + packed)

    image = find_format(path).read_image([path])

    np.testing.assert_array_equal(image.array[0], array)
    assert image.geometry.spacing == (2.0, 1.0, 0.5)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(FormatError, match="damaged|cut off"):
        find_format(path).read_image([path])


@pytest.mark.parametrize("big", [False, True], ids=["little", "big"])
def test_a_header_apart_says_byte_order_and_packing(tmp_path, monkeypatch, big):
    array = np.arange(5 * 6 * 7, dtype=">i2" if big else "<i2").reshape(SHAPE)
    (tmp_path / "voxels.raw").write_bytes(array.tobytes())
    header = tmp_path / "a.nrrd"
    header.write_text(
        "NRRD0004\n# a remark\ntype: short\ndimension: 3\nsizes: 7 6 5\n"
        f"spacings: 1 1 1\nendian: {'big' if big else 'little'}\nencoding: raw\n"
        "data file: voxels.raw\n\n"
    )
    monkeypatch.setattr(mapped, "IN_MEMORY", 0)

    found = find_format(header).read_labels(header, lazily=True)[0]

    assert mapped.is_mapped(found)
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("ending", [".mha", ".nrrd"])
@pytest.mark.parametrize("packed", [False, True], ids=["raw", "packed"])
def test_a_file_that_was_cut_off_is_refused(tmp_path, monkeypatch, ending, packed):
    path = tmp_path / f"a{ending}"
    _write(
        path, np.random.default_rng(0).integers(0, 99, SHAPE, np.uint8), False, packed
    )
    path.write_bytes(path.read_bytes()[:-20])
    monkeypatch.setattr(mapped, "IN_MEMORY", 0)

    with pytest.raises(FormatError, match=f"a{ending}.*cut off"):
        find_format(path).read_image([path], lazily=True)


NRRD = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 2 2\nspacings: 1 1 1\n"


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("a.mhd", "NDims = 3\nDimSize = 2 2 2\nElementDataFile = a.raw\n"),
        ("a.nrrd", f"{NRRD}encoding: raw\ndata file: a.raw\n\n"),
    ],
)
def test_a_header_without_its_voxels_says_what_is_missing(tmp_path, name, header):
    (tmp_path / name).write_text(header)

    with pytest.raises(FormatError, match=r"is the header of .*a\.raw, which is not"):
        find_format(tmp_path / name).read_image([tmp_path / name])


@pytest.mark.parametrize("encoding", ["text", "txt", "ascii", "ASCII"])
def test_numbers_as_text_are_read_one_file_at_a_time(tmp_path, monkeypatch, encoding):
    paths = [tmp_path / f"{k}.nrrd" for k in range(4)]
    for k, path in enumerate(paths):
        numbers = " ".join(str(k) for _ in range(8))
        path.write_text(f"{NRRD}encoding: {encoding}\n\n{numbers}\n")
    read, inside, most = SimpleITK.ReadImage, [], []

    def watched(path):
        inside.append(path)
        time.sleep(0.01)
        most.append(len(inside))
        found = read(path)
        inside.remove(path)
        return found

    monkeypatch.setattr(SimpleITK, "ReadImage", watched)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda p: find_format(p).read_labels(p)[0], paths))

    assert max(most) == 1
    assert [set(labels.ravel().tolist()) for labels in found] == [{0}, {1}, {2}, {3}]


@pytest.mark.parametrize("ending", [".mha", ".mhd", ".nrrd"])
def test_voxels_that_were_cut_off_are_counted(tmp_path, ending):
    path = tmp_path / f"a{ending}"
    _write(path, np.zeros(SHAPE, np.int16))
    file = path.with_suffix(".raw") if ending == ".mhd" else path
    file.write_bytes(file.read_bytes()[:-3])

    whole = file.stat().st_size + 3
    with pytest.raises(FormatError, match=f"cut off: {whole - 3} of {whole} bytes"):
        find_format(path).read_labels(path)


@pytest.mark.parametrize(
    ("name", "header", "noted"),
    [
        ("a.nrrd", "sizes: 2 2 2\n", True),
        ("a.nrrd", "sizes: 2 2 2\nthicknesses: 1 1 2\n", True),
        ("a.nrrd", "sizes: 2 2 2\nspacings: 1 1 1\n", False),
        ("a.nrrd", "sizes: 2 2 2\naxis mins: 0 0 0\naxis maxs: 2 2 2\n", False),
        ("a.mha", "", True),
        ("a.mha", "ElementSpacing = 1 1 1\n", False),
        ("a.mha", "ElementSize = 1 1 1\n", False),
    ],
    ids=["no size", "slices", "spacings", "limits", "none", "spacing", "size"],
)
def test_files_without_a_spacing_are_noted(tmp_path, name, header, noted):
    whole = f"NRRD0004\ntype: uchar\ndimension: 3\n{header}encoding: raw\n\n"
    if name == "a.mha":
        whole = "NDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\n"
        whole += f"{header}ElementDataFile = LOCAL\n"
    (tmp_path / name).write_bytes(whole.encode() + bytes(8))

    format = find_format(name)
    _, geometry = format.read_labels(tmp_path / name)

    assert geometry.spacing == (1, 1, 1)
    assert any("no spacing" in note for note in format.notes(geometry)) is noted


def _slices(folder, said, count=4):
    """Write a volume as a MetaImage header and a file for each slice."""
    volume = np.arange(count * 6, dtype="<i2").reshape(count, 2, 3)
    for number, plane in enumerate(volume):
        (folder / f"s{number:02d}.raw").write_bytes(plane.tobytes())
    (folder / "c.mhd").write_text(
        f"ObjectType = Image\nNDims = 3\nBinaryData = True\nDimSize = 3 2 {count}\n"
        f"ElementType = MET_SHORT\nElementSpacing = 1 1 1\nElementDataFile = {said}\n"
    )
    return volume


LISTED = "LIST\ns00.raw\ns01.raw\ns02.raw\ns03.raw"


@pytest.mark.parametrize("said", [LISTED, "s%02d.raw 0 3 1"], ids=["list", "pattern"])
def test_a_file_for_each_slice_is_read_whole_or_named(tmp_path, said):
    volume = _slices(tmp_path, said)
    path = tmp_path / "c.mhd"
    (tmp_path / "other.raw").write_bytes(b"of another image")

    assert np.array_equal(ItkFormat().read_image([path]).array[0], volume)
    assert [p.name for p in voxels_behind(path)] == [f"s{n:02d}.raw" for n in range(4)]

    (tmp_path / "s02.raw").write_bytes(volume[2].tobytes()[:-2])
    with pytest.raises(FormatError, match=r"s02.raw: cut off, a slice has 12 bytes"):
        ItkFormat().read_image([path])
    (tmp_path / "s02.raw").unlink()
    with pytest.raises(FormatError, match=r"header of .*s02.raw, which is not there"):
        ItkFormat().read_image([path])


def test_a_list_that_lacks_slices_is_refused(tmp_path):
    _slices(tmp_path, LISTED.removesuffix("\ns03.raw"))

    with pytest.raises(FormatError, match="names 3 files for 4 slices"):
        ItkFormat().read_image([tmp_path / "c.mhd"])
