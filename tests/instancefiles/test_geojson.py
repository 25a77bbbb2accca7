import json

import numpy as np

from autoseg.instancefiles.geojson import write_geojson
from autoseg.instancefiles.measure import measure
from autoseg.spec.instances import Instances


def _written(tmp_path, instances, spacing):
    write_geojson(
        tmp_path / "a.geojson",
        instances,
        measure(instances, spacing),
        classes={1: "cell"},
    )
    return json.loads((tmp_path / "a.geojson").read_text())["features"]


def test_an_instance_is_a_closed_polygon_in_pixels(tmp_path):
    labels = np.zeros((6, 8), np.int32)
    labels[1:3, 2:6] = 4

    (feature,) = _written(tmp_path, Instances(labels, scores={4: 0.5}), (0.5, 0.5))

    assert feature["geometry"]["type"] == "Polygon"
    assert feature["geometry"]["coordinates"] == [
        [[2, 1], [6, 1], [6, 3], [2, 3], [2, 1]]
    ]
    assert feature["properties"] == {
        "objectType": "detection",
        "name": "4",
        "classification": {"name": "cell"},
        "measurements": {"size": 2.0, "score": 0.5},
    }


def test_pieces_and_holes_are_kept(tmp_path):
    labels = np.zeros((6, 9), np.int32)
    labels[1:4, 1:4] = labels[1, 6] = 1
    labels[2, 2] = 0

    (feature,) = _written(tmp_path, Instances(labels), (1.0, 1.0))

    assert feature["geometry"]["type"] == "MultiPolygon"
    assert [len(rings) for rings in feature["geometry"]["coordinates"]] == [1, 2] or [
        len(rings) for rings in feature["geometry"]["coordinates"]
    ] == [2, 1]


def test_a_volume_has_a_feature_for_each_slice(tmp_path):
    labels = np.zeros((4, 5, 5), np.int32)
    labels[1:3, 1:3, 1:3] = 1

    features = _written(tmp_path, Instances(labels), (1.0, 1.0, 1.0))

    assert [f["geometry"]["plane"]["z"] for f in features] == [1, 2]
