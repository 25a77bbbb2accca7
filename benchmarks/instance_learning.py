"""What a small network learns of instances in a few hundred steps, by representation.

Made images of touching disks, of bent rods that touch, or of rods that cross; the same
network, images and recipe for each representation, then AP on images of other seeds.
With ``--seconds``, each is trained for that much processor time. One core is enough::

    python benchmarks/instance_learning.py              # --iterations 300 --shapes rods
    python benchmarks/instance_learning.py --shapes crossing --seconds 600
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
from autoseg.networks._reading import with_readers
from autoseg.phantoms.rods import make_rods
from autoseg.representations import REPRESENTATIONS
from autoseg.representations.base import Overlapping, masks_in
from autoseg.representations.maps import numbered
from autoseg.spec.arrays.overlaps import Mask
from autoseg.spec.instances import Arranged, Instances
from autoseg.tasks import TASKS
from autoseg.tasks.instance.trial import compared_masks, pool_trials
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


def sample(shapes: str, seed: int) -> tuple[Any, Instances]:
    """Return an image (1, H, W) and its objects: uneven brightness, blur and noise."""
    if shapes == "crossing":
        made = make_rods(0, seed, EDGE)
        bright = made.image
        found = made.instances
    else:
        labels = disks(seed) if shapes == "disks" else bent_rods(seed, (EDGE, EDGE))
        labels, count = numbered(labels)
        random = np.random.default_rng(seed)
        bright = np.concatenate([[0.0], random.uniform(0.6, 1.4, count)])[labels]
        bright = ndimage.gaussian_filter(bright, 1.0) + random.normal(
            0, 0.15, bright.shape
        )
        found = Instances(labels)
    image = (bright - bright.mean()) / bright.std()
    return image[None].astype(np.float32), found


def learn(
    name: str, shapes: str, iterations: int, images: int, seconds: float | None
) -> None:
    """Train, predict other images, and print a row."""
    pairs = [sample(shapes, seed) for seed in range(images)]
    plain = TASKS["instance"](labels={"object": 1})
    pooled = plain.pool([plain.measure(found, SPACING) for _, found in pairs])
    kind = REPRESENTATIONS[name]
    options = kind.configure(pooled)
    choice = {"name": name, "options": options}
    task = TASKS["instance"](labels={"object": 1}, representation=choice)
    torch.manual_seed(0)
    network = with_readers(
        NETWORKS["plain_unet"](
            1,
            {head.name: head.drawn for head in task.heads},
            dim=2,
            features=[8, 16, 32, 64],
            kernels=[[3, 3]] * 4,
            strides=[[1, 1]] + [[2, 2]] * 3,
            convs_encoder=[2] * 4,
            convs_decoder=[2] * 3,
        ),
        task.heads,
        2,
        True,
    )
    stored = [(image, task.stored(found)) for image, found in pairs]
    loss, spent, done = train(network, task, stored, iterations, seconds)
    network.eval()
    network.deep_supervision = False
    trials = []
    for seed in range(1000, 1016):
        image, found = sample(shapes, seed)
        masks = predicted(network, task, image)
        trials.append(
            {name: {**compared_masks(masks, task.layers(found)), "seconds": 0}}
        )
    reached = pool_trials(trials)[name]
    row = " / ".join(f"{reached[f'ap_{t}']:.3f}" for t in (50, 70, 90))
    print(
        f"{shapes:8} {name:14} {row}  mean {reached['ap']:.3f}  "
        f"SQ {reached['sq']:.3f}  loss {loss:.3f}  {done} iterations, "
        f"{1000 * spent / done:.0f} ms of processor time each",
        flush=True,
    )


def train(
    network: Any, task: Any, stored: Any, iterations: int, seconds: float | None
) -> tuple[float, float, int]:
    """Train, and return the last loss, the processor time and the iterations."""
    criterion = Criterion(task, False, SPACING)
    optimizer = torch.optim.AdamW(network.parameters(), lr=4e-3)
    random = np.random.default_rng(0)
    start = time.process_time()
    done, share, loss = 0, 0.0, torch.zeros(())
    while share < 1:
        # Up for a tenth of the training, then down along a cosine.
        rate = min(share / 0.1, (1 + np.cos(np.pi * max(0.0, share - 0.1) / 0.9)) / 2)
        for group in optimizer.param_groups:
            group["lr"] = 4e-3 * max(rate, 0.01)
        chosen = random.integers(0, len(stored), 4)
        flips = random.integers(0, 2, (4, 2))
        image = np.stack(
            [_flipped(stored[i][0], f) for i, f in zip(chosen, flips, strict=True)]
        )
        found = []
        for i, f in zip(chosen, flips, strict=True):
            kept = stored[i][1]
            shares = (kept.shares,) if isinstance(kept, Arranged) else ()
            codes = kept.codes if isinstance(kept, Arranged) else kept
            found.append(task.targets(_flipped(codes, f), SPACING, *shares))
        learned = {
            head: torch.from_numpy(np.stack([one[head] for one in found]))
            for head in found[0]
        }
        optimizer.zero_grad()
        loss = criterion(network(torch.from_numpy(image)), learned)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 12.0)
        optimizer.step()
        done += 1
        spent = time.process_time() - start
        share = done / iterations if seconds is None else spent / seconds
    return loss.item(), time.process_time() - start, done


def predicted(network: Any, task: Any, image: Any) -> list[Mask]:
    """Return the masks of the objects that a network finds."""
    with torch.no_grad():
        logits = network(torch.from_numpy(image[None]))
    outputs = {}
    for head in task.heads:
        values = logits[head.name][0]
        if head.activation != "identity":
            soft = head.activation == "softmax"
            values = values.softmax(0) if soft else values.sigmoid()
        outputs[head.name] = values.numpy()
    made = task.representation
    if isinstance(made, Overlapping):
        return [mask for mask, _ in made.find(outputs, SPACING)]
    found, _ = made.decode(outputs, SPACING)
    return [mask for _, mask in masks_in(found[None])]


def _flipped(array: Any, axes: Any) -> Any:
    return np.ascontiguousarray(np.flip(array, [-1 - a for a in np.flatnonzero(axes)]))


def main(argv: Sequence[str] | None = None) -> None:
    """Train with each representation, and print what it reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--seconds", type=float, help="of processor time")
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--shapes", nargs="+", default=["disks", "rods", "crossing"])
    parser.add_argument("--only", nargs="+", default=REPRESENTATIONS.names())
    arguments = parser.parse_args(argv)
    for shapes in arguments.shapes:
        for name in arguments.only:
            learn(
                name,
                shapes,
                arguments.iterations,
                arguments.images,
                arguments.seconds,
            )


if __name__ == "__main__":
    main()
