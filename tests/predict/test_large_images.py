"""Images larger than memory: what comes in which file changes nothing."""

import json
from dataclasses import replace

import nibabel
import numpy as np
import pytest
import tifffile

from autoseg.errors import UsageError
from autoseg.formats.base import find_format
from autoseg.geometry import mapped
from autoseg.predict.stage import predict
from autoseg.predict.window_choice import WindowChoice
from autoseg.spec.arrays import windowed
from tests.predict import toy_model

SHAPE = (24, 40, 44)
VALUES = np.random.default_rng(3).integers(0, 250, SHAPE, dtype=np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    plan = toy_model.plan(3, patch=16, unit="um")
    return toy_model.saved(tmp_path_factory.mktemp("model"), plan)


@pytest.fixture(scope="module")
def known(model, tmp_path_factory):
    """The prediction of the image in memory."""
    folder = tmp_path_factory.mktemp("known")
    _as_tiff(folder / "image.tif")
    return _predicted(folder / "image.tif", model, folder / "out")


@pytest.fixture
def largest(monkeypatch):
    """Leaves images in their files; tells the most that was read of one at once."""
    read, most = windowed.Windowed.__array__, [0]

    def counted(self, *args, **how):
        most[0] = max(most[0], self.size)
        return read(self, *args, **how)

    monkeypatch.setattr(windowed.Windowed, "__array__", counted)
    for module in (windowed, mapped):
        monkeypatch.setattr(module, "AT_ONCE", 2000)
    monkeypatch.setattr("autoseg.geometry.crop.PIECE", 2000)
    monkeypatch.setattr(mapped, "IN_MEMORY", VALUES.nbytes // 4)
    return most


def _predicted(image, model, out, ending=".tif"):
    file = out / f"p{ending}"
    predict(model, image, file, mirror=False, device="cpu", readers=0, writers=0)
    return find_format(file).read_labels(file)[0]


def _as_tiff(path):
    tifffile.imwrite(path, VALUES, imagej=True, metadata={"axes": "ZYX", "unit": "um"})
    (path.with_suffix(".json")).write_text('{"spacing": [1, 1, 1], "unit": "um"}')


def _as_tiles(path):
    how = {"tile": (16, 16), "compression": "zlib", "photometric": "minisblack"}
    tifffile.imwrite(path, VALUES, metadata={"axes": "ZYX"}, **how)
    (path.with_suffix(".json")).write_text('{"spacing": [1, 1, 1], "unit": "um"}')


def _as_nifti(path):
    image = nibabel.Nifti1Image(VALUES.T, np.diag([-1.0, -1.0, 1.0, 1.0]))
    image.header.set_xyzt_units("micron")
    nibabel.save(image, path)


def _as_zarr(path):
    zarr = pytest.importorskip("zarr", "3", reason="zarr 3 is not installed")
    made = zarr.create_array(
        store=str(path / "0"), shape=SHAPE, chunks=(8, 16, 16), dtype="uint8"
    )
    made[...] = VALUES
    axes = [{"name": n, "type": "space", "unit": "micrometer"} for n in "zyx"]
    scale = [{"type": "scale", "scale": [1, 1, 1]}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    ome = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    text = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": ome}}
    (path / "zarr.json").write_text(json.dumps(text))


@pytest.mark.parametrize(
    ("ending", "write"),
    [
        (".ome.zarr", _as_zarr),
        (".nii", _as_nifti),
        (".nii.gz", _as_nifti),
        (".tif", _as_tiff),
        (".tiff", _as_tiles),
    ],
    ids=["zarr", "nifti", "packed nifti", "tiff", "tiles"],
)
def test_an_image_four_times_too_large_is_predicted_as_in_memory(
    tmp_path, model, known, largest, ending, write
):
    image = tmp_path / f"image{ending}"
    write(image)

    found = _predicted(image, model, tmp_path / "out")

    assert len(np.unique(known)) > 1
    np.testing.assert_array_equal(found, known)
    assert 0 < largest[0] < VALUES.size // 3


def test_sums_in_a_file_and_few_voxels_at_once_give_the_same_labels(
    tmp_path, model, known, largest, monkeypatch
):
    chosen = WindowChoice.windows
    monkeypatch.setattr(
        WindowChoice,
        "windows",
        lambda self, shape, left: replace(
            chosen(self, shape, left), in_file=True, exported=3000
        ),
    )
    image = tmp_path / "image.nii"
    _as_nifti(image)

    found = _predicted(image, model, tmp_path / "out")

    np.testing.assert_array_equal(found, known)


def test_a_budget_too_small_for_any_image_is_refused_before_one_is_read(
    tmp_path, model, monkeypatch
):
    image = tmp_path / "image.nii"
    _as_nifti(image)
    monkeypatch.setattr("autoseg.predict.pipeline.read_files", None)

    with pytest.raises(UsageError, match=r"--max-memory [\d.]+ is the least that"):
        predict(model, image, tmp_path / "out", device="cpu", max_memory=0.001)
