"""What check says of headers, and that what it says is what is done."""

import contextlib
import json

import nibabel
import numpy as np
import pytest
import SimpleITK
import tifffile
from PIL import Image as Picture

from autoseg.cli.main import main
from autoseg.datasets.read import load_dataset
from autoseg.errors import FormatError
from autoseg.evaluate.points import ALL
from autoseg.evaluate.stage import evaluate
from autoseg.fingerprint.check.headers import annotation_problems, channel_problems
from autoseg.fingerprint.check.stage import check
from autoseg.fingerprint.stage import fingerprint
from autoseg.formats.base import find_format
from autoseg.spec.image import Geometry
from tests.each import each

SHAPE = (12, 14, 16)
LPS = np.diag([-1.0, -1, 2, 1])


def _values(seed):
    rng = np.random.default_rng(seed)
    labels = np.zeros(SHAPE, np.uint8)
    labels[3:8, 2:7, 4 + seed : 9 + seed] = 1
    return (rng.normal(100, 5, SHAPE) + 50 * labels).astype(np.float32), labels


def _nifti(path, array, affine=LPS, codes=(1, 1), unit=2):
    image = nibabel.Nifti1Image(array.T, affine)
    image.set_qform(affine, codes[0])
    image.set_sform(affine, codes[1])
    image.header["xyzt_units"] = unit
    image.to_filename(path)
    if codes == (0, 0):
        data = bytearray(path.read_bytes())
        data[252:256] = bytes(4)
        path.write_bytes(data)


@pytest.fixture
def folder(tmp_path):
    """Give a data set of six volumes, to be changed."""
    place = tmp_path / "Toy"
    for sub in ("imagesTr", "labelsTr"):
        (place / sub).mkdir(parents=True)
    for number in range(6):
        image, labels = _values(number)
        _nifti(place / f"imagesTr/c{number}_0000.nii", image)
        _nifti(place / f"labelsTr/c{number}.nii", labels)
    _describe(place)
    return place


def _describe(place, **more):
    described = {
        "channel_names": {"0": "MR"},
        "labels": {"background": 0, "a": 1},
        "file_ending": ".nii",
    }
    (place / "dataset.json").write_text(json.dumps(described | more))


def _problems(place, severity=None):
    return [p for p in check(place) if severity in (None, p.severity)]


def test_nothing_is_said_of_headers_that_are_right(folder):
    assert _problems(folder) == []


def test_an_image_without_orientation_is_named_and_not_turned(folder, tmp_path):
    image, labels = _values(5)
    _nifti(folder / "imagesTr/c5_0000.nii", image, codes=(0, 0))
    _nifti(folder / "labelsTr/c5.nii", labels, codes=(0, 0))
    ras = np.diag([1.0, 1, 2, 1])
    image, labels = _values(4)  # one that says another orientation is turned
    _nifti(folder / "imagesTr/c4_0000.nii", image, ras)
    _nifti(folder / "labelsTr/c4.nii", labels, ras)

    (problem,) = _problems(folder, "warning")

    assert problem.file.name == "c5_0000.nii" and "c5" in problem.found
    root = str(tmp_path / "root")
    arguments = ["plan_and_preprocess", str(folder), "--root", root]
    assert main([*arguments, "-c", "3d_fullres"]) == 0
    plan = json.loads(next((tmp_path / "root").rglob("plans/*.json")).read_text())
    assert plan["orientation"] == "LPS"
    found = fingerprint(folder, root)
    assert found.orientations == {"LPS": 4, "RAS": 1}
    from autoseg.preprocess.store import CaseStore

    store = CaseStore(next(iter((tmp_path / "root").rglob("c5.json"))).parent)
    for case, turned in (("c5", labels_of(5)), ("c4", labels_of(4)[:, ::-1, ::-1])):
        stored = np.asarray(store.open(case).annotation)
        assert np.array_equal(np.maximum(stored, 0), turned)


@each("axes, told", [(np.diag([1.0, 1, 2, 1]), 1), (LPS, 0)])
def test_an_annotation_that_alone_says_nothing_is_told(folder, axes, told):
    image, labels = _values(0)
    for number in range(6):
        _nifti(folder / f"imagesTr/c{number}_0000.nii", _values(number)[0], axes)
        _nifti(folder / f"labelsTr/c{number}.nii", _values(number)[1], axes)
    _nifti(folder / "labelsTr/c0.nii", labels, codes=(0, 0))

    found = [p.found for p in _problems(folder, "warning")]

    assert len(found) == told
    assert all("does not say how its axes lie" in f and "says RAS" in f for f in found)


@each("axes, told", [(np.diag([1.0, 1, 2, 1]), True), (LPS, False)])
def test_an_annotation_that_alone_says_how_its_axes_lie_is_told(folder, axes, told):
    image, labels = _values(0)
    for number in range(6):
        name = folder / f"imagesTr/c{number}_0000.nii"
        _nifti(name, _values(number)[0], codes=(0, 0))
    _nifti(folder / "labelsTr/c0.nii", labels, axes)

    found = [p.found for p in _problems(folder, "warning")]

    assert len(found) == told
    assert all(
        "axes lie as RAS, and its image's header says nothing" in f for f in found
    )


SILENT = (b"TransformMatrix", b"AnatomicalOrientation")  # what is taken out


def _placed(path, array, code="LPS", silent=False):
    """Write by SimpleITK in an orientation, or without a word of it."""
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing((1, 1, 2))
    axes = SimpleITK.DICOMOrient(SimpleITK.Image([2, 2, 2], 1), code)
    image.SetDirection(axes.GetDirection())
    SimpleITK.WriteImage(image, str(path))
    if silent:
        lines = path.read_bytes().split(b"\n")
        kept = [line for line in lines if not line.startswith(SILENT)]
        path.write_bytes(b"\n".join(kept))


@each("ending", [".mha", ".nii"])
@each("code", ["LPS", "RAS", "LPI", "ASL"])
def test_an_annotation_alone_is_oriented_whatever_the_formats(tmp_path, ending, code):
    image, labels = _values(0)
    first, drawn = tmp_path / f"a{ending}", tmp_path / "c.mha"
    if ending == ".nii":
        _nifti(first, image, codes=(0, 0))
    else:
        _placed(first, image, silent=True)
    _placed(drawn, labels, code)
    one, label = (
        find_format(path.suffix).geometry(path, None, None, 1)
        for path in (first, drawn)
    )

    found = [p.found for p in annotation_problems(one, label, drawn)]

    assert len(found) == (code != "LPS")
    assert all(
        f"lie as {code}, and its image's header says nothing" in f for f in found
    )


def labels_of(seed):
    return _values(seed)[1]


@pytest.mark.parametrize("code", ["RAS", "PIL", "SAR"])
def test_an_annotation_with_other_axes_in_the_same_place_is_turned(
    folder, tmp_path, code
):
    path = folder / "labelsTr/c2.nii"
    turned = SimpleITK.DICOMOrient(SimpleITK.ReadImage(str(path)), code)
    SimpleITK.WriteImage(turned, str(path))

    (problem,) = _problems(folder)

    assert (problem.severity, problem.file.name) == ("note", "c2.nii")
    assert code in problem.found and "LPS" in problem.found
    from autoseg.datasets.annotations import read_annotation
    from autoseg.formats.geometry import read_geometry
    from autoseg.tasks import TASKS

    dataset = load_dataset(folder)
    task = TASKS["semantic"](**TASKS["semantic"].from_dataset(dataset))
    image = read_geometry(dataset.case("c2"), dataset)
    for known in (image, None):
        found, geometry = read_annotation(
            path, dataset, task, image=known, case_id="c2"
        )
        assert np.array_equal(found, labels_of(2))
        assert geometry.direction == image.direction


def _turned(degrees):
    turn = np.radians(degrees)
    cos, sin = np.cos(turn), np.sin(turn)
    return (cos, -sin, 0, sin, cos, 0, 0, 0, 1)


def _mha(path, direction=(1, 0, 0, 0, 1, 0, 0, 0, 1), spacing=(1.0, 1, 1)):
    image = SimpleITK.GetImageFromArray(np.ones((3, 4, 5), np.uint8))
    image.SetDirection(direction)
    image.SetSpacing(spacing)
    SimpleITK.WriteImage(image, path)


def _tiff(path, resolution=None, unit="um"):
    given = {"imagej": True, "resolution": resolution, "metadata": {"unit": unit}}
    array = np.ones((4, 5), np.uint8)
    tifffile.imwrite(path, array, **(given if resolution else {}))


@pytest.mark.parametrize(
    ("write", "first", "second", "expected"),
    [
        (_mha, {}, {"direction": _turned(3)}, ["warning"]),  # a cosine 0.05 off
        (_mha, {}, {"direction": _turned(10)}, ["error"]),  # 0.17 off
        (_mha, {}, {"spacing": (1, 1, 1.0005)}, []),
        (_mha, {}, {"spacing": (1, 1, 1.5)}, ["error"]),
        (_tiff, {"resolution": (2, 2)}, {}, ["error"]),  # 0.5 um beside pixels
        (_tiff, {}, {"resolution": (2, 2)}, ["error"]),
        (_tiff, {"resolution": (2, 2)}, {"resolution": (2000, 2000), "unit": "mm"}, []),
    ],
    ids=["3 degrees", "10 degrees", "rounding", "longer", "um, px", "px, um", "um, mm"],
)
def test_check_refuses_the_channels_that_reading_refuses(
    tmp_path, write, first, second, expected
):
    ending = {_mha: ".mha", _tiff: ".tif"}[write]
    paths = [tmp_path / f"c_000{number}{ending}" for number in range(2)]
    for path, given in zip(paths, (first, second), strict=True):
        write(path, **given)
    reader = find_format(ending)
    one, other = (reader.geometry(path, None, None, 1) for path in paths)

    problems = channel_problems(one, paths[0], other, paths[1])

    assert [problem.severity for problem in problems] == expected
    refused = pytest.raises(FormatError, match="channels of one case differ")
    with refused if "error" in expected else contextlib.nullcontext():
        assert reader.read_image(paths).array.shape[0] == 2


def test_an_annotation_with_other_axes_elsewhere_is_an_error(folder, tmp_path):
    _nifti(folder / "labelsTr/c2.nii", labels_of(2), np.diag([1.0, 1, 2, 1]))

    (problem,) = _problems(folder)

    assert problem.severity == "error" and problem.file.name == "c2.nii"
    assert "RAS" in problem.found and "LPS" in problem.found
    assert "world coordinates" in problem.fix
    assert main(["fingerprint", str(folder), "--root", str(tmp_path / "root")]) != 0


def test_a_header_of_an_annotation_that_contradicts_itself_is_said(folder):
    data = bytearray((folder / "labelsTr/c1.nii").read_bytes())
    data[80:92] = np.array([3, 3, 3], "<f4").tobytes()
    (folder / "labelsTr/c1.nii").write_bytes(data)

    found = [p.found for p in _problems(folder, "warning")]

    assert any("(1, 1, 2)" in text and "(3, 3, 3)" in text for text in found)


def test_an_overruled_unit_is_said_once(folder):
    _describe(folder, unit="um")

    (problem,) = _problems(folder)

    assert problem.severity == "note" and "6 headers" in problem.found


def test_micrometers_are_believed_and_nothing_is_overruled(folder):
    for kind, sub in (("c{}_0000.nii", "imagesTr"), ("c{}.nii", "labelsTr")):
        for number in range(6):
            path = folder / sub / kind.format(number)
            data = bytearray(path.read_bytes())
            data[123] = 3
            path.write_bytes(data)
    _describe(folder, unit="um")

    assert _problems(folder) == []


@pytest.mark.parametrize("unit", [1, 2])
def test_an_image_that_would_get_a_thousand_times_its_voxels_is_an_error(
    folder, tmp_path, unit
):
    edge = 1e3 if unit == 2 else 1.0  # a meter, in both units
    affine = np.diag([-edge, -edge, 2 * edge, 1])
    _nifti(folder / "imagesTr/c3_0000.nii", _values(3)[0], affine, unit=unit)
    _nifti(folder / "labelsTr/c3.nii", labels_of(3), affine, unit=unit)

    (problem,) = _problems(folder, "error")

    assert problem.file.name == "c3_0000.nii" and "1e+09" in problem.found


def test_preprocessing_refuses_it_by_name(folder, tmp_path, capsys):
    root = str(tmp_path / "root")
    affine = np.diag([-1e3, -1e3, 2e3, 1])
    _nifti(folder / "imagesTr/c3_0000.nii", _values(3)[0], affine)
    _nifti(folder / "labelsTr/c3.nii", labels_of(3), affine)

    code = main(["plan_and_preprocess", str(folder), "--root", root])

    said = capsys.readouterr().err
    assert code != 0 and "c3" in said and "times as many" in said
    assert not list((tmp_path / "root").rglob("*.b2nd"))


def test_a_unit_that_nobody_knows_is_a_warning(tmp_path):
    place = tmp_path / "Cells"
    for sub in ("imagesTr", "labelsTr"):
        (place / sub).mkdir(parents=True)
    for number in range(6):
        image, labels = _values(number)
        said = {"axes": "ZYX", "spacing": 2.0, "unit": "furlong"}
        for path, array in (
            (place / f"imagesTr/c{number}.tif", image),
            (place / f"labelsTr/c{number}.tif", labels),
        ):
            tifffile.imwrite(path, array, imagej=True, metadata=said)
    _describe(place, file_ending=".tif")

    found = _problems(place, "warning")

    assert len(found) == 6
    assert all("'furlong'" in problem.found for problem in found)


@pytest.mark.parametrize("edges", ["1 1 -2", "-1 1 2", "1 -1 -2", "1 1 2"])
def test_landmarks_are_scored_where_itk_puts_the_voxels(tmp_path, edges):
    place = tmp_path / "Points"
    for sub in ("imagesTr", "labelsTr", "pred"):
        (place / sub).mkdir(parents=True)
    for number in range(3):
        image = _values(number)[0].astype("<i2")
        head = (
            "ObjectType = Image\nNDims = 3\nBinaryData = True\n"
            "BinaryDataByteOrderMSB = False\nCompressedData = False\n"
            "TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 10 20 30\n"
            f"ElementSpacing = {edges}\nDimSize = 16 14 12\n"
            "ElementType = MET_SHORT\nElementDataFile = LOCAL\n"
        )
        path = place / f"imagesTr/c{number}_0000.mha"
        path.write_bytes(head.encode() + image.tobytes())
        drawn = {"p": [3 + number, 4, 5], "q": [9, 8, 7 + number]}
        text = json.dumps({"coordinate_system": "voxel_xyz", "points": drawn})
        (place / f"labelsTr/c{number}.json").write_text(text)
        itk = SimpleITK.ReadImage(str(path))
        controls = [
            {"label": name, "position": list(itk.TransformIndexToPhysicalPoint(index))}
            for name, index in drawn.items()
        ]
        markup = {"coordinateSystem": "LPS", "controlPoints": controls}
        (place / f"pred/c{number}.mrk.json").write_text(
            json.dumps({"markups": [markup]})
        )
    _describe(
        place,
        task="landmark",
        landmarks=["p", "q"],
        file_ending=".mha",
        label_ending=".json",
    )

    summary = evaluate(place / "pred", place / "labelsTr", dataset=place)

    assert summary.points[ALL]["mre"] == pytest.approx(0, abs=1e-4)


def test_an_annotation_that_was_not_turned_with_its_picture_is_told_why(tmp_path):
    place = tmp_path / "Photos"
    for sub in ("imagesTr", "labelsTr"):
        (place / sub).mkdir(parents=True)
    exif = Picture.Exif()
    exif[274] = 6
    for number in range(6):
        image, labels = (values[5] for values in _values(number))
        image = Picture.fromarray(image.astype(np.uint8))
        image.save(place / f"imagesTr/c{number}.png", exif=exif)
        if number:  # drawn on the picture as it is shown
            labels = np.rot90(labels, -1)
        Picture.fromarray(labels).save(place / f"labelsTr/c{number}.png")
    _describe(place, file_ending=".png")

    (problem,) = _problems(place, "error")

    assert problem.file.name == "c0.png" and "EXIF" in problem.fix


@pytest.mark.parametrize("shapes", [((1, 8, 6), (8, 6)), ((8, 6), (1, 8, 6))])
def test_one_slice_beside_two_axes_is_no_other_grid(tmp_path, shapes):
    one, other = (Geometry(shape=s, spacing=(1.0,) * len(s)) for s in shapes)

    (problem,) = annotation_problems(one, other, tmp_path / "c0.nii.gz")

    assert problem.severity == "error" and "with as many axes" in problem.fix
