"""What a small network learns of instances in little time, by representation.

Made images of touching disks, of bent rods that touch, or of rods that cross; the same
network, images and recipe for each representation, then AP on images of other seeds,
beside what annotations of these give by themselves (ceilings). Train for a number of
steps, for so much processor time, or for minutes of the clock::

    python benchmarks/instance_learning.py              # --iterations 300 --shapes rods
    python benchmarks/instance_learning.py --shapes crossing --seconds 600

In pieces, one representation a call, on quiet cores; then all as one table::

    python benchmarks/instance_learning.py --shapes crossing --images 200 \
        --only queries --minutes 20 --threads 2 --json found.json
    python benchmarks/instance_learning.py --table found.json
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
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
from autoseg.tasks.instance.trial import compared_masks, pool_trials, try_out
from autoseg.train.loop.criterion import Criterion

EDGE = 128
SPACING = (1.0, 1.0)
UNSEEN = range(1000, 1016)  # seeds of images that nothing is learned from
RATE = 4e-3


Until = Callable[[int], float]
"""From the steps that were done to which share of the training that is."""


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


def made_task(name: str, pairs: Sequence[tuple[Any, Instances]]) -> Any:
    """Return a task with a representation, as it is configured for annotations."""
    plain = TASKS["instance"](labels={"object": 1})
    pooled = plain.pool([plain.measure(found, SPACING) for _, found in pairs])
    choice = {"name": name, "options": REPRESENTATIONS[name].configure(pooled)}
    return TASKS["instance"](labels={"object": 1}, representation=choice)


def made_network(task: Any) -> Any:
    """Return a small U-Net with the heads of a task."""
    torch.manual_seed(0)
    body = NETWORKS["plain_unet"](
        1,
        {head.name: head.drawn for head in task.heads},
        dim=2,
        features=[8, 16, 32, 64],
        kernels=[[3, 3]] * 4,
        strides=[[1, 1]] + [[2, 2]] * 3,
        convs_encoder=[2] * 4,
        convs_decoder=[2] * 3,
    )
    return with_readers(body, task.heads, 2, True)


def ceiling(name: str, shapes: str) -> dict[str, Any]:
    """Return what annotations of the unseen images give by themselves."""
    plain = TASKS["instance"](labels={"object": 1})
    truths = [sample(shapes, seed)[1] for seed in UNSEEN]
    pooled = plain.pool([plain.measure(truth, SPACING) for truth in truths])
    trials = [try_out(plain.layers(truth), SPACING, pooled, [name]) for truth in truths]
    return dict(pool_trials(trials).get(name, {}))


def learn(name: str, shapes: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Train, predict other images, and return what was reached."""
    pairs = [sample(shapes, seed) for seed in range(arguments.images)]
    task = made_task(name, pairs)
    network = made_network(task)
    stored = [(image, task.stored(found)) for image, found in pairs]
    clock, processor = time.perf_counter(), time.process_time()
    loss, steps = train(network, task, stored, begin(arguments))
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    network.eval()
    network.deep_supervision = False
    trials, start = [], time.process_time()
    for seed in UNSEEN:
        image, found = sample(shapes, seed)
        masks = predicted(network, task, image)
        numbers = compared_masks(masks, task.layers(found))
        trials.append({name: {**numbers, "seconds": 0}})
    return {
        "shapes": shapes,
        "name": name,
        **{
            key: value
            for key, value in pool_trials(trials)[name].items()
            if key.startswith(("ap", "sq"))
        },
        "loss": round(loss, 4),
        "steps": steps,
        "minutes": round(clock / 60, 2),
        "processor_seconds": round(processor, 1),
        "threads": torch.get_num_threads(),
        "images": arguments.images,
        "predict_seconds": round((time.process_time() - start) / len(UNSEEN), 3),
        "ceiling": ceiling(name, shapes),
    }


def begin(arguments: argparse.Namespace) -> Until:
    """Return when a training ends; the time begins now."""
    clock, processor = time.perf_counter(), time.process_time()
    if arguments.minutes is not None:
        return lambda _: (time.perf_counter() - clock) / 60 / arguments.minutes
    if arguments.seconds is not None:
        return lambda _: (time.process_time() - processor) / arguments.seconds
    return lambda steps: steps / arguments.iterations


def train(network: Any, task: Any, stored: Any, until: Until) -> tuple[float, int]:
    """Train, and return the last loss and the steps."""
    criterion = Criterion(task, False, SPACING)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE)
    random = np.random.default_rng(0)
    done, loss = 0, torch.zeros(())
    while (share := until(done)) < 1:
        # Up for a tenth of the training, then down along a cosine.
        rate = min(share / 0.1, (1 + np.cos(np.pi * max(0.0, share - 0.1) / 0.9)) / 2)
        for group in optimizer.param_groups:
            group["lr"] = RATE * max(rate, 0.01)
        image, learned = drawn(task, stored, random)
        optimizer.zero_grad()
        loss = criterion(network(image), learned)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 12.0)
        optimizer.step()
        done += 1
    return loss.item(), done


def drawn(task: Any, stored: Any, random: np.random.Generator) -> tuple[Any, Any]:
    """Return four images, mirrored at random, and what is learned of them."""
    chosen = random.integers(0, len(stored), 4)
    flips = random.integers(0, 2, (4, 2))
    pairs = list(zip(chosen, flips, strict=True))
    image = np.stack([_flipped(stored[i][0], f) for i, f in pairs])
    found = []
    for i, f in pairs:
        kept = stored[i][1]
        shares = (kept.shares,) if isinstance(kept, Arranged) else ()
        codes = kept.codes if isinstance(kept, Arranged) else kept
        found.append(task.targets(_flipped(codes, f), SPACING, *shares))
    learned = {
        head: torch.from_numpy(np.stack([one[head] for one in found]))
        for head in found[0]
    }
    return torch.from_numpy(image), learned


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


def row(found: dict[str, Any]) -> str:
    """Return a line of what was reached."""
    at = " / ".join(f"{found[f'ap_{t}']:.3f}" for t in (50, 70, 90))
    own = found["ceiling"]
    most = own.get("most", own.get("ap", float("nan")))
    each = 1000 * found["processor_seconds"] / max(1, found["steps"])
    return (
        f"{found['shapes']:8} {found['name']:14} {at}  mean {found['ap']:.3f} of "
        f"{most:.3f}  SQ {found['sq']:.3f}  loss {found['loss']:.3f}  "
        f"{found['steps']} steps in {found['minutes']:.1f} min, {each:.0f} ms of "
        f"processor time each; {found['predict_seconds']:.2f} s an image"
    )


def known(path: Path | None) -> list[dict[str, Any]]:
    """Return what a file of results has so far."""
    if path is None or not path.exists():
        return []
    found: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Train with each representation, and print what it reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--seconds", type=float, help="of processor time")
    parser.add_argument("--minutes", type=float, help="of the clock")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--shapes", nargs="+", default=["disks", "rods", "crossing"])
    parser.add_argument("--only", nargs="+", default=REPRESENTATIONS.names())
    parser.add_argument("--json", type=Path, help="results are added to this file")
    parser.add_argument("--table", type=Path, help="print the results of a file")
    arguments = parser.parse_args(argv)
    if arguments.table is not None:
        for found in sorted(
            known(arguments.table), key=lambda one: (one["shapes"], -one["ap"])
        ):
            print(row(found))
        return
    torch.set_num_threads(arguments.threads)
    for shapes in arguments.shapes:
        for name in arguments.only:
            found = learn(name, shapes, arguments)
            print(row(found), flush=True)
            if arguments.json is not None:
                every = [*known(arguments.json), found]
                arguments.json.write_text(json.dumps(every, indent=1), "utf-8")


if __name__ == "__main__":
    main()
