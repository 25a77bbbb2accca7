"""GeoJSON: polygons, holes, several pieces, classes, planes; and what we write."""

import json

import numpy as np
import pytest

from autoseg.errors import FormatError
from autoseg.instancefiles.geojson import write_geojson
from autoseg.instancefiles.measure import measure
from autoseg.instancefiles.readers.base import content_of, read_objects, remarks_of
from autoseg.spec.image import Geometry
from autoseg.spec.instances import Instances
from tests.instancefiles.readers.outlines import blob, inside

SHAPE = (40, 50)
PICTURE = Geometry(shape=SHAPE, spacing=(1.0, 1.0), unit="px")
VOLUME = Geometry(shape=(5, *SHAPE), spacing=(1.0, 1.0, 1.0), unit="px")
LABELS = {1: "cell", 2: "debris"}


def closed(ring):
    return [[*corner] for corner in (*ring, ring[0])]


def feature(geometry, kind="cell", **properties):
    if kind is not None:
        properties["classification"] = {"name": kind, "color": [200, 0, 0]}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def polygon(*rings, z=None):
    found = {"type": "Polygon", "coordinates": [closed(ring) for ring in rings]}
    return found if z is None else found | {"plane": {"c": -1, "z": z, "t": 0}}


def write(path, content):
    path.write_text(json.dumps(content))
    return path


def collection(*features):
    return {"type": "FeatureCollection", "features": list(features)}


@pytest.mark.parametrize("name", ["c0.geojson", "c0.json"])
@pytest.mark.parametrize("seed", range(4))
def test_a_pixel_is_inside_if_its_middle_is(tmp_path, name, seed):
    ring = blob((24, 19), 15, seed=seed)
    path = write(tmp_path / name, collection(feature(polygon(ring))))

    found = read_objects(path, "c0", LABELS, PICTURE)

    assert np.array_equal(found.labels == 1, inside(ring, SHAPE))
    assert found.classes == {1: 1}


def test_classes_that_labels_lacks_are_named_with_those_that_it_has(tmp_path):
    square = polygon([(2, 2), (8, 2), (8, 8), (2, 8)])
    kinds = ("cell", "Immune cells", "Debri", "Debri")
    content = collection(*(feature(square, kind) for kind in kinds))
    path = write(tmp_path / "c0.geojson", content)

    with pytest.raises(FormatError) as caught:
        read_objects(path, "c0", LABELS, PICTURE)

    said = str(caught.value)
    assert str(path) in said and "1 (cell), 2 (debris)" in said
    assert "the class 'Immune cells' (1 object), the class 'Debri' (2 objects)" in said
    assert said.endswith(" Did you mean 'debris'?")


def test_holes_are_no_part_of_the_object(tmp_path):
    outer, hole = blob((24, 19), 17, 30), blob((24, 19), 5, 12, seed=3)
    path = write(tmp_path / "c0.geojson", collection(feature(polygon(outer, hole))))

    found = read_objects(path, "c0", LABELS, PICTURE)

    wanted = inside(outer, SHAPE) & ~inside(hole, SHAPE)
    assert np.array_equal(found.labels == 1, wanted)


@pytest.mark.parametrize("kind", ["MultiPolygon", "GeometryCollection"])
def test_several_pieces_are_one_object(tmp_path, kind):
    one, two = blob((12, 12), 9), blob((36, 28), 8, seed=2)
    if kind == "MultiPolygon":
        geometry = {"type": kind, "coordinates": [[closed(one)], [closed(two)]]}
    else:
        geometry = {"type": kind, "geometries": [polygon(one), polygon(two)]}
    path = write(tmp_path / "c0.geojson", collection(feature(geometry, "debris")))

    found = read_objects(path, "c0", LABELS, PICTURE)

    assert np.array_equal(found.labels == 1, inside(one, SHAPE) | inside(two, SHAPE))
    assert found.classes == {1: 2}


@pytest.mark.parametrize("form", ["list", "feature", "geometry"])
def test_a_list_or_one_alone_is_enough(tmp_path, form):
    ring = blob((24, 19), 15)
    one = feature(polygon(ring))
    content = {"list": [one], "feature": one, "geometry": polygon(ring)}[form]
    path = write(tmp_path / "c0.geojson", content)

    found = read_objects(path, "c0", {1: "cell"}, PICTURE)

    assert np.array_equal(found.labels == 1, inside(ring, SHAPE))


def test_names_of_a_picture_do_not_join_objects(tmp_path):
    rings = blob((12, 12), 9), blob((36, 28), 8)
    features = [feature(polygon(ring, z=0), name="PathObject") for ring in rings]
    path = write(tmp_path / "c0.geojson", collection(*features))

    assert read_objects(path, "c0", LABELS, PICTURE).labels.max() == 2


def test_where_qupath_detected_is_no_object(tmp_path):
    def drawn(kind, left, top, right, bottom, name="cell"):
        ring = (left, top), (right, top), (right, bottom), (left, bottom)
        return feature(polygon(ring), name, objectType=kind)

    cells = [drawn("detection", 9 * i, 4, 9 * i + 4, 9) for i in range(4)]
    around = drawn("annotation", 0, 0, 30, 40, None)  # the middles of three
    by_hand = drawn("annotation", 27, 4, 33, 30)  # the middle of one
    path = write(tmp_path / "c0.geojson", collection(around, by_hand, *cells))

    found = read_objects(path, "c0", LABELS, PICTURE)

    assert list(found.names.values()) == [f"feature {n}" for n in (2, 3, 4, 5, 6)]
    assert (found.labels > 0).sum() == 3 * 20 + 6 * 26  # the fourth covers a part of it
    (remark,) = remarks_of(path, LABELS)
    assert remark.found.startswith("1 annotation in which QuPath detected")
    broken = feature({"type": "Polygon", "coordinates": [[[1], [2], [3]]]}, None)
    odd = write(tmp_path / "c3.geojson", collection(around, *cells, broken))
    assert len(content_of(odd).remarks) == 1  # the corners are told when it is drawn
    gland = drawn("annotation", 0, 0, 30, 40, "debris")  # a class that is meant
    meant = write(tmp_path / "c2.geojson", collection(gland, *cells))
    assert len(read_objects(meant, "c2", LABELS, PICTURE).names) == 5
    alone = write(tmp_path / "c1.geojson", collection(around, by_hand))
    assert len(read_objects(alone, "c1", {1: "cell"}, PICTURE).names) == 2


def test_planes_of_one_name_are_one_object_of_a_volume(tmp_path):
    ring, other = blob((12, 12), 9), blob((36, 28), 8)
    path = write(
        tmp_path / "c0.geojson",
        collection(
            feature(polygon(ring, z=1), name="a"),
            feature(polygon(other, z=1), name="b"),
            feature(polygon(other, z=2), name="a"),
        ),
    )

    labels = read_objects(path, "c0", LABELS, VOLUME).labels

    assert np.array_equal(labels[1] == 1, inside(ring, SHAPE))
    assert np.array_equal(labels[1] == 2, inside(other, SHAPE))
    assert np.array_equal(labels[2] == 1, inside(other, SHAPE))
    assert not labels[[0, 3, 4]].any()


@pytest.mark.parametrize(
    "content, geometry, words",
    [
        (collection(feature({"type": "Point", "coordinates": [3, 4]})), PICTURE, "Poi"),
        (collection(feature(None)), PICTURE, "feature 1: its geometry is missing"),
        (collection(feature(polygon([(0, 0)]))), PICTURE, "three corners"),
        (collection(feature(polygon(blob((9, 9), 5), z=3))), PICTURE, "plane 3"),
        (collection(feature(polygon(blob((9, 9), 5), z=5))), VOLUME, "there are 5"),
        (
            collection(feature(polygon(blob((9, 9), 5)))),
            VOLUME,
            "which of the 5 planes",
        ),
        (
            collection(*(feature(polygon(blob((9, 9), 5), z=z)) for z in (0, 1))),
            VOLUME,
            "of which object it is a plane",
        ),
        (collection(feature(polygon(blob((9, 9), 5)), "Zelle")), PICTURE, "'Zelle'"),
    ],
)
def test_what_cannot_be_drawn_is_named(tmp_path, content, geometry, words):
    path = write(tmp_path / "c0.geojson", content)

    with pytest.raises(FormatError, match=words):
        read_objects(path, "c0", LABELS, geometry)


@pytest.mark.parametrize("shape", [(14, 16), (3, 14, 16)])
@pytest.mark.parametrize("seed", range(3))
def test_what_we_write_is_read_to_the_pixel(tmp_path, shape, seed):
    random = np.random.default_rng(seed)
    labels = random.choice([0, 0, 3, 4, 9], shape).astype(np.int32)
    kinds = {3: 1, 4: 2, 9: 1}
    written = Instances(labels, kinds)
    path = tmp_path / "c0.geojson"
    write_geojson(path, written, measure(written, (1,) * len(shape)), classes=LABELS)
    geometry = Geometry(shape=shape, spacing=(1.0,) * len(shape), unit="px")

    found = read_objects(path, "c0", LABELS, geometry)

    assert np.array_equal(found.labels, np.searchsorted([0, 3, 4, 9], labels))
    assert found.classes == {1: 1, 2: 2, 3: 1}
