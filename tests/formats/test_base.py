"""What every format does for a case, and which format reads which file."""

import json

import numpy as np
import pytest
import SimpleITK
from PIL import Image as Picture

from autoseg.errors import FormatError, PluginError
from autoseg.formats import FORMATS
from autoseg.formats.base import (
    Format,
    find_format,
    known_endings,
    match_ending,
    read_image,
    read_labels,
)
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.image import Geometry


def _volume(path, array, spacing=(1, 1, 1), origin=(0, 0, 0), direction=None):
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    if direction is not None:
        image.SetDirection(direction)
    SimpleITK.WriteImage(image, str(path))
    return path


def _geometry(shape):
    return Geometry(shape=shape, spacing=(0.5,) * len(shape))


def _dataset(folder, **changes):
    settings = {
        "name": "toy",
        "folder": folder,
        "task": "semantic",
        "channel_names": ("gray",),
        "image_ending": ".nii.gz",
        "annotation_ending": ".nii.gz",
    }
    return Dataset(**(settings | changes))


@pytest.mark.parametrize("name", FORMATS.names())
def test_every_format_says_what_it_reads(name):
    plugin = FORMATS[name]()

    assert isinstance(plugin, Format)
    assert all(e.startswith(".") and e == e.lower() for e in plugin.endings)
    assert find_format(plugin.probabilities_ending)


def test_no_two_formats_read_the_same_ending_unasked():
    endings = [
        ending
        for name in FORMATS.names()
        if FORMATS[name].automatic
        for ending in FORMATS[name].endings
    ]

    assert len(endings) == len(set(endings))
    assert set(endings) == set(known_endings())


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a.nii.gz", "itk"),
        ("a.NII.GZ", "itk"),
        ("a.seg.nrrd", "itk"),
        ("b.PNG", "natural"),
        ("c.ome.tif", "tiff"),
        (".mha", "itk"),
    ],
)
def test_the_ending_finds_the_format(file, name):
    assert type(find_format(file)) is FORMATS[name]


def test_the_longest_ending_wins():
    assert match_ending("case.seg.nrrd", (".nrrd", ".seg.nrrd")) == ".seg.nrrd"
    assert match_ending("case.txt", (".nrrd",)) is None


def test_a_format_that_is_asked_for_reads_what_it_knows_and_leaves_the_rest():
    assert type(find_format("a.nii.gz", "nibabel")) is FORMATS["nibabel"]
    assert type(find_format("a.png", "nibabel")) is FORMATS["natural"]


def test_an_unknown_ending_lists_the_known_ones():
    with pytest.raises(FormatError, match=r"scan\.xyz.*\.nii\.gz.*\.png"):
        find_format("scan.xyz")


def test_an_unknown_format_suggests_the_nearest():
    with pytest.raises(PluginError, match="'itk'"):
        find_format("a.nii.gz", "itkk")


def test_one_file_for_each_channel_is_stacked_in_order(tmp_path):
    first, second = np.zeros((2, 3, 4), np.int16), np.full((2, 3, 4), 7, np.int16)
    paths = (
        _volume(tmp_path / "c_0000.nii.gz", first),
        _volume(tmp_path / "c_0001.nii.gz", second),
    )
    case = Case(id="c", images=paths)

    image = read_image(case, _dataset(tmp_path, channel_names=("a", "b")))

    assert image.array.dtype == np.float32
    assert np.array_equal(image.array, np.stack([first, second]))
    assert image.path == paths[0]


@pytest.mark.parametrize(
    ("what", "other"),
    [
        ("shape", {"array": np.zeros((2, 3, 5), np.uint8)}),
        ("spacing", {"spacing": (1, 1, 1.5)}),
        ("direction", {"direction": (-1, 0, 0, 0, -1, 0, 0, 0, 1)}),
    ],
)
def test_channels_on_different_grids_are_refused_by_name(tmp_path, what, other):
    array = np.zeros((2, 3, 4), np.uint8)
    paths = [
        _volume(tmp_path / "c_0000.nii.gz", array),
        _volume(tmp_path / "c_0001.nii.gz", **({"array": array} | other)),
    ]

    with pytest.raises(FormatError, match=rf"differ in {what}.*c_0000.*c_0001"):
        find_format(".nii.gz").read_image(paths)


def test_rounding_in_a_header_is_no_difference(tmp_path):
    array = np.zeros((2, 3, 4), np.uint8)
    paths = [
        _volume(tmp_path / "c_0000.mha", array, (0.7, 0.7, 3.0)),
        _volume(tmp_path / "c_0001.mha", array, (0.7000001, 0.7, 3.0)),
    ]

    assert find_format(".mha").read_image(paths).array.shape == (2, 2, 3, 4)


def test_too_few_channels_are_refused(tmp_path):
    path = _volume(tmp_path / "c_0000.nii.gz", np.zeros((2, 3, 4), np.uint8))
    dataset = _dataset(tmp_path, channel_names=("a", "b"))

    with pytest.raises(FormatError, match="1 channels where 2 are expected"):
        read_image(Case(id="c", images=(path,)), dataset)


def test_a_missing_file_is_named(tmp_path):
    gone = tmp_path / "gone.nii.gz"

    with pytest.raises(FormatError, match=r"gone\.nii\.gz does not exist"):
        find_format(gone).read_image([gone])
    with pytest.raises(FormatError, match=r"gone\.nii\.gz does not exist"):
        find_format(gone).read_labels(gone)


def test_a_case_without_files_is_refused(tmp_path):
    with pytest.raises(FormatError, match="no image"):
        read_image(Case(id="c", images=()), _dataset(tmp_path))
    with pytest.raises(FormatError, match="no file"):
        find_format(".png").read_image([])


def test_a_spacing_that_cannot_be_is_refused(tmp_path):
    path = _volume(tmp_path / "c.nii", np.zeros((2, 3, 4), np.uint8))
    data = bytearray(path.read_bytes())
    data[84:88] = bytes(4)  # pixdim[2], the spacing along y
    path.write_bytes(data)

    with pytest.raises(FormatError, match="spacing"):
        find_format(path, "nibabel").read_image([path])


def test_the_spacing_of_dataset_json_is_for_files_that_carry_none(tmp_path):
    Picture.fromarray(np.zeros((4, 5), np.uint8)).save(tmp_path / "c.png")
    _volume(tmp_path / "c.mha", np.zeros((4, 5), np.uint8), (2, 3), (0, 0))
    dataset = _dataset(tmp_path, spacing=(0.5, 0.25), unit="um")

    picture = read_image(Case(id="c", images=(tmp_path / "c.png",)), dataset)
    medical = read_image(Case(id="c", images=(tmp_path / "c.mha",)), dataset)

    assert (picture.geometry.spacing, picture.geometry.unit) == ((0.5, 0.25), "um")
    assert medical.geometry.spacing == (3.0, 2.0)


def test_labels_of_a_data_set_are_read_whatever_their_format(tmp_path):
    values = np.array([[0, 1], [2, 3]], np.uint8)
    Picture.fromarray(values).save(tmp_path / "c.png")

    labels, geometry = read_labels(tmp_path / "c.png", _dataset(tmp_path))

    assert np.array_equal(labels, values)
    assert geometry.shape == (2, 2)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".mha", ".png", ".tif"])
def test_what_is_read_can_be_written_to(tmp_path, ending):
    # A view of a file's bytes would be read-only, which torch warns about.
    image_path, path = tmp_path / f"image{ending}", tmp_path / f"c{ending}"
    values = np.ones((3, 4), np.uint8)
    find_format(path).write_labels(path, values, _geometry((3, 4)))
    if ending == ".png":
        image_path = path
    else:
        find_format(path).write_image(image_path, values, _geometry((3, 4)))

    image = find_format(path).read_image([image_path])
    labels, _ = find_format(path).read_labels(path)
    image.array[:] = 0
    labels[:] = 0

    assert not image.array.any() and not labels.any()


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha", ".mhd", ".tif", ".png"])
def test_the_same_labels_give_the_same_bytes_at_any_time(tmp_path, ending):
    values = np.arange(12, dtype=np.uint8).reshape(3, 4)
    files = [tmp_path / name / f"c{ending}" for name in ("a", "b", "c")]
    plugin = find_format(ending)

    plugin.write_labels(files[0], values, _geometry((3, 4)))
    geometry = plugin.read_labels(files[0])[1]
    for path in files[1:]:
        plugin.write_labels(path, values, geometry)

    assert files[1].read_bytes() == files[2].read_bytes()
    if ending == ".nii.gz":
        assert files[1].read_bytes()[4:8] == bytes(4)  # gzip's time


@pytest.mark.parametrize("name", [n for n in FORMATS.names() if FORMATS[n].writes])
def test_a_header_is_json_so_that_a_geometry_can_be_stored(tmp_path, name):
    plugin = FORMATS[name]()
    path = tmp_path / f"c{plugin.endings[0]}"
    find_format(path).write_labels(path, np.ones((3, 4), np.uint8), _geometry((3, 4)))

    header = plugin.read_image([path]).geometry.header

    assert json.loads(json.dumps(header)) == header


@pytest.mark.parametrize("name", ["a.nii.gz", "a.png", "a.nrrd", "a.tif", "a.mha"])
def test_a_folder_that_is_called_like_a_file_is_no_file(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()

    for read in (
        find_format(folder).read_labels,
        lambda path: find_format(path).read_image([path]),
    ):
        with pytest.raises(
            FormatError, match=f"{name}: It is a folder, and not a file"
        ):
            read(folder)
