"""Regions of ImageJ: kinds, names, planes, groups; and what we write."""

from zipfile import ZipFile

import numpy as np
import pytest

from autoseg.errors import FormatError
from autoseg.instancefiles.imagej import write_rois
from autoseg.instancefiles.measure import measure
from autoseg.instancefiles.readers.base import read_objects
from autoseg.spec.image import Geometry
from autoseg.spec.instances import Instances
from tests.instancefiles.readers.outlines import blob, inside

roifile = pytest.importorskip("roifile")

SHAPE = (40, 50)
PICTURE = Geometry(shape=SHAPE, spacing=(1.0, 1.0), unit="px")
LABELS = {1: "cell"}


def region(ring, name="", kind="POLYGON", **more):
    roi = roifile.ImagejRoi.frompoints(np.array(ring), name=name)
    roi.roitype = roifile.ROI_TYPE[kind]
    for key, value in more.items():
        setattr(roi, key, value)
    return roi


def box(kind, left, top, right, bottom, **more):
    roi = roifile.ImagejRoi()
    roi.roitype = roifile.ROI_TYPE[kind]
    roi.left, roi.top, roi.right, roi.bottom = left, top, right, bottom
    for key, value in more.items():
        setattr(roi, key, value)
    return roi


def save(path, *rois):
    with ZipFile(path, "w") as file:
        for number, roi in enumerate(rois):
            file.writestr(f"{number:04d}.roi", roi.tobytes())
    return path


def read(path, geometry=PICTURE, labels=LABELS):
    return read_objects(path, "c0", labels, geometry)


@pytest.mark.parametrize("kind", ["POLYGON", "FREEHAND", "TRACED"])
@pytest.mark.parametrize("whole", [True, False])
def test_a_pixel_is_inside_if_its_middle_is(tmp_path, kind, whole):
    ring = blob((24, 19), 15, seed=5)
    if whole:
        ring = [(round(x), round(y)) for x, y in ring]
    path = save(tmp_path / "c0.zip", region(ring, kind=kind))

    assert np.array_equal(read(path).labels == 1, inside(ring, SHAPE))


def test_one_region_may_be_a_file_alone(tmp_path):
    ring = blob((24, 19), 15)
    (tmp_path / "c0.roi").write_bytes(region(ring).tobytes())

    found = read(tmp_path / "c0.roi").labels

    assert np.array_equal(found == 1, inside(ring, SHAPE))


def test_rectangles_and_ovals(tmp_path):
    rois = box("RECT", 3, 4, 9, 7), box("OVAL", 20, 10, 31, 25)
    labels = read(save(tmp_path / "c0.zip", *rois)).labels

    rows, columns = np.indices(SHAPE) + 0.5
    oval = ((columns - 25.5) / 5.5) ** 2 + ((rows - 17.5) / 7.5) ** 2 <= 1
    wanted = np.zeros(SHAPE, int)
    wanted[4:7, 3:9] = 1
    assert np.array_equal(labels, np.where(oval, 2, wanted))


def test_paths_of_a_composite_make_holes_and_pieces(tmp_path):
    outer, hole, apart = (
        [(2, 2), (22, 2), (22, 22), (2, 22)],
        [(8, 8), (8, 14), (14, 14), (14, 8)],
        [(30, 30), (36, 30), (36, 36), (30, 36)],
    )
    path = []
    for ring in (outer, hole, apart):
        path += [0, *ring[0]]
        for corner in ring[1:]:
            path += [1, *corner]
        path += [4]
    roi = box("RECT", 2, 2, 36, 36)
    roi.multi_coordinates = np.array(path, np.float32)
    roi.shape_roi_size = len(path)

    labels = read(save(tmp_path / "c0.zip", roi)).labels

    wanted = np.zeros(SHAPE, bool)
    wanted[2:22, 2:22] = True
    wanted[8:14, 8:14] = False
    wanted[30:36, 30:36] = True
    assert np.array_equal(labels == 1, wanted)


def test_names_of_imagej_do_not_join_regions(tmp_path):
    rings = blob((12, 12), 9), blob((36, 28), 8)
    names = "0012-0012", "0012-0036"
    rois = [region(r, n) for r, n in zip(rings, names, strict=True)]

    assert read(save(tmp_path / "c0.zip", *rois)).labels.max() == 2


def test_regions_of_one_name_are_planes_of_one_object(tmp_path):
    rings = blob((12, 12), 9), blob((36, 28), 8)
    rois = [region(r, "left", position=z) for r, z in zip(rings, (2, 4), strict=True)]
    volume = Geometry(shape=(5, *SHAPE), spacing=(1.0,) * 3, unit="px")

    labels = read(save(tmp_path / "c0.zip", *rois), volume).labels

    assert [np.unique(plane).tolist() for plane in labels] == [
        [0],
        [0, 1],
        [0],
        [0, 1],
        [0],
    ]


def test_planes_that_nothing_joins_are_an_error(tmp_path):
    rings = blob((12, 12), 9), blob((12, 12), 9)
    rois = [region(r, f"000{z}-0012-0012", position=z) for z, r in enumerate(rings, 1)]
    volume = Geometry(shape=(5, *SHAPE), spacing=(1.0,) * 3, unit="px")

    with pytest.raises(FormatError, match="0001-0012-0012: it does not say of which"):
        read(save(tmp_path / "c0.zip", *rois), volume)


def test_groups_are_classes(tmp_path):
    rings = blob((12, 12), 9), blob((36, 28), 8)
    rois = [region(r, group=g) for r, g in zip(rings, (2, 1), strict=True)]
    path = save(tmp_path / "c0.zip", *rois)

    assert read(path, labels={1: "cell", 2: "debris"}).classes == {1: 2, 2: 1}


@pytest.mark.parametrize("kind", ["LINE", "POINT", "POLYLINE"])
def test_what_has_no_area_is_named(tmp_path, kind):
    path = save(tmp_path / "c0.zip", region(blob((9, 9), 5), "mine", kind=kind))

    with pytest.raises(FormatError, match=f"region mine: a {kind.lower()} has no area"):
        read(path)


@pytest.mark.parametrize("shape", [(14, 16), (3, 14, 16)])
@pytest.mark.parametrize("seed", range(3))
def test_what_we_write_is_read_again_but_for_holes(tmp_path, shape, seed):
    random = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int32)
    for number in (3, 4, 12):  # boxes, later ones over earlier: pieces, but no holes
        low = [int(random.integers(0, size - 6)) for size in shape[-2:]]
        z = slice(None) if len(shape) == 2 else slice(int(random.integers(0, 2)), None)
        place = (slice(low[0], low[0] + 9), slice(low[1], low[1] + 3))
        cross = (slice(low[0] + 3, low[0] + 5), slice(None))
        labels[place if len(shape) == 2 else (z, *place)] = number
        if number == 12:
            labels[cross if len(shape) == 2 else (z, *cross)] = number
    kinds = {3: 1, 4: 2, 12: 2}
    written = Instances(labels, kinds)
    path = tmp_path / "c0_rois.zip"
    measured = measure(written, (1,) * len(shape))
    write_rois(path, written, measured, grouped=True)
    geometry = Geometry(shape=shape, spacing=(1.0,) * len(shape), unit="px")

    found = read(path, geometry, {1: "cell", 2: "debris"})

    there = np.unique(labels)
    assert np.array_equal(there[found.labels], labels)
    assert found.classes == {n: kinds[int(i)] for n, i in enumerate(there) if i}
