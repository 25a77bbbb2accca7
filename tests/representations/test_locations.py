"""Locations."""

import numpy as np
import torch

from autoseg.losses import LOSSES
from autoseg.networks._queries import LocationReader
from autoseg.representations.locations import Locations
from tests.representations.test_prototypes import CROSS, FLAT, crossing, wholes


def test_objects_that_cross_come_back_whole():
    made = Locations(2, locations=3)

    assert wholes(made.find(made.encode(crossing(), FLAT), FLAT)) == CROSS


def test_cells_that_tell_of_the_same_object_are_one_and_the_firmest_counts():
    made = Locations(2, locations=4)
    outputs = np.zeros((4, 20, 20), np.float32)
    outputs[0, 2:12, 2:12] = 0.7
    outputs[1, 2:12, 2:11] = 0.95
    outputs[2, 2:12, 8:18] = 0.8  # shares four of its ten columns
    outputs[3, 14:18, 2:18] = 0.55  # over a half, and not sure enough

    found = made.find({"locations": outputs}, FLAT)

    assert [round(score, 2) for _, score in found] == [0.95, 0.8]


def test_options_follow_the_data_set():
    measured = {
        "objects_per_image": {"p100": 40},
        "voxels_along": [10, 30],
        "least_voxels": 7,
        "layers": 3,
    }

    options = Locations.configure(measured)

    # Half again as many as the fullest image has; half of an object's 20 voxels.
    assert options == {"locations": 60, "scale": 10.0, "layers": 3, "least": 7}


def test_a_cell_learns_the_mask_of_the_object_that_it_lies_in():
    torch.manual_seed(0)
    made = Locations(2, locations=2, scale=4.0)
    (head,) = made.heads
    layers = np.zeros((2, 16, 16), np.int32)
    layers[0, 1:15, 6:10], layers[1, 6:10, 1:15] = 1, 2
    target = torch.from_numpy(made.targets(layers, FLAT)["locations"])[None]
    loss = LOSSES[head.loss.name](**head.loss.options)
    # Features that say which of the bars a voxel is in, and whether in any.
    features = torch.from_numpy(
        np.stack([layers[0] > 0, layers[1] > 0, (layers > 0).any(0)])
    )[None].float()
    levels = [features, torch.nn.functional.avg_pool2d(features, 2)]
    reader = LocationReader(3, 2, locations=2, scale=4.0)
    optimizer = torch.optim.Adam(reader.parameters(), 0.05)
    for _ in range(40):
        optimizer.zero_grad()
        output, looks = reader(levels)
        (loss(output, target) + loss(looks, target)).backward()
        optimizer.step()

    with torch.no_grad():
        maps = reader(levels)[0][0].sigmoid().numpy()
    found = made.find({"locations": maps}, FLAT)

    assert len(found) == 2
    for layer in layers:
        best = max(
            mask.inside[layer[mask.box] > 0].sum() / (mask.size + (layer > 0).sum())
            for mask, _ in found
        )
        assert best > 0.45  # of Dice, the half: each bar has a mask of its own
