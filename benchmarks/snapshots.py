"""Several networks in the time of one: are snapshots better than one long training?

Slices of Dataset004_Hippocampus, a small 2-D U-Net, as many steps for each way; Dice of
whole volumes that nobody has learnt from, mean of the two classes. And how well the
disagreement of snapshots, and that of mirrored copies of one network, ranks these
volumes by their Dice (Spearman)::

    python benchmarks/snapshots.py DATASET --steps 400 --seeds 0 1
    python benchmarks/snapshots.py vessels --steps 200 --batch 4

- `vessels`, `cells`, `rare`: made-up pictures of `losses.py`, each of which counts as a
  volume;
- one: AdamW, one cycle; the last weights;
- ema, average: of the same training, the exponential mean of weights (0.98), and the
  mean of the weights of the last fifth;
- late: of the same training, probabilities of the weights at 0.7, 0.8, 0.9 and 1;
- cycles: four cycles of a quarter, probabilities of the weights at the ends (Huang et
  al. 2017, arXiv:1704.00109);
- halves: two trainings of half the steps from other first weights.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from losses import KINDS
from scipy.stats import spearmanr

from autoseg.datasets.read import load_dataset
from autoseg.formats.base import read_image, read_labels
from autoseg.losses import LOSSES
from autoseg.networks import NETWORKS

SHAPE, CLASSES, TRAINED, RATE = (64, 64), 3, 40, 4e-3
POOL = 400  # pictures to learn from, where they are made up
Network = torch.nn.Module
Volume = tuple[Any, Any]


def volumes(folder: Path, count: int) -> list[Volume]:
    """Return images (Z, 1, Y, X) and labels (Z, Y, X) of the first cases."""
    found = []
    dataset = load_dataset(folder)
    for case in dataset.training[:count]:
        image = read_image(case, dataset).array[0].astype(np.float32)
        labels, _ = read_labels(case.annotation, dataset)
        image = (image - image.mean()) / image.std()
        pads = [(0, 0)] + [
            ((n - s) // 2, n - s - (n - s) // 2)
            for n, s in zip(SHAPE, image.shape[1:], strict=True)
        ]
        found.append(
            (
                torch.from_numpy(np.pad(image, pads))[:, None],
                torch.from_numpy(np.pad(labels, pads).astype(np.int64)),
            )
        )
    return found


def made_up(kind: str, count: int) -> list[Volume]:
    """Return pictures (1, 1, Y, X) and labels (1, Y, X)."""
    draw = KINDS[kind][0]
    found = []
    for number in range(count):
        image, mask = draw(np.random.default_rng(20_000 + number))
        found.append(
            (
                torch.from_numpy(image.astype(np.float32))[None, None],
                torch.from_numpy(mask.astype(np.int64))[None],
            )
        )
    return found


def made(seed: int, norm: str = "instance") -> Network:
    """Return a small U-Net."""
    torch.manual_seed(seed)
    network: Network = NETWORKS["plain_unet"](
        1, {"classes": CLASSES}, False, dim=2, features=[8, 16, 32, 64],
        kernels=[[3, 3]] * 4, strides=[[1, 1], [2, 2], [2, 2], [2, 2]],
        convs_encoder=[2] * 4, convs_decoder=[2] * 3, norm=norm,
    )  # fmt: skip
    return network


def train(
    images: Any,
    labels: Any,
    seed: int,
    steps: int,
    rate: Callable[[float], float],
    keep: Sequence[float],
    norm: str = "instance",
    batch: int = 8,
) -> tuple[list[Network], Network, Network]:
    """Train; return copies at shares of the training, EMA and late average."""
    network, random = made(seed, norm), np.random.default_rng(seed)
    loss = LOSSES["dice_ce"](True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-2)
    ema, late, count, kept = copy.deepcopy(network), copy.deepcopy(network), 0, []
    at = [round(share * steps) for share in keep]
    for step in range(1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = RATE * rate(step / steps)
        chosen = random.integers(0, len(images), batch)
        flips = [2 + axis for axis in (0, 1) if random.random() < 0.5]
        x = torch.flip(images[chosen], flips)
        y = torch.flip(labels[chosen], [axis - 1 for axis in flips])
        optimizer.zero_grad()
        loss(network(x)["classes"], y).backward()
        optimizer.step()
        count += step > 0.8 * steps
        with torch.no_grad():
            pairs = (network.parameters(), ema.parameters(), late.parameters())
            for own, mean, last in zip(*pairs, strict=True):
                mean.lerp_(own, 0.02)
                if step > 0.8 * steps:
                    last.lerp_(own, 1 / count)
        if step in at:
            kept.append(copy.deepcopy(network))
    return kept, ema, late


def one_cycle(share: float) -> float:
    """Return the share of the rate: up for 15 %, then down along a cosine."""
    if share < 0.15:
        return share / 0.15
    return (1 + float(np.cos(np.pi * (share - 0.15) / 0.85))) / 2


def cycles(share: float) -> float:
    """Return the share of the rate in four cycles, the first with a rise."""
    inner = share * 4 % 1 or 1.0
    return one_cycle(inner) if share <= 0.25 else (1 + float(np.cos(np.pi * inner))) / 2


def seen(networks: Sequence[Network], image: Any, mirrors: bool = False) -> Any:
    """Return what networks, or mirrored copies, say: probabilities (O, Z, K, Y, X)."""
    found = []
    with torch.no_grad():
        for network in networks:
            for axes in ([], [2], [3], [2, 3]) if mirrors else ([],):
                outputs = network(torch.flip(image, axes))["classes"].softmax(1)
                found.append(torch.flip(outputs, axes))
    return torch.stack(found)


def dice(labels: Any, true: Any) -> float:
    """Return the mean over the classes."""
    scores = []
    for number in range(1, max(1, int(labels.max()), int(true.max())) + 1):
        one, two = labels == number, true == number
        both = int(one.sum() + two.sum())
        scores.append(2 * int((one & two).sum()) / both if both else 1.0)
    return float(np.mean(scores))


def agreement(opinions: Any) -> float:
    """Return the Dice that two opinions are expected to have, as `predict` does."""
    mean = opinions.mean(0)
    variance = (opinions**2).mean(0).sum(1) - (mean**2).sum(1)
    foreground = int((mean.argmax(1) > 0).sum())
    return 1 - float(variance.sum()) / max(1, 2 * foreground)


def run(
    learnt: Any, held: list[Volume], seed: int, steps: int, batch: int
) -> dict[str, float]:
    """Train in each way; return Dice, and rank correlations."""
    start = time.process_time()
    more = {"batch": batch}
    own = (*learnt, seed, steps)
    kept, ema, late = train(*own, one_cycle, (0.7, 0.8, 0.9, 1), **more)
    ways = {"one": [kept[-1]], "ema": [ema], "average": [late], "late": kept}
    ways["cycles"] = train(*own, cycles, (0.25, 0.5, 0.75, 1), **more)[0]
    halves = [
        train(*learnt, seed + n, steps // 2, one_cycle, (1,), **more)[0][0]
        for n in (0, 100)
    ]
    ways["halves"] = halves
    found = {}
    for name, networks in ways.items():
        scores, sure = [], []
        for image, true in held:
            opinions = seen(networks, image)
            scores.append(dice(opinions.mean(0).argmax(1), true))
            sure.append(agreement(opinions))
        found[name] = float(np.mean(scores))
        if len(networks) > 1:
            found[f"{name} ranks"] = float(spearmanr(sure, scores).statistic)
        if name == "one":
            sure = [agreement(seen(networks, image, True)) for image, _ in held]
            found["mirrors rank"] = float(spearmanr(sure, scores).statistic)
    return {**found, "seconds": time.process_time() - start}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", help="a folder, or vessels, cells, rare")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--held", type=int, default=40)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.dataset in KINDS:
        trained = POOL
        every = made_up(arguments.dataset, trained + arguments.held)
    else:
        trained = TRAINED
        every = volumes(Path(arguments.dataset), trained + arguments.held)
    learnt = tuple(torch.cat([one[part] for one in every[:trained]]) for part in (0, 1))
    rows = []
    for seed in arguments.seeds:
        held = every[trained:]
        rows.append(run(learnt, held, seed, arguments.steps, arguments.batch))
        print(seed, {name: round(v, 4) for name, v in rows[-1].items()}, flush=True)
    for name in rows[0]:
        values = [row[name] for row in rows]
        print(f"{name:14} {np.mean(values):.4f} [{min(values):.4f}, {max(values):.4f}]")


if __name__ == "__main__":
    main()
