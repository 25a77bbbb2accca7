"""Predicted against real memory of a training step, for plans of many data sets.

    python benchmarks/plan_memory.py                # bytes kept for the backward pass
    python benchmarks/plan_memory.py --peak         # and the peak, where there is a GPU
    python benchmarks/plan_memory.py --peak --device cpu   # ... of small networks

The first table follows one forward pass of each plan's own network, patch and batch on
PyTorch's meta device, which has shapes but no values, and counts the storages that
autograd keeps (`torch.autograd.graph.saved_tensors_hooks`). The second does two real
steps, in eager mode, and compares with ``torch.cuda.max_memory_allocated``, or on a CPU
with what the profiler sees allocated, for networks with fewer channels and patches of
32 voxels, as far as their strides allow.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
from collections.abc import Iterator

import torch

from autoseg.networks import NETWORKS
from autoseg.spec.choice import Choice
from autoseg.spec.configuration import Configuration
from autoseg.spec.fingerprint import Fingerprint, Intensity
from autoseg.spec.plan import Plan
from autoseg.train.loop.criterion import Criterion
from planners import PLANNERS
from planners.base import Budget
from planners.memory.costs import cost_of, inputs_of, task_of
from planners.memory.model import GIB
from planners.memory.walk import Setting

# name, cases, channels, classes, shape, spacing
DATA = (
    ("hippocampus", 260, 1, 2, (36, 50, 35), (1.0, 1.0, 1.0)),
    ("heart", 20, 1, 1, (115, 320, 232), (1.37, 1.25, 1.25)),
    ("cine MRI", 200, 1, 3, (9, 256, 216), (10.0, 1.56, 1.56)),
    ("brain tumor", 484, 4, 3, (138, 170, 137), (1.0, 1.0, 1.0)),
    ("liver CT", 131, 1, 2, (432, 512, 512), (1.0, 0.77, 0.77)),
    ("lung CT", 63, 1, 1, (252, 512, 512), (1.24, 0.79, 0.79)),
    ("pancreas CT", 281, 1, 2, (93, 512, 512), (2.5, 0.8, 0.8)),
    ("prostate MRI", 32, 2, 2, (20, 320, 319), (3.6, 0.62, 0.62)),
    ("whole body CT", 1200, 1, 117, (231, 231, 231), (1.5, 1.5, 1.5)),
    ("teeth CBCT", 500, 1, 42, (480, 530, 530), (0.3, 0.3, 0.3)),
    ("cells", 600, 3, 1, (520, 696), (1.0, 1.0)),
)
PLANNED = (("unet", None, 8), ("residual_unet", "M", 8), ("residual_unet", "L", 24))
SMALL_FEATURES = (16, 32, 48, 64, 64, 64, 64, 64, 64, 64)
SMALL_EDGE = 32


def fingerprint_of(row: tuple) -> tuple[Fingerprint, Choice]:
    """Return a fingerprint of cases that are all alike, and its task."""
    name, cases, channels, classes, shape, spacing = row
    numbers = Intensity(
        mean=0.0,
        median=0.0,
        std=1.0,
        min=-3.0,
        max=3.0,
        percentile_00_5=-2.0,
        percentile_99_5=2.0,
    )
    found = Fingerprint(
        dataset=name,
        unit="mm",
        channel_names=("MRI",) * channels,
        num_cases=cases,
        shapes=(shape,) * 10,
        spacings=(spacing,) * 10,
        intensities=(numbers,) * channels,
    )
    labels = {"background": 0, **{f"class{n}": n for n in range(1, classes + 1)}}
    return found, Choice(name="semantic", options={"labels": labels})


def plans() -> Iterator[tuple[Plan, str]]:
    """Yield every plan with the name of each of its configurations."""
    for row in DATA:
        found, task = fingerprint_of(row)
        for planner, preset, gb in PLANNED:
            plan = PLANNERS[planner](
                found, task, Budget(memory_gb=gb, preset=preset, rule="bytes")
            )
            for name in plan.configurations:
                yield plan, name


def shrunk(plan: Plan, name: str) -> Plan:
    """Return a plan with a small network, patch and batch, for a CPU."""
    chosen = plan.configuration(name)
    options = dict(chosen.network.options)
    options["features"] = list(SMALL_FEATURES[: len(options["features"])])
    steps = [1] * chosen.dim
    for stride in options["strides"]:
        steps = [a * b for a, b in zip(steps, stride, strict=True)]
    patch = tuple(
        min(edge, max(2 * step, SMALL_EDGE // step * step))
        for edge, step in zip(chosen.patch_size, steps, strict=True)
    )
    small = dataclasses.replace(
        chosen,
        patch_size=patch,
        batch_size=min(4, chosen.batch_size),
        network=Choice(name=chosen.network.name, options=options),
    )
    return dataclasses.replace(
        plan, configurations={**plan.configurations, name: small}
    )


class Step:
    """One configuration's network, loss and batch on a device."""

    def __init__(self, plan: Plan, name: str, precision: str, device: str) -> None:
        chosen, task = plan.configuration(name), task_of(plan)
        cascade = chosen.previous is not None
        channels = inputs_of(task, len(plan.channels), cascade=cascade)
        heads = {head.name: head.channels for head in task.heads}
        self.precision, self.device = precision, device
        with torch.device(device):
            self.network = NETWORKS[chosen.network.name](
                channels, heads, True, **chosen.network.options
            )
            shape = (chosen.batch_size, *chosen.patch_size)
            self.images = torch.zeros((shape[0], channels, *shape[1:]))
            self.labels = torch.zeros(shape, dtype=torch.int16)
        self.criterion = Criterion(task, chosen.batch_dice, chosen.spacing).to(device)

    def loss(self) -> torch.Tensor:
        """Return the loss; the outputs are forgotten, as in training."""
        kind = "cuda" if self.device.startswith("cuda") else "cpu"
        half = torch.autocast(kind, dtype=torch.bfloat16)
        plain = self.precision == "fp32"
        with contextlib.nullcontext() if plain else half:
            outputs = self.network(self.images)
        return self.criterion(outputs, self.labels)

    def train(self, steps: int = 2) -> None:
        """Do some steps of the optimizer."""
        optimizer = torch.optim.SGD(
            self.network.parameters(), lr=1e-3, momentum=0.99, nesterov=True
        )
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            self.loss().backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 12)
            optimizer.step()

    def saved(self) -> int:
        """Return the bytes of all storages that autograd keeps, but the weights'."""
        own = {p.untyped_storage()._cdata for p in self.network.parameters()}
        sizes: dict[int, int] = {}
        alive = []

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            sizes[storage._cdata] = storage.nbytes()
            alive.append(tensor)
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            self.loss()
        return sum(size for key, size in sizes.items() if key not in own)


def cuda_peak(step: Step) -> int:
    """Return the most that the allocator handed out during two steps."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    step.train()
    torch.cuda.synchronize()
    return int(torch.cuda.max_memory_allocated())


def cpu_peak(step: Step) -> int:
    """Return the largest sum of allocations during a step, weights included."""
    from torch.profiler import ProfilerActivity, profile

    optimizer = torch.optim.SGD(
        step.network.parameters(), lr=1e-3, momentum=0.99, nesterov=True
    )

    def once() -> None:
        optimizer.zero_grad(set_to_none=True)
        step.loss().backward()
        optimizer.step()

    once()
    optimizer.zero_grad(set_to_none=True)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        once()
    weights = sum(p.nbytes for p in step.network.parameters())
    now = peak = 2 * weights + step.images.nbytes + step.labels.nbytes
    events = found.profiler.kineto_results.events()
    for event in sorted(events, key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            now += event.nbytes()
            peak = max(peak, now)
    return peak


def describe(plan: Plan, name: str) -> str:
    """Return the first columns of a row."""
    chosen: Configuration = plan.configuration(name)
    patch = " x ".join(map(str, chosen.patch_size))
    channels = sum(head.channels for head in task_of(plan).heads)
    return (
        f"| {plan.dataset} | {plan.name} | {name} | {patch} | {chosen.batch_size} | "
        f"{channels} |"
    )


def saved_table(precision: str) -> None:
    """Print predicted and real bytes that are kept for the backward pass."""
    print(
        "| data | plan | configuration | patch | batch | outputs | predicted [GB] "
        "| autograd [GB] | error |"
    )
    print("|---" * 9 + "|")
    worst = 0.0
    setting = Setting(precision=precision, optimizer="sgd", device="cpu")
    rows = list(plans())
    for plan, name in rows:
        real = Step(plan, name, precision, "meta").saved()
        batch = plan.configuration(name).batch_size
        predicted = cost_of(plan, name, setting).saved(batch)
        error = predicted / real - 1
        worst = max(worst, abs(error))
        print(
            f"{describe(plan, name)} {predicted / GIB:.3f} | {real / GIB:.3f} | "
            f"{error:+.3%} |",
            flush=True,
        )
    print(f"\n{len(rows)} plans in {precision}, largest error {worst:.3%}.\n")


def peak_table(precision: str, device: str) -> None:
    """Print predicted and real peak of a step."""
    print(
        "| data | plan | configuration | patch | batch | outputs | predicted [MB] "
        "| measured [MB] | error |"
    )
    print("|---" * 9 + "|")
    worst, count = 0.0, 0
    kind = "cuda" if device.startswith("cuda") else "cpu"
    setting = Setting(
        precision=precision, optimizer="sgd", device=kind, augmentation=False
    )
    for plan, name in plans():
        if kind == "cpu":
            plan = shrunk(plan, name)
        batch = plan.configuration(name).batch_size
        predicted = cost_of(plan, name, setting).total(batch)
        step = Step(plan, name, precision, device)
        try:
            real = cuda_peak(step) if kind == "cuda" else cpu_peak(step)
        except torch.cuda.OutOfMemoryError:
            print(f"{describe(plan, name)} {predicted / 2**20:.0f} | too large | |")
            continue
        error = predicted / real - 1
        worst, count = max(worst, abs(error)), count + 1
        print(
            f"{describe(plan, name)} {predicted / 2**20:.1f} | {real / 2**20:.1f} | "
            f"{error:+.1%} |",
            flush=True,
        )
    where = torch.cuda.get_device_name() if kind == "cuda" else "the CPU"
    print(f"\n{count} plans in {precision} on {where}, largest error {worst:.1%}.\n")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--precision", choices=("fp32", "bf16"), default="bf16", help="for --peak"
    )
    parser.add_argument("--peak", action="store_true")
    parser.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "none"
    )
    arguments = parser.parse_args()
    print(f"torch {torch.__version__}, {os.cpu_count()} cores\n")
    if not arguments.peak:
        saved_table("fp32")  # the meta device knows no autocast
    elif arguments.device == "none":
        print("No GPU is here; --device cpu measures small networks instead.")
    else:
        peak_table(arguments.precision, arguments.device)


if __name__ == "__main__":
    main()
