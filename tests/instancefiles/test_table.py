import csv

import numpy as np

from autoseg.instancefiles.measure import measure
from autoseg.instancefiles.table import write_table
from autoseg.spec.instances import Instances


def test_each_instance_has_a_row(tmp_path):
    labels = np.zeros((6, 8), np.int32)
    labels[1:3, 2:6], labels[5, 7] = 1, 2
    image = np.arange(48, dtype=np.float32).reshape(1, 6, 8)
    found = measure(Instances(labels, {2: 3}, {1: 0.87654}), (0.5, 0.25), image)

    write_table(
        tmp_path / "a.csv", found, unit="um", classes={1: "cell"}, channels=["dapi"]
    )

    with (tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {
            "id": "1", "class": "cell", "score": "0.8765", "size_um2": "1",
            "first_y": "1", "first_x": "2", "last_y": "2", "last_x": "5",
            "centroid_y": "1.50", "centroid_x": "3.50",
            "mean_dapi": "15.5", "at_border": "0",
        },
        {
            "id": "2", "class": "3", "score": "", "size_um2": "0.125",
            "first_y": "5", "first_x": "7", "last_y": "5", "last_x": "7",
            "centroid_y": "5.00", "centroid_x": "7.00",
            "mean_dapi": "47", "at_border": "1",
        },
    ]  # fmt: skip


def test_a_volume_has_three_axes(tmp_path):
    found = measure(Instances(np.ones((2, 3, 4), np.int32)), (2.0, 1.0, 1.0))

    write_table(tmp_path / "a.csv", found, unit="mm", classes={1: "cell"})

    header, row = (tmp_path / "a.csv").read_text().splitlines()
    assert header.startswith("id,class,score,size_mm3,first_z,first_y,first_x,last_z")
    assert row == "1,cell,,48,0,0,0,1,2,3,0.50,1.00,1.50,1"
