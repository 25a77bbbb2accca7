"""What a small network learns of instances in little time, by representation.

Made images of touching disks, of bent rods that touch, or of rods that cross; the same
network, images and recipe for each representation, then AP on images of other seeds,
beside what annotations of these give by themselves (ceilings). Train for a number of
steps, for so much processor time, or for minutes of the clock::

    python benchmarks/instance_learning.py              # --iterations 300 --shapes rods
    python benchmarks/instance_learning.py --shapes crossing --seconds 600

Of a data set, crops of its pictures, and others to be found in pictures that nothing
is learned from::

    python benchmarks/instance_learning.py --shapes DATASET --images 200 --seconds 420

In pieces, one representation a call, on quiet cores; then all as one table::

    python benchmarks/instance_learning.py --shapes crossing --images 200 \
        --only queries --minutes 20 --threads 2 --json found.json
    python benchmarks/instance_learning.py --table found.json
"""

from __future__ import annotations

import argparse
import functools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from instance_ceilings import bent_rods
from scipy import ndimage

from autoseg.datasets.annotations import read_annotation
from autoseg.datasets.read import load_dataset
from autoseg.formats.base import read_image
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
MADE = ("disks", "rods", "crossing")
HELD_OUT = 40  # pictures of a data set
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
    if shapes not in MADE:
        bright, found = crop(shapes, seed)
    elif shapes == "crossing":
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
    image = (bright - bright.mean()) / (bright.std() or 1)  # 0: a crop of nothing
    return image[None].astype(np.float32), found


@functools.lru_cache(maxsize=1)
def opened(folder: str) -> tuple[Any, list[Any]]:
    """Return a data set of instances, and its training cases in a drawn order."""
    dataset = load_dataset(Path(folder))
    order = np.random.default_rng(0).permutation(len(dataset.training))
    return dataset, [dataset.training[i] for i in order.tolist()]


def crop(folder: str, seed: int) -> tuple[Any, Instances]:
    """Return a piece (H, W) of a picture, the mean of its channels, and its objects.

    The first `HELD_OUT` pictures are for the seeds of `UNSEEN`.
    """
    dataset, cases = opened(folder)
    held = seed >= UNSEEN.start
    some = cases[:HELD_OUT] if held else cases[HELD_OUT:]
    case = some[(seed - UNSEEN.start if held else seed) % len(some)]
    task = TASKS["instance"](**TASKS["instance"].from_dataset(dataset))
    bright = read_image(case, dataset).array.mean(0)
    annotation, _ = read_annotation(case.annotation, dataset, task, case_id=case.id)
    labels = task.to_map(annotation)
    random = np.random.default_rng(seed)
    room = [max(0, size - EDGE) for size in labels.shape]
    low = [int(random.integers(0, most + 1)) for most in room]
    box = tuple(slice(start, start + EDGE) for start in low)
    wide = [(0, EDGE - min(EDGE, size)) for size in labels.shape]
    bright = np.pad(bright[box], wide, "reflect")
    return bright, Instances(numbered(np.pad(labels[box], wide))[0])


def made_task(
    name: str, pairs: Sequence[tuple[Any, Instances]], given: Mapping[str, str]
) -> Any:
    """Return a task with a representation, as it is configured but for some options."""
    plain = TASKS["instance"](labels={"object": 1})
    pooled = plain.pool([plain.measure(found, SPACING) for _, found in pairs])
    own = {key: json.loads(value) for key, value in given.items()}
    options = {**REPRESENTATIONS[name].configure(pooled), **own}
    choice = {"name": name, "options": options}
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


def ceiling(task: Any, unseen: Sequence[tuple[Any, Instances]]) -> dict[str, Any]:
    """Return what annotations of the unseen images give by themselves."""
    made, name = task.representation, task.decoding_name
    plain = TASKS["instance"](labels={"object": 1})
    pooled = plain.pool([plain.measure(truth, SPACING) for _, truth in unseen])
    trials = []
    for _, truth in unseen:
        layers = plain.layers(truth)
        if isinstance(made, Overlapping):
            again = made.find(made.encode(layers, SPACING), SPACING)
            numbers = compared_masks([mask for mask, _ in again], layers)
            trials.append({name: {**numbers, "seconds": 0}})
        else:
            trials.append(try_out(layers, SPACING, pooled, [name]))
    return dict(pool_trials(trials)[name])


def learn(name: str, shapes: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Train, predict other images, and return what was reached."""
    pairs = [sample(shapes, seed) for seed in range(arguments.images)]
    task = made_task(name, pairs, dict(word.split("=") for word in arguments.set))
    network = made_network(task)
    stored = [(image, task.stored(found)) for image, found in pairs]
    clock, processor = time.perf_counter(), time.process_time()
    loss, steps = train(network, task, stored, begin(arguments))
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    network.eval()
    network.deep_supervision = False
    trials = []
    unseen = [sample(shapes, seed) for seed in UNSEEN]
    start = time.process_time()
    for image, found in unseen:
        masks = predicted(network, task, image)
        numbers = compared_masks(masks, task.layers(found))
        trials.append({name: {**numbers, "seconds": 0}})
    return {
        "shapes": Path(shapes).name,
        "name": " ".join([name, *arguments.set]),
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
        "ceiling": ceiling(task, unseen),
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
    most = own.get("most", own["ap"])
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
    global EDGE, UNSEEN
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--seconds", type=float, help="of processor time")
    parser.add_argument("--minutes", type=float, help="of the clock")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--unseen", type=int, default=len(UNSEEN), help="images")
    parser.add_argument("--edge", type=int, default=EDGE, help="of an image")
    parser.add_argument("--shapes", nargs="+", default=MADE, help="or a data set")
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="NAME=VALUE", help="of a representation"
    )
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
    EDGE, UNSEEN = arguments.edge, range(UNSEEN.start, UNSEEN.start + arguments.unseen)
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
