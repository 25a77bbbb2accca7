"""Two promises about time: a pruned U-Net++, and state spaces beside attention.

Processor time on one thread, medians over rounds in which all take turns::

    python benchmarks/network_speed.py [--rounds 5] [--only pruned context]

``pruned``: a window through U-Net++ at each depth, as a share of the whole; beside it
the share of multiplications and additions. ``context``: forward and backward pass of
U-Mamba's state space on a grid of 4,096 voxels, as a share of a layer of attention of
the same channels (norm, queries, keys and values, attention, projection).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from autoseg.blueprints.drawing import Drawing
from autoseg.blueprints.modules.module import DrawnNetwork
from autoseg.blueprints.rows.state_space import mamba_of_grid
from autoseg.networks.unetpp import UNetPlusPlus

FEATURES = [32, 64, 128, 256, 512]
GRID = (64, 64)  # 4,096 voxels
WIDTHS, HEADS = (64, 128, 256), (1, 2, 4, 8)


def seconds(runs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the median processor time of each of some runs, after one to warm up."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            start = time.process_time()
            run()
            if number:
                taken[name].append(time.process_time() - start)
    return {name: statistics.median(some) for name, some in taken.items()}


def pruned(rounds: int, size: int) -> None:
    """Print what each depth of a U-Net++ takes."""
    stages = len(FEATURES)
    options = {
        "dim": 2,
        "features": FEATURES,
        "kernels": [[3, 3]] * stages,
        "strides": [[1, 1]] + [[2, 2]] * (stages - 1),
        "convs_encoder": [2] * stages,
        "convs_decoder": [2] * (stages - 1),
    }
    network = UNetPlusPlus(1, {"classes": 2}, **options).eval()
    drawing = UNetPlusPlus.drawing(options, (size, size), 1, 2)
    image = torch.randn(1, 1, size, size)
    runs, adds = {}, {}
    for number, head in enumerate(drawing.heads, start=1):
        needed = drawing.needed([head.logits])
        adds[str(number)] = sum(layer.multiply_adds for layer in needed)

        def one(depth: str = str(number)) -> None:
            network.prune(depth)
            with torch.inference_mode():
                network(image)

        runs[str(number)] = one
    found, whole = seconds(runs, rounds), str(stages - 1)
    print("| depth | share of operations | share of time | ratio |\n|---|---|---|---|")
    for depth, took in found.items():
        work, share = adds[depth] / adds[whole], took / found[whole]
        print(f"| {depth} | {work:.3f} | {share:.3f} | {share / work:.2f} |")


def context(rounds: int) -> None:
    """Print what a state space takes as a share of attention."""
    print("| channels | " + " | ".join(f"{n} heads" for n in HEADS) + " |")
    print("|---" * (1 + len(HEADS)) + "|")
    for width in WIDTHS:
        layers = {"scan": _layer(width, None)}
        layers |= {str(heads): _layer(width, heads) for heads in HEADS}
        found = seconds(layers, rounds)
        shares = (f"{found['scan'] / found[str(heads)]:.2f}" for heads in HEADS)
        print(f"| {width} | " + " | ".join(shares) + " |")


def _layer(width: int, heads: int | None) -> Callable[[], None]:
    """Return a pass, forward and backward, through a layer on a grid."""
    net = Drawing(width, GRID, 1)
    if heads is None:
        x = mamba_of_grid(net, net.image)
    else:
        y = net.norm(net.tokens(net.image), "layer", name="norm")
        y = net.attention(net.linear(y, 3 * width, name="qkv"), heads)
        x = net.grid(net.linear(y, width, name="project"), net.image)
    net.head(x, name="head")
    made = DrawnNetwork(net, {"one": 1}, False, divisor=(1, 1))
    image = torch.randn(1, width, *GRID, requires_grad=True)

    def run() -> None:
        made(image)["one"].sum().backward()

    return run


def main(words: Sequence[str] | None = None) -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=256, help="of a pruned window")
    parser.add_argument("--only", nargs="+", choices=("pruned", "context"))
    arguments = parser.parse_args(words)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    chosen = arguments.only or ("pruned", "context")
    if "pruned" in chosen:
        pruned(arguments.rounds, arguments.size)
    if "context" in chosen:
        context(arguments.rounds)


if __name__ == "__main__":
    main()
