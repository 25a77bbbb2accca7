"""OME-Zarr folders, written by plain zarr, and read back by it."""

import json
import os

import numpy as np
import pytest

from autoseg.errors import FormatError
from autoseg.formats.base import find_format
from autoseg.geometry import mapped
from autoseg.spec.arrays.windowed import Windowed
from autoseg.spec.image import Geometry

zarr = pytest.importorskip("zarr", "3", reason="zarr 3 is not installed")

IMAGE = np.random.default_rng(0).integers(0, 200, (2, 3, 4, 40, 36), dtype=np.uint16)
AXES = {
    name: {"name": name, "type": kind}
    for name, kind in zip("tczyx", ("time", "channel", *["space"] * 3), strict=True)
}


def _write(folder, array, axes, version, scale=None, unit="micrometer", levels=2):
    """Write an image in two resolutions, as the specification says."""
    described = [dict(AXES[name]) for name in axes]
    for axis in described:
        if unit and axis["type"] == "space":
            axis["unit"] = unit
    datasets = []
    for level in range(levels):
        step = (..., slice(None, None, 2**level), slice(None, None, 2**level))
        values = np.ascontiguousarray(array[step])
        how = {"zarr_format": 3} if version == "0.5" else {
            "zarr_format": 2,
            "chunk_key_encoding": {"name": "v2", "separator": "/"},
        }  # fmt: skip
        made = zarr.create_array(
            store=str(folder / str(level)),
            shape=values.shape,
            chunks=tuple(min(size, 16) for size in values.shape),
            dtype=values.dtype,
            **how,
        )
        made[...] = values
        edges = list(scale or [1.0] * len(axes))
        edges[-2:] = [edge * 2**level for edge in edges[-2:]]
        transformation = {"type": "scale", "scale": edges}
        datasets.append(
            {"path": str(level), "coordinateTransformations": [transformation]}
        )
    _describe(
        folder,
        {"multiscales": [{"axes": described, "datasets": datasets}]},
        version,
    )
    return folder


def _describe(folder, content, version):
    folder.mkdir(parents=True, exist_ok=True)
    if version == "0.5":
        raw = {"attributes": {"ome": {"version": version, **content}}}
        raw |= {"zarr_format": 3, "node_type": "group"}
        (folder / "zarr.json").write_text(json.dumps(raw))
        return
    (folder / ".zgroup").write_text('{"zarr_format": 2}')
    (folder / ".zattrs").write_text(json.dumps(content))


def _read(path, **how):
    return find_format(path).read_image([path], **how)


@pytest.mark.parametrize(
    ("version", "axes", "index"),
    [
        ("0.4", "yx", (1, 2, 3)),
        ("0.5", "cyx", (1, slice(None), 0, slice(None), slice(None))),
        ("0.5", "zyx", (1, 2)),
        ("0.4", "czyx", 1),
    ],
    ids=["yx", "cyx", "zyx", "czyx"],
)
def test_channels_space_and_size_are_what_the_folder_says(
    tmp_path, version, axes, index
):
    array = IMAGE[index]
    scale = {"c": 1.0, "z": 2.0, "y": 0.5, "x": 0.25}
    path = _write(
        tmp_path / "a.ome.zarr", array, axes, version, [scale[a] for a in axes]
    )

    found = _read(path)

    np.testing.assert_array_equal(found.array, array if "c" in axes else array[None])
    assert found.geometry.unit == "um"
    assert found.geometry.spacing == tuple(scale[a] for a in axes if a != "c")


@pytest.mark.parametrize(
    ("unit", "wanted", "spacing"),
    [
        ("nanometer", "um", (0.5e-3, 0.25e-3)),
        ("millimeter", "mm", (0.5, 0.25)),
        (None, "px", (2.0, 1.0)),
    ],
)
def test_units_are_understood(tmp_path, unit, wanted, spacing):
    path = _write(tmp_path / "a.zarr", IMAGE[0, 0, 0], "yx", "0.4", [0.5, 0.25], unit)

    geometry = find_format(path).geometry(path, None, None, 1)

    assert geometry.unit == wanted
    np.testing.assert_allclose(geometry.spacing, spacing, rtol=1e-12)


@pytest.mark.parametrize(
    ("without", "scale", "spacing", "said"),
    [
        ("z", [5.0, 0.5, 0.25], (5e-3, 0.5e-3, 0.25e-3), "no unit along z; that of"),
        ("yx", [5.0, 0.5, 0.25], (5e-3, 0.5e-3, 0.25e-3), "no unit along y and x"),
        # 1 is what files have where nothing is known.
        ("z", [1.0, 0.5, 0.25], (0.25e-3, 0.5e-3, 0.25e-3), "no size along z"),
    ],
)
def test_a_ratio_of_axes_outlives_a_unit_that_some_lack(
    tmp_path, without, scale, spacing, said
):
    path = tmp_path / "a.zarr"
    _write(path, IMAGE[0, 0], "zyx", "0.4", scale, unit="nanometer")
    content = json.loads((path / ".zattrs").read_text())
    for axis in content["multiscales"][0]["axes"]:
        if axis["name"] in without:
            del axis["unit"]
    (path / ".zattrs").write_text(json.dumps(content))

    geometry = find_format(path).geometry(path, None, None, 1)

    assert geometry.unit == "um"
    np.testing.assert_allclose(geometry.spacing, spacing, rtol=1e-12)
    (note,) = find_format(path).notes(geometry)
    assert said in note


def test_what_dataset_json_says_of_the_size_counts(tmp_path):
    path = _write(tmp_path / "a.zarr", IMAGE[0, 0, 0], "yx", "0.5")

    geometry = find_format(path).geometry(path, (3.0, 4.0), "um", 1)

    assert (geometry.spacing, geometry.unit) == ((3.0, 4.0), "um")


def test_times_and_resolutions_are_parts_of_a_folder(tmp_path):
    path = _write(tmp_path / "a.ome.zarr", IMAGE, "tczyx", "0.5", [9, 1, 2, 1, 1])

    later, coarse = _read(path / "time=1"), _read(path / "time=0&level=1")

    np.testing.assert_array_equal(later.array, IMAGE[1])
    np.testing.assert_array_equal(coarse.array, IMAGE[0, ..., ::2, ::2])
    assert coarse.geometry.spacing == (2.0, 2.0, 2.0)
    assert find_format(path).cases(path) == [{"time": "0"}, {"time": "1"}]
    with pytest.raises(FormatError, match="2 time points.*time=0"):
        _read(path)
    with pytest.raises(FormatError, match="no time '2'"):
        _read(path / "time=2")


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_positions_of_a_plate_and_series_of_a_file_are_found(tmp_path, version):
    plate, series = tmp_path / "plate.zarr", tmp_path / "series.zarr"
    for number, place in enumerate(("A/1/0", "A/1/1", "B/2/0")):
        _write(plate / place, IMAGE[0, 0, number], "yx", version)
    wells = [{"path": "A/1"}, {"path": "B/2"}]
    _describe(plate, {"plate": {"wells": wells}}, version)
    _describe(
        plate / "A/1", {"well": {"images": [{"path": "0"}, {"path": "1"}]}}, version
    )
    _describe(plate / "B/2", {"well": {"images": [{"path": "0"}]}}, version)
    for number in range(2):
        _write(series / str(number), IMAGE[:, 0, number], "tyx", version)
    _describe(series, {"bioformats2raw.layout": 3}, version)

    wanted = [{"position": name} for name in ("A-1-0", "A-1-1", "B-2-0")]
    assert find_format(plate).cases(plate) == wanted
    np.testing.assert_array_equal(
        _read(plate / "position=B-2-0").array[0], IMAGE[0, 0, 2]
    )
    assert len(find_format(series).cases(series)) == 4
    found = _read(series / "position=1&time=1")
    np.testing.assert_array_equal(found.array[0], IMAGE[1, 0, 1])
    with pytest.raises(FormatError, match="no position 'C'.*A-1-0"):
        _read(plate / "position=C")


def test_a_large_image_is_read_by_windows(tmp_path, monkeypatch):
    path = _write(tmp_path / "a.zarr", IMAGE[0, 0], "zyx", "0.5")
    monkeypatch.setattr(mapped, "IN_MEMORY", 100)

    image = _read(path, lazily=True)
    labels, _ = find_format(path).read_labels(path, lazily=True)

    assert isinstance(image.array, Windowed) and isinstance(labels, Windowed)
    np.testing.assert_array_equal(image.array[0, 1:, 3:20, 5], IMAGE[0, 0, 1:, 3:20, 5])
    np.testing.assert_array_equal(labels, IMAGE[0, 0])


@pytest.mark.parametrize(("version", "dim"), [("0.4", 3), ("0.5", 2)])
def test_labels_are_written_in_resolutions_with_colors_and_come_back(
    tmp_path, version, dim
):
    shape = (2, 600, 530)[-dim:]
    labels = np.zeros(shape, np.uint16)
    labels[..., 100:401, 50:] = 300
    labels[..., 401:, :40] = 7
    image = _write(
        tmp_path / "i.zarr", labels, "zyx"[-dim:], version, [2, 0.5, 0.5][-dim:]
    )
    geometry = find_format(image).geometry(image, None, None, 1)
    path = tmp_path / "out.ome.zarr"

    find_format(path).write_labels(path, labels, geometry)

    group = zarr.open_group(str(path), mode="r")
    assert group.metadata.zarr_format == (3 if version == "0.5" else 2)
    about = dict(group["labels/prediction"].attrs)
    about = about.get("ome", about)
    (scales,) = about["multiscales"]
    assert [axis["unit"] for axis in scales["axes"]] == ["micrometer"] * dim
    for level, entry in enumerate(scales["datasets"]):
        step = (..., slice(None, None, 2**level), slice(None, None, 2**level))
        found = group["labels/prediction"][entry["path"]]
        np.testing.assert_array_equal(found[...], labels[step])
        (scale,) = entry["coordinateTransformations"]
        wanted = [2.0, 0.5 * 2**level, 0.5 * 2**level][-dim:]
        assert scale == {"type": "scale", "scale": wanted}
    assert len(scales["datasets"]) == 3  # 600, 300, 150
    colors = {c["label-value"]: c["rgba"] for c in about["image-label"]["colors"]}
    assert set(colors) == {7, 300} and colors[7] != colors[300]
    names = dict(group["labels"].attrs)
    assert names.get("ome", names)["labels"] == ["prediction"]
    again, place = find_format(path).read_labels(path)
    np.testing.assert_array_equal(again, labels)
    assert (place.spacing, place.unit) == (geometry.spacing, "um")


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr_py_reads_what_is_written(tmp_path, version):
    reader = pytest.importorskip("ome_zarr.reader")
    parse_url = pytest.importorskip("ome_zarr.io").parse_url
    labels = np.zeros((2, 300, 280), np.uint16)
    labels[0, 100:200, 50:] = 300
    image = _write(tmp_path / "i.zarr", labels, "zyx", version, [2, 0.5, 0.5])
    geometry = find_format(image).geometry(image, None, None, 1)
    path = tmp_path / "out.ome.zarr"

    find_format(path).write_labels(path, labels, geometry)

    node, *_ = reader.Reader(parse_url(path / "labels" / "prediction"))()
    np.testing.assert_array_equal(np.asarray(node.data[0]), labels)
    np.testing.assert_array_equal(np.asarray(node.data[1]), labels[:, ::2, ::2])
    assert [axis["name"] for axis in node.metadata["axes"]] == list("zyx")
    (scale,) = node.metadata["coordinateTransformations"][0]
    assert scale["scale"] == [2.0, 0.5, 0.5]


def test_images_are_written_with_channels_and_averaged(tmp_path):
    array = np.random.default_rng(1).random((2, 300, 301)).astype(np.float32)
    path = tmp_path / "p.ome.zarr"
    geometry = Geometry(shape=(300, 301), spacing=(0.5, 0.5), unit="um")

    find_format(path).write_image(path, array, geometry)

    group = zarr.open_group(str(path), mode="r")
    np.testing.assert_array_equal(group["0"][...], array)
    small = array[:, :300, :300].reshape(2, 150, 2, 150, 2).mean((2, 4))
    np.testing.assert_allclose(group["1"][:, :, :150], small, atol=1e-6)
    assert group["1"].shape == (2, 150, 151)
    np.testing.assert_allclose(
        group["1"][:, :, 150], array[..., 300].reshape(2, 150, 2).mean(2), atol=1e-6
    )
    np.testing.assert_array_equal(_read(path).array, array)


def test_a_prediction_replaces_the_one_before_as_a_whole(tmp_path):
    path = tmp_path / "p.ome.zarr"
    large, small = np.ones((400, 400), np.uint8), np.zeros((4, 4), np.uint8)
    for labels in (large, small):
        geometry = Geometry(shape=labels.shape, spacing=(1.0, 1.0), unit="px")
        find_format(path).write_labels(path, labels, geometry)

    np.testing.assert_array_equal(find_format(path).read_labels(path)[0], small)
    assert [entry.name for entry in tmp_path.iterdir()] == ["p.ome.zarr"]


@pytest.mark.parametrize("bad", ["../other", "/etc", "..", "link"])
def test_paths_in_metadata_never_leave_the_folder(tmp_path, bad):
    _write(tmp_path / "other", IMAGE[0, 0, 0], "yx", "0.4")
    path = _write(tmp_path / "a.zarr", IMAGE[0, 0, 0], "yx", "0.4")
    os.symlink(tmp_path / "other" / "0", path / "link")
    content = json.loads((path / ".zattrs").read_text())
    content["multiscales"][0]["datasets"][0]["path"] = bad
    (path / ".zattrs").write_text(json.dumps(content))

    with pytest.raises(FormatError, match="outside of it"):
        _read(path)


def test_what_would_be_made_into_objects_is_not_opened(tmp_path):
    path = _write(tmp_path / "a.zarr", IMAGE[0, 0, 0], "yx", "0.4")
    array = json.loads((path / "0" / ".zarray").read_text())
    array["filters"], array["dtype"] = [{"id": "pickle"}], "|O"
    (path / "0" / ".zarray").write_text(json.dumps(array))

    with pytest.raises(FormatError, match="Python objects"):
        _read(path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: (p / ".zattrs").write_text("{"), "cannot be read"),
        (lambda p: (p / ".zattrs").write_text("{}"), "without an image of OME"),
        (lambda p: [(p / n).unlink() for n in (".zattrs", ".zgroup")], "is no Zarr"),
        (lambda p: (p / "0" / ".zarray").unlink(), "cannot be read"),
        (lambda p: (p / "0" / "0" / "0").write_bytes(b"no chunk"), "cannot be read"),
    ],
    ids=["no JSON", "no image", "no metadata", "no array", "no chunk"],
)
def test_a_damaged_folder_is_refused_by_name(tmp_path, damage, message):
    path = _write(tmp_path / "a.zarr", IMAGE[0, 0, 0], "yx", "0.4")
    damage(path)

    with pytest.raises(FormatError, match=f"a.zarr.*{message}"):
        _read(path)


def test_without_zarr_it_says_what_to_install(tmp_path, monkeypatch):
    path = _write(tmp_path / "a.zarr", IMAGE[0, 0, 0], "yx", "0.4")
    monkeypatch.setitem(__import__("sys").modules, "zarr", None)

    with pytest.raises(FormatError, match=r"autoseg\[micro\]"):
        _read(path)


def test_the_finest_resolution_counts_in_whatever_order_they_are_named(tmp_path):
    folder = _write(tmp_path / "a.zarr", IMAGE[0, 0], "zyx", "0.4", [2, 0.5, 0.5])
    raw = json.loads((folder / ".zattrs").read_text())
    raw["multiscales"][0]["datasets"].reverse()
    raw["multiscales"].append({**raw["multiscales"][0], "name": "other"})
    _describe(folder, raw, "0.4")

    image = _read(folder)

    np.testing.assert_array_equal(image.array[0], IMAGE[0, 0])
    assert image.geometry.spacing == (2.0, 0.5, 0.5)
    (note,) = find_format(folder).notes(image.geometry)
    assert note == "it describes 2 images, of which the first is read"


def test_of_an_image_with_its_labels_the_labels_are_the_annotation(tmp_path):
    folder = _write(tmp_path / "a.zarr", IMAGE[0, 0], "zyx", "0.4", [2, 0.5, 0.5])
    drawn = (IMAGE[0, 0] > 50).astype(np.uint8)
    for names in (["cells"], ["cells", "nuclei"]):
        _write(folder / "labels" / names[-1], drawn, "zyx", "0.4", [2, 0.5, 0.5])
        _describe(folder / "labels", {"labels": names}, "0.4")
        if names == ["cells"]:
            found, _ = find_format(folder).read_labels(folder)
            np.testing.assert_array_equal(found, drawn)
    with pytest.raises(FormatError, match="2 label images: cells, nuclei"):
        find_format(folder).read_labels(folder)
    one = folder / "labels" / "nuclei"
    np.testing.assert_array_equal(find_format(one).read_labels(one)[0], drawn)
    np.testing.assert_array_equal(_read(folder).array[0], IMAGE[0, 0])
