"""Medical formats against SimpleITK and nibabel, which know nothing of autoseg."""

import gzip
from dataclasses import replace

import nibabel
import numpy as np
import pytest
import SimpleITK

from autoseg.errors import FormatError
from autoseg.formats.base import find_format
from autoseg.formats.itk import ItkFormat
from autoseg.spec.image import Geometry

ENDINGS = (".nii.gz", ".nii", ".nrrd", ".seg.nrrd", ".mha", ".mhd")
ITK = ItkFormat()


def _oblique(array, seed=0):
    """Put an array into a frame with nothing round in it."""
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation[:, 0] *= np.linalg.det(rotation)  # no reflection
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(rng.uniform(0.1, 3, 3))
    image.SetOrigin(rng.normal(size=3) * 100)
    image.SetDirection(rotation.ravel())
    return image


def _save(path, image):
    SimpleITK.WriteImage(image, str(path))
    return path


def _geometry_by_itk(path):
    image = SimpleITK.ReadImage(str(path))
    return (
        image.GetSize(),
        image.GetSpacing(),
        image.GetOrigin(),
        image.GetDirection(),
    )


def _volume(kind=np.int16):
    return np.arange(2 * 3 * 4).reshape(2, 3, 4).astype(kind)


@pytest.mark.parametrize("ending", ENDINGS)
def test_array_and_geometry_are_those_of_itk(tmp_path, ending):
    path = _save(tmp_path / f"image{ending}", _oblique(_volume()))

    image = ITK.read_image([path])

    size, spacing, origin, direction = _geometry_by_itk(path)
    assert image.array.dtype == np.float32
    assert np.array_equal(image.array, _volume()[None])
    assert image.geometry.shape == size[::-1]
    assert image.geometry.spacing == spacing[::-1]
    assert image.geometry.origin == origin
    assert image.geometry.direction == direction
    assert image.geometry.unit == "mm"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_prediction_has_the_geometry_of_its_image_to_the_bit(tmp_path, ending, seed):
    path = _save(tmp_path / f"image{ending}", _oblique(_volume(), seed))
    image = ITK.read_image([path])

    ITK.write_labels(
        tmp_path / f"out{ending}", _volume().astype(np.uint8), image.geometry
    )

    assert _geometry_by_itk(tmp_path / f"out{ending}") == _geometry_by_itk(path)
    labels, geometry = ITK.read_labels(tmp_path / f"out{ending}")
    assert geometry == image.geometry
    assert labels.dtype == np.uint8
    assert np.array_equal(labels, _volume())


def test_every_field_of_geometry_of_a_nifti_header_comes_back(tmp_path):
    source = nibabel.Nifti1Image(_volume(), np.eye(4))
    source.set_sform([[0.5, 0, 0, 1.1], [0, 0.6, 0, 2.2], [0, 0, -2, 3.3]] + [[0] * 4])
    source.set_qform(np.diag([-0.5, -0.6, 2, 1]), code=3)
    source.header["sform_code"] = 4
    source.header.set_xyzt_units("mm", "sec")
    source.to_filename(tmp_path / "a.nii.gz")
    image = ITK.read_image([tmp_path / "a.nii.gz"])

    ITK.write_labels(tmp_path / "b.nii.gz", image.array[0] > 3, image.geometry)

    written = nibabel.load(tmp_path / "b.nii.gz").header
    fields = ["qform_code", "sform_code", "srow_x", "srow_y", "srow_z", "xyzt_units"]
    fields += [f"quatern_{a}" for a in "bcd"] + [f"qoffset_{a}" for a in "xyz"]
    for field in fields:
        assert np.array_equal(written[field], source.header[field]), field
    assert np.array_equal(written["pixdim"][:4], source.header["pixdim"][:4])
    assert written.get_data_dtype() == np.uint8


def test_a_changed_geometry_is_not_written_with_the_old_header(tmp_path):
    for ending in (".nii.gz", ".nrrd"):
        path = _save(tmp_path / f"image{ending}", _oblique(_volume()))
        moved = replace(ITK.read_image([path]).geometry, origin=(1.0, 2.0, 3.0))

        ITK.write_labels(tmp_path / f"out{ending}", _volume().astype(np.uint8), moved)

        assert _geometry_by_itk(tmp_path / f"out{ending}")[2] == (1.0, 2.0, 3.0)


def test_a_geometry_from_elsewhere_is_written_by_its_numbers(tmp_path):
    geometry = Geometry(
        shape=(2, 3, 4),
        spacing=(3.0, 0.5, 0.25),
        origin=(1.0, -2.0, 4.0),
        direction=(0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0),
    )
    for ending in (*ENDINGS, ".gipl"):
        path = tmp_path / f"out{ending}"
        ITK.write_labels(path, _volume().astype(np.uint8), geometry)

        size, spacing, origin, direction = _geometry_by_itk(path)
        assert size == (4, 3, 2)
        assert np.allclose(spacing, (0.25, 0.5, 3.0))
        assert np.allclose(origin, geometry.origin)
        if ending != ".gipl":  # which has no direction
            assert np.allclose(direction, geometry.direction)


def test_two_dimensional_files_have_two_axes(tmp_path):
    image = SimpleITK.GetImageFromArray(np.arange(12, dtype=np.uint8).reshape(3, 4))
    image.SetSpacing((0.2, 0.3))
    for ending in (".nii.gz", ".mha", ".nrrd"):
        path = _save(tmp_path / f"flat{ending}", image)

        read = ITK.read_image([path])
        ITK.write_labels(path, read.array[0].astype(np.uint8), read.geometry)

        assert read.array.shape == (1, 3, 4)
        assert np.allclose(read.geometry.spacing, (0.3, 0.2))
        assert _geometry_by_itk(path)[0] == (4, 3)


def test_the_fourth_axis_is_the_channel(tmp_path):
    array = np.arange(2 * 2 * 3 * 4, dtype=np.int16).reshape(2, 2, 3, 4)
    nibabel.Nifti1Image(array.T, np.eye(4)).to_filename(tmp_path / "c.nii.gz")
    _save(
        tmp_path / "c.mha",
        SimpleITK.JoinSeries([SimpleITK.GetImageFromArray(a) for a in array]),
    )

    for name in ("c.nii.gz", "c.mha"):
        image = ITK.read_image([tmp_path / name], channels=2)

        assert np.array_equal(image.array, array)
        assert image.geometry.dim == 3


@pytest.mark.parametrize("ending", [".nii.gz", ".mha", ".nrrd"])
def test_the_components_of_a_vector_image_are_channels(tmp_path, ending):
    array = np.arange(2 * 3 * 4 * 3, dtype=np.float32).reshape(2, 3, 4, 3)
    image = SimpleITK.GetImageFromArray(array, isVector=True)
    path = _save(tmp_path / f"c{ending}", image)

    read = ITK.read_image([path], channels=3)

    assert np.array_equal(read.array, np.moveaxis(array, -1, 0))


def test_color_in_nifti_is_three_channels(tmp_path):
    array = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    color = array.view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    nibabel.Nifti1Image(color.T, np.eye(4)).to_filename(tmp_path / "c.nii")

    read = ITK.read_image([tmp_path / "c.nii"])

    assert np.array_equal(read.array, np.moveaxis(array, -1, 0))


def test_a_single_time_point_is_no_channel(tmp_path):
    nibabel.Nifti1Image(np.zeros((4, 3, 2, 1), np.int16), np.eye(4)).to_filename(
        tmp_path / "c.nii"
    )

    assert ITK.read_image([tmp_path / "c.nii"]).array.shape == (1, 2, 3, 4)


def test_time_and_channels_together_are_refused(tmp_path):
    image = nibabel.Nifti1Image(np.zeros((4, 3, 2, 5, 3), np.int16), np.eye(4))
    image.to_filename(tmp_path / "c.nii")

    with pytest.raises(FormatError, match="time point"):
        ITK.read_image([tmp_path / "c.nii"])


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32, np.float32])
@pytest.mark.parametrize(
    ("slope", "inter"),
    [(0.00733, -1024.3), (2, 0), (1, -1024), (0, 5), (np.nan, 0), (1, 0)],
)
def test_slope_and_intercept_give_itk_s_values_to_the_bit(tmp_path, kind, slope, inter):
    rng = np.random.default_rng(0)
    voxels = rng.integers(0, 200, (9, 8, 7)).astype(kind)
    nibabel.Nifti1Image(voxels, np.eye(4)).to_filename(tmp_path / "c.nii")
    data = bytearray((tmp_path / "c.nii").read_bytes())
    data[112:120] = np.array([slope, inter], "<f4").tobytes()  # scl_slope, scl_inter
    (tmp_path / "c.nii").write_bytes(data)

    read = ITK.read_image([tmp_path / "c.nii"]).array[0]

    by_itk = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / "c.nii")))
    assert np.array_equal(read, by_itk.astype(np.float32))


def test_big_endian_and_nifti_2_are_read(tmp_path):
    affine = np.diag([-0.5, -0.6, 2, 1])  # ITK's directions are the identity then
    big = nibabel.Nifti1Image(_volume().T, affine, nibabel.Nifti1Header(endianness=">"))
    second = nibabel.Nifti2Image(_volume().T, affine)
    big.to_filename(tmp_path / "big.nii.gz")
    second.to_filename(tmp_path / "second.nii.gz")

    for name in ("big.nii.gz", "second.nii.gz"):
        image = ITK.read_image([tmp_path / name])
        ITK.write_labels(
            tmp_path / f"out_{name}", _volume().astype(np.uint8), image.geometry
        )
        back, geometry = ITK.read_labels(tmp_path / f"out_{name}")

        assert np.array_equal(image.array[0], _volume())
        assert np.allclose(image.geometry.spacing, (2, 0.6, 0.5))
        assert np.allclose(np.reshape(image.geometry.direction, (3, 3)), np.eye(3))
        assert geometry == image.geometry
        assert np.array_equal(back, _volume())
        written = nibabel.load(tmp_path / f"out_{name}")
        assert np.array_equal(written.affine, nibabel.load(tmp_path / name).affine)


def test_a_sheared_header_that_itk_refuses_gives_the_nearest_rotation(tmp_path):
    affine = np.array([[-1, 0.02, 0, 5], [0, -1, 0, 6], [0, 0, 2, 7], [0, 0, 0, 1.0]])
    nibabel.Nifti1Image(_volume().T, affine).to_filename(tmp_path / "c.nii.gz")
    with pytest.raises(RuntimeError, match="orthonormal"):
        SimpleITK.ReadImage(str(tmp_path / "c.nii.gz"))

    image = ITK.read_image([tmp_path / "c.nii.gz"])
    ITK.write_labels(tmp_path / "out.nii.gz", image.array[0] > 5, image.geometry)

    direction = np.reshape(image.geometry.direction, (3, 3))
    assert np.allclose(direction @ direction.T, np.eye(3))
    assert np.allclose(direction, np.eye(3), atol=0.02)
    assert image.geometry.origin == (-5.0, -6.0, 7.0)
    assert np.array_equal(
        nibabel.load(tmp_path / "out.nii.gz").affine,
        nibabel.load(tmp_path / "c.nii.gz").affine,
    )


def test_micrometers_become_millimeters_unless_asked_for(tmp_path):
    image = nibabel.Nifti1Image(_volume().T, np.diag([-0.5, -0.5, 2, 1]))
    image.header.set_xyzt_units("micron")
    image.to_filename(tmp_path / "c.nii")

    silent = ITK.read_image([tmp_path / "c.nii"]).geometry
    asked = ITK.read_image([tmp_path / "c.nii"], unit="um").geometry

    assert (silent.unit, asked.unit) == ("mm", "um")
    assert np.allclose(silent.spacing, (0.002, 0.0005, 0.0005))
    assert asked.spacing == (2.0, 0.5, 0.5)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".gipl", ".nrrd", ".mha"])
@pytest.mark.parametrize("share", [0.95, 0.5, 0.02])
def test_a_file_that_was_cut_off_is_refused(tmp_path, ending, share):
    # ITK gives zeros for what is missing of .nii, .nii.gz and .gipl.
    rng = np.random.default_rng(0)
    image = SimpleITK.GetImageFromArray(
        rng.integers(0, 500, (9, 40, 50), dtype=np.int16)
    )
    path = _save(tmp_path / f"c{ending}", image)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])

    with pytest.raises(FormatError, match=rf"c{ending}"):
        ITK.read_image([path])


def test_a_size_that_no_file_has_is_a_damaged_header(tmp_path):
    path = tmp_path / "a.nii"
    nibabel.save(nibabel.Nifti2Image(np.zeros((2, 3, 4), np.uint8), np.eye(4)), path)
    data = bytearray(path.read_bytes())
    data[16:48] = np.array([3, 2**40, 2**30, 4], "<i8").tobytes()  # dim of NIfTI-2
    path.write_bytes(data)

    for read in (
        find_format(path).read_image,
        lambda p: find_format(p[0]).geometry(p[0], None, None, 1),
    ):
        with pytest.raises(FormatError, match="which no file has"):
            read([path])


def test_a_damaged_byte_in_a_compressed_nifti_is_found(tmp_path):
    path = _save(tmp_path / "c.nii.gz", _oblique(_volume()))
    data = bytearray(path.read_bytes())
    data[-5] ^= 1  # in the checksum
    path.write_bytes(data)

    with pytest.raises(FormatError, match="damaged"):
        ITK.read_image([path])


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".mha", ".gipl"])
@pytest.mark.parametrize("content", [b"", b"hello", gzip.compress(b"hello", mtime=0)])
def test_a_file_of_something_else_is_refused(tmp_path, ending, content):
    path = tmp_path / f"c{ending}"
    path.write_bytes(content)

    with pytest.raises(FormatError, match=rf"c{ending}"):
        ITK.read_image([path])


def test_compression_is_seen_in_the_file_and_not_in_its_name(tmp_path):
    packed = _save(tmp_path / "a.nii.gz", _oblique(_volume()))
    (tmp_path / "b.nii").write_bytes(packed.read_bytes())
    (tmp_path / "c.nii.gz").write_bytes(gzip.decompress(packed.read_bytes()))

    arrays = [ITK.read_image([p]).array[0] for p in sorted(tmp_path.iterdir())]

    assert len(arrays) == 3
    assert all(np.array_equal(array, _volume()) for array in arrays)


def test_complex_numbers_and_empty_axes_are_refused(tmp_path):
    nibabel.Nifti1Image(np.zeros((3, 4, 5), np.complex64), np.eye(4)).to_filename(
        tmp_path / "complex.nii"
    )
    nibabel.Nifti1Image(np.zeros((3, 4, 0), np.int16), np.eye(4)).to_filename(
        tmp_path / "empty.nii"
    )

    with pytest.raises(FormatError, match="complex"):
        ITK.read_image([tmp_path / "complex.nii"])
    with pytest.raises(FormatError, match="no voxels"):
        ITK.read_image([tmp_path / "empty.nii"])


def test_a_header_with_a_spacing_of_zero_is_remarked(tmp_path):
    path = _save(tmp_path / "c.nii", _oblique(_volume()))
    assert ITK.remarks(ITK.read_image([path]).geometry) == ()
    data = bytearray(path.read_bytes())
    data[84:88] = bytes(4)  # pixdim[2], along y
    path.write_bytes(data)

    (remark,) = ITK.remarks(ITK.read_image([path]).geometry)

    assert "0" in remark and "spacing" in remark


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16, np.int32, np.int64])
def test_label_values_survive(tmp_path, ending, kind):
    path = _save(tmp_path / f"image{ending}", _oblique(_volume()))
    geometry = ITK.read_image([path]).geometry
    labels = _volume(kind)
    labels[0, 0, 0] = min(np.iinfo(kind).max, 2**31 - 1)

    ITK.write_labels(path, labels, geometry)

    read, _ = ITK.read_labels(path)
    assert np.array_equal(read, labels)
    assert read.dtype == (np.int32 if kind == np.int64 else kind)
    by_itk = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    assert np.array_equal(by_itk, labels)


def test_values_that_no_format_holds_are_refused_and_nothing_is_written(tmp_path):
    geometry = Geometry(shape=(1, 2), spacing=(1.0, 1.0))

    with pytest.raises(FormatError, match="cannot hold"):
        ITK.write_labels(tmp_path / "c.nii.gz", np.array([[0, 2**40]]), geometry)

    assert list(tmp_path.iterdir()) == []


def test_whole_floating_point_labels_are_labels(tmp_path):
    path = _save(tmp_path / "c.nii.gz", _oblique(_volume(np.float64)))

    labels, _ = ITK.read_labels(path)

    assert labels.dtype == np.uint8
    assert np.array_equal(labels, _volume())


def test_an_array_of_another_shape_is_not_written(tmp_path):
    geometry = Geometry(shape=(2, 3, 4), spacing=(1.0,) * 3)

    with pytest.raises(FormatError, match="does not fit"):
        ITK.write_labels(tmp_path / "c.mha", np.zeros((4, 3, 2), np.uint8), geometry)


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("source", [".nii.gz", ".mha"])
def test_probabilities_keep_channels_and_geometry(tmp_path, ending, source):
    path = _save(tmp_path / f"image{source}", _oblique(_volume()))
    geometry = ITK.read_image([path]).geometry
    array = np.random.default_rng(0).random((3, 2, 3, 4), dtype=np.float32)

    ITK.write_image(tmp_path / f"p{ending}", array, geometry)

    image = ITK.read_image([tmp_path / f"p{ending}"], channels=3)
    assert np.array_equal(image.array, array)
    assert np.allclose(image.geometry.spacing, geometry.spacing)
    assert np.allclose(image.geometry.direction, geometry.direction)
    assert np.allclose(image.geometry.origin, geometry.origin)


def test_channels_are_the_fourth_axis_of_a_nifti_file(tmp_path):
    geometry = Geometry(shape=(2, 3, 4), spacing=(1.0, 1.0, 1.0))
    array = np.random.default_rng(0).random((3, 2, 3, 4), dtype=np.float32)

    ITK.write_image(tmp_path / "p.nii.gz", array, geometry)

    by_nibabel = nibabel.load(tmp_path / "p.nii.gz").get_fdata()
    assert np.array_equal(by_nibabel.T, array)


def _scaled(path, labels, slope):
    image = nibabel.Nifti1Image(labels.T, np.eye(4))
    image.header.set_slope_inter(slope, 0)
    image.to_filename(path)
    return path


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_labels_that_a_header_scales_are_whole(tmp_path, ending):
    labels = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    path = _scaled(tmp_path / f"c{ending}", labels * 1000, 0.001)

    for reader in (ITK, find_format(path, "nibabel"), find_format(path, "itk_ras")):
        read, _ = reader.read_labels(path)
        assert sorted(read.ravel().tolist()) == list(range(24))
    assert np.array_equal(ITK.read_labels(path)[0], labels)


@pytest.mark.parametrize("name", ["itk", "nibabel", "itk_ras"])
def test_labels_that_a_scale_has_spoiled_name_the_scale(tmp_path, name):
    # As nibabel stores 0, 1 and 2 in bytes: in steps of 2 / 255, and 1 is between two.
    labels = np.array([0, 127, 255], np.uint8).reshape(1, 1, 3)
    path = _scaled(tmp_path / "c.nii", labels, 2 / 255)

    with pytest.raises(FormatError, match="0.996.*scl_slope 0.0078.*without a scale"):
        find_format(path, name).read_labels(path)
