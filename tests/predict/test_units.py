"""Image and model are compared by size, whatever unit each is in."""

import logging

import nibabel
import numpy as np
import pytest
import SimpleITK
import tifffile
from PIL import Image as Picture

from autoseg.errors import FormatError, UsageError
from autoseg.predict.drift import unlike_training
from autoseg.predict.inputs import read_files
from tests.predict import toy_model as toy

FLAT = toy.blobs((24, 30))
VOLUME = toy.blobs((12, 16, 20))


def _tiff(path, labels, edge, unit):
    axes = "YX" if labels.ndim == 2 else "ZYX"
    said = {"axes": axes, "unit": unit, "spacing": edge}
    values = (100 * labels).astype(np.uint8)
    tifffile.imwrite(
        path, values, imagej=True, resolution=(1 / edge,) * 2, metadata=said
    )
    return path


def _ome(path, labels, edge, unit):
    said = {"axes": "YX" if labels.ndim == 2 else "ZYX"}
    for axis in said["axes"]:
        said |= {f"PhysicalSize{axis}": edge, f"PhysicalSize{axis}Unit": unit}
    values = (100 * labels).astype(np.uint8)
    tifffile.imwrite(path, values, metadata=said, photometric="minisblack")
    return path


def _nifti(path, labels, edge, unit):
    image = nibabel.Nifti1Image(100.0 * labels.T, np.diag([edge] * 3 + [1.0]))
    image.header.set_xyzt_units({"um": "micron", "mm": "mm", "m": "meter"}[unit])
    nibabel.save(image, path)
    return path


def _nrrd(path, labels, edge, unit):
    lines = [
        "NRRD0004",
        "type: uint8",
        "dimension: 3",
        "space: LPS",
        f"sizes: {' '.join(map(str, labels.shape[::-1]))}",
        f"space directions: ({edge},0,0) (0,{edge},0) (0,0,{edge})",
        "space origin: (0,0,0)",
        f'space units: "{unit}" "{unit}" "{unit}"',
        "encoding: raw",
    ]
    values = (100 * labels).astype(np.uint8)
    path.write_bytes("\n".join([*lines, "", ""]).encode() + values.tobytes())
    return path


def _model(dim, unit, edge, **fields):
    labels = FLAT if dim == 2 else VOLUME
    known = {"shapes": [labels.shape], "spacings": [(edge,) * dim], "unit": unit}
    plan = toy.plan(dim, unit=unit, spacing=(edge,) * dim)
    return toy.model(plan, fingerprint=known, dataset=toy.description(**fields))


def _predictor(model):
    predictor = toy.knowing(model.plan)
    object.__setattr__(predictor, "model", model)
    return predictor


SAME = [  # half a micrometer
    (_tiff, "c.tif", 0.5, "um"),
    (_tiff, "c.tif", 500.0, "nm"),
    (_tiff, "c.tif", 0.0005, "mm"),
    (_tiff, "c.tif", 0.00005, "cm"),
    (_tiff, "c.tif", 0.0005 / 25.4, "inch"),
    (_ome, "c.ome.tif", 0.0005, "mm"),
    (_ome, "c.ome.tif", 5000.0, "Å"),
    (_nifti, "c.nii.gz", 0.5, "um"),
    (_nifti, "c.nii.gz", 0.0005, "mm"),
    (_nrrd, "c.nrrd", 0.5, "um"),
    (_nrrd, "c.nrrd", 0.0005, "mm"),
]


@pytest.mark.parametrize(("write", "name", "edge", "unit"), SAME)
@pytest.mark.parametrize("model_unit", ["um", "mm"])
def test_the_same_size_in_another_unit_is_the_same(
    tmp_path, write, name, edge, unit, model_unit
):
    labels = FLAT if write in (_tiff, _ome) else VOLUME
    model = _model(labels.ndim, model_unit, 0.5 if model_unit == "um" else 0.0005)
    path = write(tmp_path / name, labels, edge, unit)

    image = read_files([path], model)

    assert image.geometry.unit == model_unit
    expected = model.plan.configurations["net"].spacing
    assert image.geometry.spacing == pytest.approx(expected, rel=1e-6)
    assert not [said for said in unlike_training(image, model) if "spacing" in said]
    assert np.array_equal(_predictor(model).predict(path).labels, labels)


@pytest.mark.parametrize(
    ("write", "name", "edge", "unit"),
    [
        (_tiff, "c.tif", 0.5, "mm"),
        (_tiff, "c.tif", 50.0, "um"),
        (_ome, "c.ome.tif", 0.5, "mm"),
        (_nifti, "c.nii.gz", 0.5, "mm"),
        (_nrrd, "c.nrrd", 1000.0, "um"),
    ],
)
def test_a_size_that_asks_for_a_thousand_times_the_voxels_is_refused(
    tmp_path, write, name, edge, unit
):
    labels = FLAT if write in (_tiff, _ome) else VOLUME
    model = _model(labels.ndim, "um", 0.5)
    path = write(tmp_path / name, labels, edge, unit)

    with pytest.raises(FormatError, match="times as many.*unit"):
        _predictor(model).predict(path)


def test_a_picture_without_a_size_is_said(tmp_path):
    model = _model(2, "um", 0.5, ending=".png")
    Picture.fromarray(100 * FLAT).save(tmp_path / "c.png")

    image = read_files([tmp_path / "c.png"], model)

    said = " ".join(unlike_training(image, model))
    assert "does not say how large a pixel is" in said and "1 um" in said


def test_a_model_without_sizes_takes_pixels_and_says_so(tmp_path):
    model = _model(2, "px", 1.0, ending=".png")
    path = _tiff(tmp_path / "c.tif", FLAT, 0.25, "um")

    image = read_files([path], model)

    assert image.geometry.unit == "px" and image.geometry.spacing == (1.0, 1.0)
    assert "size in um" in " ".join(unlike_training(image, model))
    found = _predictor(model).predict(path)
    assert np.array_equal(found.labels, FLAT)
    assert (found.geometry.spacing, found.geometry.unit) == ((0.25, 0.25), "um")


@pytest.mark.parametrize("unit", ["um", "mm", "px"])
def test_a_spacing_that_is_given_is_in_the_model_s_unit(tmp_path, unit):
    model = _model(2, unit, 0.5, ending=".png")
    Picture.fromarray(100 * FLAT).save(tmp_path / "c.png")

    image = read_files([tmp_path / "c.png"], model, spacing=(0.5, 0.5))

    assert image.geometry.unit == unit
    assert image.geometry.spacing == pytest.approx((0.5, 0.5), rel=1e-12)


@pytest.mark.parametrize("kind", ["sitk", "nibabel"])
def test_images_in_memory_are_converted_and_given_back_as_they_were(tmp_path, kind):
    model = _model(3, "um", 0.5)
    path = _nifti(tmp_path / "c.nii", VOLUME, 0.0005, "mm")
    reading = {"sitk": lambda p: SimpleITK.ReadImage(str(p)), "nibabel": nibabel.load}
    image = reading[kind](path)

    found = _predictor(model).predict(image)

    if kind == "sitk":
        assert found.GetSpacing() == image.GetSpacing()
        assert np.array_equal(SimpleITK.GetArrayFromImage(found), VOLUME)
    else:
        assert np.array_equal(found.affine, image.affine)
        assert np.array_equal(np.asarray(found.dataobj).T, VOLUME)


@pytest.mark.parametrize(("write", "name", "edge", "unit"), SAME)
def test_predictions_are_on_the_grid_of_their_file(tmp_path, write, name, edge, unit):
    labels = FLAT if write in (_tiff, _ome) else VOLUME
    model = _model(labels.ndim, "um", 0.5)
    path = write(tmp_path / name, labels, edge, unit)
    (tmp_path / "out").mkdir()

    _predictor(model).predict(path).save(tmp_path / "out" / name)

    if name.endswith(".tif"):
        reread = read_files([tmp_path / "out" / name], model)
        assert reread.geometry.spacing == pytest.approx((0.5, 0.5), rel=1e-6)
    else:
        ours, theirs = (
            SimpleITK.ReadImage(str(p)) for p in (tmp_path / "out" / name, path)
        )
        assert ours.GetSpacing() == theirs.GetSpacing()
        assert ours.GetDirection() == theirs.GetDirection()


def test_a_header_that_contradicts_itself_is_said_at_prediction(tmp_path):
    model = _model(3, "mm", 1.0)
    image = nibabel.Nifti1Image(100.0 * VOLUME.T, np.diag([1.0, 1, 2, 1]))
    image.set_qform(None, 0)
    image.to_filename(tmp_path / "c.nii")
    data = bytearray((tmp_path / "c.nii").read_bytes())
    data[80:92] = np.ones(3, "<f4").tobytes()
    (tmp_path / "c.nii").write_bytes(data)

    said = unlike_training(read_files([tmp_path / "c.nii"], model), model)

    assert any("sform" in one and "pixdim" in one for one in said)


def test_a_file_without_orientation_is_not_turned(tmp_path, caplog):
    plan = toy.plan(orientation="RAS")
    known = {"orientations": {"RAS": 5, "LPS": 1}, "unit": "mm"}
    model = toy.model(plan, fingerprint=known)
    image = nibabel.Nifti1Image(100.0 * VOLUME.T, np.eye(4))
    image.to_filename(tmp_path / "c.nii")
    data = bytearray((tmp_path / "c.nii").read_bytes())
    data[252:256] = bytes(4)  # no code of qform and sform
    (tmp_path / "c.nii").write_bytes(data)

    predictor = _predictor(model)
    read = read_files([tmp_path / "c.nii"], model)
    prepared = predictor.prepare(read)

    filled = np.argwhere(VOLUME)
    low, high = filled.min(0), filled.max(0) + 1
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    assert np.array_equal(prepared.array[0], 100.0 * VOLUME[box])
    assert "how its axes lie" in " ".join(unlike_training(read, model))
    with caplog.at_level(logging.WARNING):
        found = predictor.predict(tmp_path / "c.nii")
    assert np.array_equal(found.labels, VOLUME)
    assert "how its axes lie" in caplog.text


@pytest.mark.parametrize(
    "spacing", [(1, -1), (0, 1), (float("nan"), 1), "ab", 3, ()], ids=repr
)
def test_a_spacing_that_cannot_be_is_refused(spacing):
    predictor = toy.knowing(toy.plan(dim=2, mirror=False))

    with pytest.raises(UsageError, match="cannot be"):
        predictor.predict(np.zeros((8, 8), np.float32), spacing=spacing)
