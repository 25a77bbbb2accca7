"""What a small network learns of instances in a few hundred steps, by representation.

Made images of touching disks or of bent rods that touch; the same network, images and
recipe for each representation, then AP on images of other seeds. One core is enough::

    python benchmarks/instance_learning.py              # --iterations 300 --shapes rods
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from instance_ceilings import bent_rods
from scipy import ndimage

from autoseg.networks import NETWORKS
from autoseg.representations import REPRESENTATIONS
from autoseg.representations.maps import numbered
from autoseg.tasks import TASKS
from autoseg.tasks.instance.sizes import measure_instances, pool_instances
from autoseg.tasks.instance.trial import compared, pool_trials
from autoseg.train.loop.criterion import Criterion

EDGE = 128
SPACING = (1.0, 1.0)


def disks(seed: int) -> Any:
    """Return ids of disks that touch, each cut by those in front of it."""
    random = np.random.default_rng(seed)
    rows, columns = np.indices((EDGE, EDGE))
    labels = np.zeros((EDGE, EDGE), np.int32)
    for number in range(1, 31):
        at, radius = random.uniform(0, EDGE, 2), random.uniform(7, 12)
        disk = np.hypot(rows - at[0], columns - at[1]) <= radius
        if (labels[disk] > 0).mean() < 0.2:
            labels[disk & (labels == 0)] = number
    return labels


def sample(shapes: str, seed: int) -> tuple[Any, Any]:
    """Return an image (1, H, W) and its ids: uneven brightness, blur and noise."""
    labels = disks(seed) if shapes == "disks" else bent_rods(seed, (EDGE, EDGE))
    labels, count = numbered(labels)
    random = np.random.default_rng(seed)
    bright = np.concatenate([[0.0], random.uniform(0.6, 1.4, count)])[labels]
    image = ndimage.gaussian_filter(bright, 1.0) + random.normal(0, 0.15, bright.shape)
    return ((image - image.mean()) / image.std())[None].astype(np.float32), labels


def learn(name: str, shapes: str, iterations: int, images: int) -> None:
    """Train, predict other images, and print a row."""
    pairs = [sample(shapes, seed) for seed in range(images)]
    pooled = pool_instances([measure_instances(ids, SPACING) for _, ids in pairs])
    kind = REPRESENTATIONS[name]
    options = kind.configure(pooled)
    choice = {"name": name, "options": options}
    task = TASKS["instance"](labels={"object": 1}, representation=choice)
    torch.manual_seed(0)
    network = NETWORKS["plain_unet"](
        1,
        {head.name: head.channels for head in task.heads},
        dim=2,
        features=[8, 16, 32, 64],
        kernels=[[3, 3]] * 4,
        strides=[[1, 1]] + [[2, 2]] * 3,
        convs_encoder=[2] * 4,
        convs_decoder=[2] * 3,
    )
    criterion = Criterion(task, False, SPACING)
    optimizer = torch.optim.AdamW(network.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, iterations)
    random = np.random.default_rng(0)
    start = time.process_time()
    for _ in range(iterations):
        drawn = [pairs[i] for i in random.integers(0, images, 4)]
        flips = random.integers(0, 2, (4, 2))
        image = np.stack(
            [_flipped(i, f) for (i, _), f in zip(drawn, flips, strict=True)]
        )
        ids = np.stack([_flipped(d, f) for (_, d), f in zip(drawn, flips, strict=True)])
        optimizer.zero_grad()
        loss = criterion(network(torch.from_numpy(image)), torch.from_numpy(ids))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 12.0)
        optimizer.step()
        schedule.step()
    seconds = time.process_time() - start
    network.eval()
    trials = []
    for seed in range(1000, 1016):
        image, ids = sample(shapes, seed)
        with torch.no_grad():
            logits = network(torch.from_numpy(image[None]))
        outputs = {}
        for head in task.heads:
            values = logits[head.name][0]
            if head.activation != "identity":
                soft = head.activation == "softmax"
                values = values.softmax(0) if soft else values.sigmoid()
            outputs[head.name] = values.numpy()
        found = task.decode(outputs, SPACING)
        trials.append({name: {**compared(found.labels, ids), "seconds": 0.0}})
    reached = pool_trials(trials)[name]
    row = " / ".join(f"{reached[f'ap_{t}']:.3f}" for t in (50, 70, 90))
    print(
        f"{shapes:6} {name:14} {row}  mean {reached['ap']:.3f}  "
        f"SQ {reached['sq']:.3f}  loss {loss.item():.3f}  "
        f"{1000 * seconds / iterations:.0f} ms/iteration",
        flush=True,
    )


def _flipped(array: Any, axes: Any) -> Any:
    return np.ascontiguousarray(np.flip(array, [-1 - a for a in np.flatnonzero(axes)]))


def main(argv: Sequence[str] | None = None) -> None:
    """Train with each representation, and print what it reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--shapes", nargs="+", default=["disks", "rods"])
    parser.add_argument("--only", nargs="+", default=REPRESENTATIONS.names())
    arguments = parser.parse_args(argv)
    for shapes in arguments.shapes:
        for name in arguments.only:
            learn(name, shapes, arguments.iterations, arguments.images)


if __name__ == "__main__":
    main()
