"""What each representation of instances could reach at most, and what it costs.

Annotations are encoded and decoded again, with no network in between, and compared:
nuclei of a data set, crowded bent rods, and packed ellipsoids in volumes whose slices
are further and further apart. Options are derived from the annotations as a plan does.
With ``--blur`` and ``--noise`` the maps are made as imperfect as a network's at first.
Times are those of a processor. Run it with::

    python benchmarks/instance_ceilings.py DATASET     # folder of an instance data set
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from autoseg.datasets.annotations import read_annotation
from autoseg.datasets.read import load_dataset
from autoseg.representations import REPRESENTATIONS
from autoseg.representations.maps import numbered
from autoseg.tasks import TASKS
from autoseg.tasks.instance.sizes import measure_instances, pool_instances
from autoseg.tasks.instance.trial import compared, pool_trials

Case = tuple[Any, tuple[float, ...]]

RODS, LENGTH, WIDTH = 30, 60, 7
CELLS, DIAMETER = 120, 20.0


def nuclei(folder: Path, count: int) -> list[Case]:
    """Return annotations of a data set, drawn by a seed."""
    dataset = load_dataset(folder)
    task = TASKS["instance"](**TASKS["instance"].from_dataset(dataset))
    drawn = np.random.default_rng(0).permutation(len(dataset.training))[:count]
    cases = []
    for index in sorted(drawn.tolist()):
        path = dataset.training[index].annotation
        annotation, geometry = read_annotation(path, dataset, task)
        cases.append((task.to_map(annotation), geometry.spacing))
    return cases


def bent_rods(seed: int, shape: tuple[int, int] = (256, 256)) -> Any:
    """Return ids of bent rods that touch: each is drawn where none lies yet."""
    random = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int32)
    rows, columns = np.indices(shape)
    count = 0
    for _ in range(40 * RODS):
        at, angle = random.uniform(20, np.array(shape) - 20), random.uniform(0, 7)
        turns = angle + random.uniform(-0.06, 0.06) * np.arange(LENGTH)
        path = at + np.cumsum(np.stack([np.cos(turns), np.sin(turns)], 1), axis=0)
        if (path < WIDTH).any() or (path > np.array(shape) - WIDTH).any():
            continue
        line = np.ones(shape, bool)
        line[tuple(np.rint(path).astype(int).T)] = False
        rod = ndimage.distance_transform_edt(line) <= WIDTH / 2
        if not labels[rod].any():
            count += 1
            labels[rod] = count
        if count == RODS:
            break
    return labels


def packed(seed: int, slice_spacing: float) -> Case:
    """Return ids of ellipsoids that touch, in slices so far apart."""
    random = np.random.default_rng(seed)
    size = np.array([96.0, 96.0, 96.0])
    spacing = (slice_spacing, 1.0, 1.0)
    shape = tuple(int(s / e) for s, e in zip(size, spacing, strict=True))
    places = np.stack(
        [
            (np.arange(n)[(...,) + (None,) * (2 - axis)] + 0.5) * edge + np.zeros(shape)
            for axis, (n, edge) in enumerate(zip(shape, spacing, strict=True))
        ]
    )
    centers: list[Any] = []
    for _ in range(20_000):
        center = random.uniform(0, size)
        if all(np.linalg.norm(center - c) > 0.8 * DIAMETER for c in centers):
            centers.append(center)
        if len(centers) == CELLS:
            break
    nearest = np.full(shape, np.inf)
    labels = np.zeros(shape, np.int32)
    for number, center in enumerate(centers, 1):
        half = DIAMETER / 2 * random.uniform(0.9, 1.3, 3)
        away = sum(
            ((p - c) / h) ** 2 for p, c, h in zip(places, center, half, strict=True)
        )
        inside = (away <= 1) & (away < nearest)
        nearest[inside], labels[inside] = away[inside], number
    return labels, spacing


def disturbed(
    outputs: dict[str, Any], representation: Any, blur: float, noise: float, seed: int
) -> dict[str, Any]:
    """Return maps as a network would give them: soft at borders, and not exact.

    Noise is correlated over two voxels; that of directions and distances is in units
    of each channel's spread, that of probabilities is largest where they are a half.
    """
    random = np.random.default_rng(seed)
    found = {}
    for head in representation.heads:
        maps = outputs[head.name].copy()
        for channel in maps:
            spread = float(channel.std())
            channel[:] = ndimage.gaussian_filter(channel, blur)
            field = ndimage.gaussian_filter(random.normal(size=channel.shape), 1.0)
            free = head.activation == "identity"
            size = spread if free else 4 * channel * (1 - channel)
            channel += noise * size * field / field.std()
        if head.activation != "identity":
            np.clip(maps, 0, 1, out=maps)
        if head.activation == "softmax":
            maps /= np.maximum(maps.sum(0), 1e-6)
        found[head.name] = maps.astype(np.float32)
    return found


def measure(
    cases: Sequence[Case], names: Sequence[str], blur: float, noise: float
) -> None:
    """Print a row for each representation."""
    pooled = pool_instances([measure_instances(*case) for case in cases])
    print(
        f"  {len(cases)} cases, {pooled['objects']} objects, {pooled['touching']:.0%} "
        f"touch, diameter {pooled['diameter']['p50']:.3g}, shape of the first "
        f"{cases[0][0].shape}"
    )
    for name in names:
        kind = REPRESENTATIONS[name]
        made = kind(cases[0][0].ndim, **kind.configure(pooled))
        trials, encode, decode = [], 0.0, 0.0
        for seed, (labels, spacing) in enumerate(cases):
            start = time.process_time()
            outputs = made.encode(labels, spacing)
            middle = time.process_time()
            if blur or noise:
                outputs = disturbed(outputs, made, blur, noise, seed)
            again = time.process_time()
            found, _ = made.decode(outputs, spacing)
            encode += middle - start
            decode += time.process_time() - again
            one = compared(found, numbered(labels)[0])
            trials.append({name: {**one, "seconds": 0.0}})
        ceiling = pool_trials(trials)[name]
        row = " / ".join(f"{ceiling[f'ap_{t}']:.3f}" for t in (50, 70, 90))
        print(
            f"  {name:14} {row}  mean {ceiling['ap']:.3f}  SQ {ceiling['sq']:.3f}  "
            f"encode {1000 * encode / len(cases):6.1f} ms  "
            f"decode {1000 * decode / len(cases):6.1f} ms",
            flush=True,
        )


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path, nargs="?", help="folder")
    parser.add_argument("--cases", type=int, default=50, help="of the data set")
    parser.add_argument("--only", nargs="+", default=REPRESENTATIONS.names())
    parser.add_argument("--kinds", nargs="+", default=["nuclei", "rods", "1", "4", "8"])
    parser.add_argument("--blur", type=float, default=0.0, help="in voxels")
    parser.add_argument(
        "--noise", type=float, default=0.0, help="in standard deviations"
    )
    arguments = parser.parse_args(argv)
    for kind in arguments.kinds:
        if kind == "nuclei":
            if arguments.dataset is None:
                continue
            print(f"{arguments.dataset.name}:")
            cases = nuclei(arguments.dataset, arguments.cases)
        elif kind == "rods":
            print("bent rods:")
            cases = [(bent_rods(seed), (1.0, 1.0)) for seed in range(12)]
        else:
            print(f"packed ellipsoids, slices {kind} pixels apart:")
            cases = [packed(seed, float(kind)) for seed in range(3)]
        measure(cases, arguments.only, arguments.blur, arguments.noise)


if __name__ == "__main__":
    main()
