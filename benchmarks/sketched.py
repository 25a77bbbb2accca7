"""What is learnt of instances from boxes and from points, beside their outlines.

Made-up cells (`autoseg/phantoms/cells.py`, a third of them bent) or disks that touch:
the same small network, the same pictures and as many steps, whatever marks the objects;
AP of the true outlines in pictures of other seeds. `--inner` tries what part of an
ellipse is learnt as the object::

    python benchmarks/sketched.py --iterations 250
    python benchmarks/sketched.py --only points --inner 0.6 0.8 1.0
"""

from __future__ import annotations

import argparse
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from instance_learning import (
    SPACING,
    UNSEEN,
    begin,
    made_network,
    predicted,
    sample,
    train,
)
from scipy.ndimage import find_objects

from autoseg.phantoms.cells import make_cells
from autoseg.representations import REPRESENTATIONS
from autoseg.spec.arrays.masks import Mask
from autoseg.spec.arrays.overlaps import painted
from autoseg.spec.instances import Instances
from autoseg.tasks import TASKS
from autoseg.tasks.instance import sketched
from autoseg.tasks.instance.trial import compared_masks, pool_trials

NAME = "flow_distance"


def picture(shapes: str, seed: int) -> tuple[Any, Instances]:
    """Return an image (1, H, W) and its objects as they are."""
    if shapes != "cells":
        return sample(shapes, seed)
    made = make_cells(0, seed)
    image = (made.image - made.image.mean()) / made.image.std()
    return image[None].astype(np.float32), Instances(made.ids)


def marked(true: Instances, drawn: str, diameter: float) -> Instances:
    """Return objects as somebody marks them, and as they are learnt from."""
    if drawn == sketched.OUTLINES:
        return true
    masks = []
    for number, box in enumerate(find_objects(true.labels), 1):
        if box is None:
            continue
        inside = true.labels[box] == number
        start = np.array([part.start for part in box])
        if drawn == sketched.BOXES:
            masks.append((number, Mask(tuple(start), np.ones_like(inside))))
            continue
        places = np.argwhere(inside)
        middle = places[np.square(places - places.mean(0)).sum(1).argmin()]
        masks.append((number, Mask(tuple(start + middle), np.ones((1, 1), bool))))
    labels, shared = painted(true.shape, masks)
    sketch = sketched.Sketch(drawn, diameter)
    return sketched.sketched(Instances(labels, masks=shared), sketch, SPACING)


def learn(shapes: str, drawn: str, arguments: argparse.Namespace) -> dict[str, float]:
    """Train on marks, predict other pictures, and return what was reached."""
    plain = TASKS["instance"](labels={"object": 1})
    pairs = [picture(shapes, seed) for seed in range(arguments.images)]
    sizes = [plain.object_sizes(found, SPACING) for _, found in pairs]
    diameter = float(np.median(np.sqrt(np.concatenate(sizes) * 4 / np.pi)))
    learnt = [(image, marked(true, drawn, diameter)) for image, true in pairs]
    pooled = plain.pool([plain.measure(found, SPACING) for _, found in learnt])
    choice = {"name": NAME, "options": REPRESENTATIONS[NAME].configure(pooled)}
    task = TASKS["instance"](
        labels={"object": 1}, representation=choice, ignored="ignored" in pooled
    )
    network = made_network(task)
    stored = [(image, task.stored(found)) for image, found in learnt]
    train(network, task, stored, begin(arguments))
    network.eval()
    trials = []
    for seed in UNSEEN:
        image, true = picture(shapes, seed)
        found = compared_masks(predicted(network, task, image), plain.layers(true))
        trials.append({NAME: {**found, "seconds": 0}})
    return {**pool_trials(trials)[NAME], "open": pooled.get("ignored", 0.0)}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=250)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--shapes", nargs="+", default=["cells"])
    parser.add_argument("--only", nargs="+", default=list(sketched.WAYS))
    parser.add_argument("--inner", type=float, nargs="+")
    arguments = parser.parse_args()
    arguments.minutes = arguments.seconds = None
    torch.set_num_threads(1)
    for shapes in arguments.shapes:
        for drawn in arguments.only:
            plain = drawn == sketched.OUTLINES
            for part in [0] if plain else arguments.inner or [sketched.INNER[drawn]]:
                with patch.dict(sketched.INNER, {drawn: part}):
                    found = learn(shapes, drawn, arguments)
                at = " / ".join(f"{found[f'ap_{t}']:.3f}" for t in (50, 70, 90))
                print(
                    f"{shapes:6} {drawn:8} {part:.1f}  AP at 0.5 / 0.7 / 0.9 {at}, "
                    f"mean {found['ap']:.3f}; {found['open']:.1%} left open",
                    flush=True,
                )


if __name__ == "__main__":
    main()
