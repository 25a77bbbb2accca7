"""Series of DICOM files become images with the very values and places, or one error.

Files are made by pydicom in `tests/dicom/made.py`; expected values are what was put in,
expected matrices are those of DICOM PS3.3, C.7.6.2.1.1.
"""

import shutil
import zipfile

import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, generate_uid

from autoseg.dicom.voxels import read_volume
from autoseg.errors import FormatError
from autoseg.formats.base import find_format
from autoseg.spec.foreign.place import with_part
from tests.dicom.made import (
    OBLIQUE,
    ORIGIN,
    SHAPE,
    SPACING,
    header,
    normal_of,
    places,
    save,
    stored,
    write_enhanced,
    write_series,
)


def _read(path, **part):
    path = with_part(path, **part)
    image = find_format(path).read_image([path])
    assert find_format(path).geometry(path, None, None, 1) == image.geometry
    return image


def _matrix(geometry):
    """Return the 4 x 4 matrix from voxels (x, y, z) to millimeters."""
    scaled = np.reshape(geometry.direction, (3, 3)) * geometry.spacing[::-1]
    return np.vstack([np.c_[scaled, geometry.origin], [0, 0, 0, 1]])


def _expected(orientation, origin=ORIGIN):
    row, column = np.reshape(orientation, (2, 3))
    columns = (
        row * SPACING[2],
        column * SPACING[1],
        normal_of(orientation) * SPACING[0],
        origin,
    )
    return np.vstack([np.stack(columns, 1), [0, 0, 0, 1]])


@pytest.mark.parametrize("orientation", [(1, 0, 0, 0, 1, 0), OBLIQUE], ids=["a", "o"])
@pytest.mark.parametrize("kind", ["plain", "shuffled", "enhanced", "zip"])
def test_a_series_has_its_values_and_its_place(tmp_path, kind, orientation):
    array, path = stored(), tmp_path / "case"
    if kind == "enhanced":
        write_enhanced(path / "one", array, orientation=orientation)
    else:
        order = [3, 0, 4, 1, 2] if kind == "shuffled" else None
        name = "IM{}" if kind == "shuffled" else "IM{:04d}.dcm"
        write_series(path, array, orientation=orientation, order=order, names=name)
        (path / "notes.txt").write_text("no image")
    if kind == "zip":
        path = tmp_path / "case.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for file in (tmp_path / "case").iterdir():
                packed.write(file, f"a/{file.name}")

    image = _read(path)

    np.testing.assert_array_equal(image.array[0], array.astype(float) - 1024)
    np.testing.assert_allclose(
        _matrix(image.geometry), _expected(orientation), rtol=0, atol=1e-6
    )


def test_a_slope_of_each_slice_is_its_own(tmp_path):
    array = stored()
    slopes = [0.5 + number / 7 for number in range(len(array))]
    write_series(
        tmp_path,
        array,
        Modality="PT",
        each=lambda z: {"RescaleSlope": f"{slopes[z]:.12f}", "RescaleIntercept": 0},
    )

    values = _read(tmp_path).array[0]

    wanted = array * np.array(slopes)[:, None, None]
    np.testing.assert_allclose(values, wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("modality", "turned"), [("MR", True), ("CT", False)], ids=["MR", "CT"]
)
def test_what_is_bright_for_small_values_is_turned_unless_it_has_a_unit(
    tmp_path, modality, turned
):
    array = stored()
    write_series(
        tmp_path,
        array,
        Modality=modality,
        PhotometricInterpretation="MONOCHROME1",
        each=lambda z: {"RescaleIntercept": 0},
    )

    values = _read(tmp_path).array[0]

    wanted = 4095.0 - array if turned else array  # 12 bits are stored
    np.testing.assert_array_equal(values, wanted)


def test_a_picture_without_a_place_has_two_axes(tmp_path):
    array = stored()[0]
    ds = header(generate_uid(), generate_uid(), Modality="CR")
    ds.Rows, ds.Columns, ds.InstanceNumber = *array.shape, 1
    ds.PixelData = array.tobytes()
    save(ds, tmp_path / "hand.dcm")

    image = _read(tmp_path / "hand.dcm")

    np.testing.assert_array_equal(image.array[0], array)
    assert image.geometry.spacing == SPACING[1:]


def test_localizers_are_left_aside(tmp_path):
    array = write_series(tmp_path)
    write_series(
        tmp_path,
        stored(seed=2)[:1],
        study="1.2.3",
        names="SC{}",
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
        SeriesNumber=1,
    )

    np.testing.assert_array_equal(_read(tmp_path).array[0], array.astype(float) - 1024)


def test_a_missing_slice_is_named_with_its_place(tmp_path):
    at = places(SHAPE[0])
    write_series(tmp_path, stored()[:4], positions=[at[0], at[1], at[3], at[4]])

    with pytest.raises(
        FormatError,
        match=r'series 3 "thorax" has a gap: a slice is missing between '
        r"\(-12.5, 20.25, -97.5\) mm \(IM0002.dcm\) and \(-12.5, 20.25, -92.5\)",
    ):
        _read(tmp_path)


def test_a_part_of_a_concatenation_that_is_missing_is_named(tmp_path):
    write_enhanced(tmp_path / "whole.dcm", stored())
    for number, frames in ((1, slice(0, 3)), (2, slice(3, 5))):
        ds = pydicom.dcmread(tmp_path / "whole.dcm")
        groups = list(ds.PerFrameFunctionalGroupsSequence)[frames]
        ds.PerFrameFunctionalGroupsSequence = pydicom.Sequence(groups)
        ds.NumberOfFrames, ds.PixelData = len(groups), stored()[frames].tobytes()
        ds.ConcatenationUID, ds.InConcatenationNumber = "1.2.3", number
        save(ds, tmp_path / "parts" / f"{number}.dcm")
    volume = read_volume(tmp_path / "parts")
    np.testing.assert_array_equal(volume.array[0], stored() - 1024.0)

    (tmp_path / "parts" / "1.dcm").unlink()

    with pytest.raises(FormatError, match="in 2 files .* of which number 1 is not"):
        read_volume(tmp_path / "parts")


def test_slices_are_turned_and_scaled_each_by_its_own_file(tmp_path):
    write_series(
        tmp_path / "s",
        Modality="MR",
        each=lambda n: {
            "PhotometricInterpretation": "MONOCHROME1" if n == 2 else "MONOCHROME2",
            "RescaleIntercept": 0,
            "NumberOfSlices": 7,
        },
    )
    volume = read_volume(tmp_path / "s")

    wanted = stored().astype(int)
    wanted[2] = 4095 - wanted[2]  # 12 bits
    np.testing.assert_array_equal(volume.array[0], wanted)
    assert "5 of the 7 slices" in volume.notes[0]

    write_series(
        tmp_path / "ct", each=lambda n: {"RescaleIntercept": -1024 if n else 0}
    )
    (note,) = read_volume(tmp_path / "ct").notes
    assert "several slopes and intercepts" in note and "1, -1024; 1, 0" in note


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("Columns", [7, 9], "damaged"),
        ("NumberOfFrames", 10**9, "damaged .1000000000 frames in"),
        ("NumberOfFrames", [1, 2], "damaged"),
    ],
)
def test_a_header_that_says_what_cannot_be_is_damaged(tmp_path, key, value, said):
    write_series(tmp_path / "s", each=lambda n: {key: value} if n == 2 else {})

    with pytest.raises(FormatError, match=f"IM0003.dcm is {said}"):
        read_volume(tmp_path / "s")


def test_a_file_that_is_cut_off_is_named_and_not_passed_by(tmp_path):
    write_series(tmp_path)
    last = sorted(tmp_path.iterdir())[-1]
    whole = last.read_bytes()
    for length in (0, 400, len(whole) - 9):  # without it, four slices look whole
        last.write_bytes(whole[:length])

        with pytest.raises(FormatError, match=r"IM0005\.dcm .*Get it again"):
            _read(tmp_path)


def test_series_of_one_number_are_told_apart_by_their_uids(tmp_path):
    ids = {"study": "1.2.3"}
    write_series(tmp_path, series="1.2.3.4", **ids)
    array = write_series(tmp_path, stored(seed=1), series="1.2.3.5", first=5, **ids)

    with pytest.raises(FormatError, match=r"--series 1\.2\.3\.4\)"):
        _read(tmp_path)
    found = _read(tmp_path, series="1.2.3.5").array[0]
    np.testing.assert_array_equal(found, array.astype(float) - 1024)


def test_two_planes_at_one_place_are_named(tmp_path):
    at = places(4)
    write_series(tmp_path, positions=[at[0], at[1], at[1], at[2], at[3]])

    with pytest.raises(
        FormatError, match=r"two planes at one place, at .*-97.5.*IM0002.*IM0003"
    ):
        _read(tmp_path)


def test_a_copy_of_a_slice_is_named_as_a_copy(tmp_path):
    write_series(tmp_path)
    shutil.copy(tmp_path / "IM0002.dcm", tmp_path / "again.dcm")

    with pytest.raises(FormatError, match=r"one instance by their UID: take the copy"):
        _read(tmp_path)


def _ramp():
    """Return stored numbers that are 100 z + 10 y + x + 200."""
    z, y, x = np.indices(SHAPE)
    return (100 * z + 10 * y + x + 200).astype(np.uint16)


def test_a_tilted_series_is_refused_and_made_straight_on_demand(tmp_path):
    step = (0.0, 0.5 * SPACING[1], SPACING[0])  # half a row more for each slice
    write_series(tmp_path, _ramp(), positions=places(SHAPE[0], step=step))

    with pytest.raises(FormatError, match=r"series 3 .* tilted .*--straighten"):
        _read(tmp_path)
    image = _read(tmp_path, tilt="straight")

    assert image.geometry.shape == (SHAPE[0], SHAPE[1] + 2, SHAPE[2])
    np.testing.assert_allclose(
        _matrix(image.geometry), _expected((1, 0, 0, 0, 1, 0)), atol=1e-6
    )
    # At row y of slice z lies what was in row y - z / 2.
    for z in range(SHAPE[0]):
        rows = np.arange(np.ceil(z / 2), SHAPE[1] - 1 + z / 2 + 1e-9).astype(int)
        wanted = 100 * z + 10 * (rows - z / 2) + 200 - 1024
        np.testing.assert_allclose(image.array[0, z, rows, 0], wanted, atol=1e-3)


def test_acquisitions_at_the_same_places_are_parts_to_choose_from(tmp_path):
    arrays = [stored(seed=seed) for seed in (0, 1)]
    ids = {"study": "1.2.3", "series": "1.2.3.4"}
    for number, array in enumerate(arrays):
        write_series(tmp_path, array, first=5 * number, AcquisitionNumber=number, **ids)

    with pytest.raises(FormatError, match=r"2 stacks .*series 3 (.|\n)*--series 3@1"):
        _read(tmp_path)
    image = _read(tmp_path, series="3@2")

    np.testing.assert_array_equal(image.array[0], arrays[1].astype(float) - 1024)


def test_parts_are_numbered_as_people_count_whatever_the_files_are_called(tmp_path):
    # As text, 10 comes before 2; and files come from the last one to the first.
    moments = (10, 2, 1)
    for place, moment in enumerate(moments):
        array = np.full((2, 3, 4), 1000 + moment, np.uint16)
        write_series(
            tmp_path,
            array,
            first=2 * place,
            TemporalPositionIdentifier=moment,
            study="1.2.3",
            series="1.2.3.4",
        )

    found = [_read(tmp_path, series=f"3@{part}").array[0] for part in (1, 2, 3)]

    assert [int(one[0, 0, 0]) + 24 for one in found] == [1, 2, 10]  # 1000 - 1024
    assert all((one == one[0, 0, 0]).all() for one in found)


@pytest.mark.parametrize("said", ["4", "bone", "BONE kernel", "*kernel", "1.2.3.5"])
def test_one_of_two_series_is_chosen(tmp_path, said):
    write_series(tmp_path, study="1.2.3", series="1.2.3.4")
    array = write_series(
        tmp_path,
        stored(seed=1),
        study="1.2.3",
        series="1.2.3.5",
        first=5,
        SeriesNumber=4,
        SeriesDescription="bone kernel",
    )

    with pytest.raises(FormatError, match=r"2 series(.|\n)*3: \"thorax\"(.|\n)*4: "):
        _read(tmp_path)

    found = _read(tmp_path, series=said).array[0]
    np.testing.assert_array_equal(found, array.astype(float) - 1024)
    with pytest.raises(FormatError, match="no series 'lung'"):
        _read(tmp_path, series="lung")
    with pytest.raises(FormatError, match=r"2 series that '\*' may mean"):
        _read(tmp_path, series="*")


def test_a_compressed_series_is_read_where_a_decoder_is(tmp_path):
    import pydicom

    array = write_series(tmp_path)
    for file in tmp_path.iterdir():
        ds = pydicom.dcmread(file)
        ds.compress(JPEGLSLossless)
        ds.save_as(file)

    np.testing.assert_array_equal(_read(tmp_path).array[0], array.astype(float) - 1024)


def test_a_missing_decoder_is_named(tmp_path, monkeypatch):
    import pydicom
    from pydicom.pixels.decoders import JPEG2000LosslessDecoder

    write_series(tmp_path, stored()[:1])
    file = next(tmp_path.iterdir())
    ds = pydicom.dcmread(file)
    ds.file_meta.TransferSyntaxUID = JPEG2000Lossless
    ds.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51 and so on"])
    ds["PixelData"].is_undefined_length = True
    ds.save_as(file)
    monkeypatch.setattr(JPEG2000LosslessDecoder, "_available", {})

    with pytest.raises(FormatError, match="JPEG 2000.*pylibjpeg-openjpeg"):
        _read(tmp_path)


def test_a_zip_that_leads_outside_or_swells_is_refused(tmp_path):
    write_series(tmp_path / "in", stored()[:1])
    path = tmp_path / "out.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.write(next((tmp_path / "in").iterdir()), "../IM1.dcm")

    with pytest.raises(FormatError, match="leads outside"):
        _read(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("IM1.dcm", bytes(4096) * 4096)
    with pytest.raises(FormatError, match="unpacks to|no DICOM"):
        _read(path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "out.zip"]


def test_nothing_is_written_as_dicom_without_a_series(tmp_path):
    geometry = find_format("a.nii.gz")
    path = tmp_path / "a.dcm"

    with pytest.raises(FormatError, match="--output-type dicom-seg"):
        find_format(path).write_labels(path, np.zeros((2, 2), np.uint8), geometry)
    assert not path.exists()
