"""A network learns to find objects from their boxes."""

import numpy as np
import torch

from autoseg.networks import NETWORKS
from autoseg.spec.instances import Instances
from autoseg.tasks import TASKS
from autoseg.tasks.instance.sketched import Sketch, sketched
from autoseg.train.loop.criterion import Criterion

EDGE, SPACING = 48, (1.0, 1.0)


def disks(seed):
    """Return a picture of four bright disks on noise, their ids, and their boxes."""
    random = np.random.default_rng(seed)
    rows, columns = np.indices((EDGE, EDGE))
    ids, boxes = np.zeros((2, EDGE, EDGE), np.int32)
    corners = [(12, 12), (12, 36), (36, 12), (36, 36)]
    for number, corner in enumerate(corners, 1):
        y, x = random.integers(-3, 4, 2) + corner
        radius = int(random.integers(5, 8))
        ids[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = number
        boxes[y - radius : y + radius + 1, x - radius : x + radius + 1] = number
    image = (ids > 0) * 2.0 + random.normal(0, 0.3, ids.shape)
    return image[None].astype(np.float32), ids, boxes


def test_disks_are_found_by_a_network_that_was_shown_boxes():
    task = TASKS["instance"](labels={"cell": 1}, ignored=True)
    torch.manual_seed(0)
    network = NETWORKS["plain_unet"](
        1,
        {head.name: head.drawn for head in task.heads},
        dim=2,
        features=[8, 16],
        kernels=[[3, 3]] * 2,
        strides=[[1, 1], [2, 2]],
        convs_encoder=[1, 1],
        convs_decoder=[1],
    )
    criterion = Criterion(task, False, SPACING)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-2)
    for step in range(40):
        image, _, boxes = disks(step)
        marked = sketched(Instances(boxes), Sketch("boxes"), SPACING)
        targets = task.targets(task.stored(marked), SPACING)
        learned = {name: torch.from_numpy(one[None]) for name, one in targets.items()}
        optimizer.zero_grad()
        criterion(network(torch.from_numpy(image[None])), learned).backward()
        optimizer.step()

    image, ids, _ = disks(1000)
    with torch.no_grad():
        found = network(torch.from_numpy(image[None]))["foreground"][0, -1]
    inside = found.numpy() > 0
    both = (inside & (ids > 0)).sum()

    # Nothing would be 0, all of the picture about 0.2.
    assert both / (inside | (ids > 0)).sum() > 0.6
