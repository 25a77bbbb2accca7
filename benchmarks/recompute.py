"""What does it save, and cost, to make feature maps again in the backward pass?

The first table is of the planner's arithmetic, for plans of full size: what a step
keeps, and its peak, in single and half precision. The second is of real steps on one
thread of this CPU, with and without ``train.recompute`` by turns: what the allocator
hands out, processor seconds (medians), and the largest difference of a gradient in
double precision::

    python benchmarks/recompute.py [--repeats 7] [--networks plain_unet]
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from typing import Any

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from autoseg.networks import NETWORKS
from autoseg.networks.onednn import prefer_onednn
from planners.grids.topology import find_topology
from planners.memory.model import GIB, step_cost
from planners.setting import LossCost, Setting

UNETS = ("plain_unet", "residual_unet")
FULL = (((512, 512), 12), ((128, 128, 128), 2))  # patch and batch
# Patch and features of the first stage; one sample, as each thread of a training has.
SMALL = (((256, 256), 32), ((40, 56, 40), 8), ((40, 56, 40), 32))
CLASSES = 3


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--networks", nargs="+", default=UNETS, choices=UNETS)
    options = parser.parse_args()
    names, repeats = options.networks, options.repeats
    torch.set_num_threads(1)
    print("| network | patch | batch | precision | kept [GB] | peak [GB] |")
    print("|---|---|---|---|---|---|")
    for name in names:
        for patch, batch in FULL:
            for precision in ("fp32", "bf16"):
                print(planned(name, patch, batch, precision))
    print(
        "\n| network | patch | features | kept [MB] | peak [MB] | seconds | gradients |"
    )
    print("|---|---|---|---|---|---|---|")
    for name in names:
        for patch, features in SMALL:
            print(measured(name, patch, features, repeats), flush=True)


def planned(name: str, patch: tuple[int, ...], batch: int, precision: str) -> str:
    """Return a row: without, with, and the ratio."""
    options = NETWORKS[name].plan(find_topology((1.0,) * len(patch), patch), {})
    costs = [
        step_cost(
            name,
            options,
            patch,
            in_channels=1,
            heads=[LossCost(channels=CLASSES)],
            setting=Setting(precision=precision, recompute=recompute),
        )
        for recompute in ("off", "on")
    ]
    kept = pair(*(cost.saved(batch) / GIB for cost in costs))
    peak = pair(*(cost.total(batch) / GIB for cost in costs))
    return row(name, patch, batch, precision, kept, peak)


def measured(name: str, patch: tuple[int, ...], features: int, repeats: int) -> str:
    """Return a row of real steps."""
    torch.manual_seed(0)
    topology = find_topology((1.0,) * len(patch), patch)
    options: dict[str, Any] = NETWORKS[name].plan(topology, {})
    widths = [width * features // 32 for width in options["features"]]
    network: Any = NETWORKS[name](
        1, {"classes": CLASSES}, True, **{**options, "features": widths}
    )
    image = torch.randn(1, 1, *patch)
    differences = difference(network, image)
    last = torch.channels_last if len(patch) == 2 else torch.channels_last_3d
    if len(patch) == 3:  # as training lays them out in single precision
        image = image.contiguous(memory_format=last)
        network = network.to(memory_format=last)
    prefer_onednn(network)
    kept, peak = [], []
    for recompute in (False, True):
        network.recompute = recompute
        step(network, image)
        found = allocated(network, image)
        kept.append(found[0] / 1e6)
        peak.append(found[1] / 1e6)
    seconds: list[list[float]] = [[], []]
    for turn in range(2 * (repeats + 1)):
        network.recompute = bool(turn % 2)
        start = time.process_time()
        step(network, image)
        if turn > 1:
            seconds[turn % 2].append(time.process_time() - start)
    times = pair(*map(statistics.median, seconds), digits=3)
    return row(
        name, patch, features, pair(*kept), pair(*peak), times, f"{differences:.1e}"
    )


def step(network: nn.Module, image: Tensor) -> None:
    """Go forward and backward once."""
    network.zero_grad(set_to_none=True)
    loss(network, image).backward()


def loss(network: nn.Module, image: Tensor) -> Tensor:
    """Return a number that all levels have a part in."""
    total: Tensor = sum(x.square().mean() for x in network(image)["classes"])  # type: ignore[assignment]
    return total


def allocated(network: nn.Module, image: Tensor) -> tuple[float, float]:
    """Return the bytes there between forward and backward pass, and at most."""
    network.zero_grad(set_to_none=True)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        kept = loss(network, image)
    between = float(sum(sizes(found)))
    del kept
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        step(network, image)
    now = most = 0.0
    for size in sizes(found):
        now += size
        most = max(most, now)
    return between, most


def sizes(found: Any) -> list[int]:
    """Return the bytes that were handed out and, negative, given back, in order."""
    events = found.profiler.kineto_results.events()
    events = sorted(events, key=lambda event: event.start_ns())
    return [event.nbytes() for event in events if event.name() == "[memory]"]


def difference(network: Any, image: Tensor) -> float:
    """Return the largest difference of a gradient, as a share of the largest."""
    double, found = copy.deepcopy(network).double(), []
    for recompute in (False, True):
        double.recompute = recompute
        step(double, image.double())
        found.append([p.grad.clone() for p in double.parameters()])
    pairs = list(zip(*found, strict=True))
    return max(float((a - b).abs().max() / a.abs().max()) for a, b in pairs)


def pair(without: float, with_it: float, digits: int = 2) -> str:
    """Return both numbers and their ratio."""
    return f"{without:.{digits}f}, {with_it:.{digits}f} ({with_it / without:.3f})"


def row(name: str, patch: tuple[int, ...], number: int, *cells: str) -> str:
    """Return a line of a table."""
    shape = " x ".join(map(str, patch))
    return f"| {name} | {shape} | {number} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
