"""What do busy neighbors cost a training on the CPU?

Steps of a plain U-Net (features 8-16-32-64, patch 40x56x40, batch 2) are timed on a
quiet machine and beside processes that do nothing but compute::

    python benchmarks/busy_machine.py [--neighbors 0 1 2 4] [--steps 20]

With n neighbors on c cores, t threads can have c / (t + n) of a core each, or all of
it, so that is the fair factor. Compared are: "autoseg", whose threads share the batch;
the same from Python, where nobody told OpenMP to be quiet before torch was imported;
"openmp", whose threads share each operation, told to be quiet; and "spinning", OpenMP
left alone, as torch does by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from contextlib import ExitStack

FEATURES, PATCH, BATCH = [8, 16, 32, 64], (40, 56, 40), 2
HOG = "while True: pass"
WAYS = ["autoseg", "python", "openmp", "spinning"]
SPINNING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def measure(way: str, steps: int, threads: int) -> None:
    """Print the seconds of each step as JSON; runs in a process of its own."""
    if way in ("autoseg", "openmp"):
        from autoseg.cli.main import QUIET_THREADS

        os.environ.update(QUIET_THREADS)
    import time

    import torch
    from torch import nn

    from autoseg.networks import NETWORKS
    from autoseg.tasks import TASKS
    from autoseg.train.loop.criterion import Criterion
    from autoseg.train.loop.gradients import Gradients
    from autoseg.train.setup.hardware import choose_hardware

    hardware = choose_hardware("cpu", threads=threads)
    network = NETWORKS["plain_unet"](
        1,
        {"classes": 3},
        True,
        dim=3,
        features=FEATURES,
        kernels=[[3, 3, 3]] * 4,
        strides=[[1, 1, 1], *[[2, 2, 2]] * 3],
        convs_encoder=[2] * 4,
        convs_decoder=[2] * 3,
    )
    network = hardware.place(network, 3)
    images = torch.randn(BATCH, 1, *PATCH)
    labels = torch.randint(0, 3, (BATCH, *PATCH), dtype=torch.int16)
    task = TASKS["semantic"](labels={"background": 0, "a": 1, "b": 2})
    criterion = Criterion(task, False, (1.0, 1.0, 1.0))
    gradients = Gradients(network, criterion, hardware, BATCH)
    scaler = hardware.scaler()
    if way in ("openmp", "spinning"):
        gradients.parts = 1
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.99)

    def step() -> None:
        gradients(images, labels, scaler)
        nn.utils.clip_grad_norm_(network.parameters(), 12)
        optimizer.step()

    if way == "spinning":
        torch.set_num_threads(threads)
        limit = ExitStack()
    else:
        limit = hardware.thread_limit()  # type: ignore[assignment]
    seconds = []
    with limit:
        for _ in range(steps + 2):
            start = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - start)
    print(json.dumps(seconds[2:]))


def timed(way: str, neighbors: int, steps: int, threads: int) -> float:
    """Return the mean seconds of a step beside some neighbors."""
    environment = {k: v for k, v in os.environ.items() if k not in SPINNING}
    words = [sys.executable, __file__, "--measure", way, str(steps), str(threads)]
    hogs = [subprocess.Popen([sys.executable, "-c", HOG]) for _ in range(neighbors)]
    try:
        done = subprocess.run(
            words, env=environment, check=True, capture_output=True, text=True
        )
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    return statistics.fmean(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure, and print a table of factors over the quiet machine."""
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--neighbors", nargs="+", type=int, default=[0, 1, 2, 4])
    parser.add_argument("--ways", nargs="+", default=WAYS)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=cores)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        way, steps, threads = arguments.measure
        measure(way, int(steps), int(threads))
        return
    threads = arguments.threads
    load = os.getloadavg()[0]
    print(f"{cores} cores, {threads} threads; load before it began: {load:.1f}")
    print(f"{'neighbors':>9}{'fair':>7}" + "".join(f"{w:>22}" for w in arguments.ways))
    quiet: dict[str, float] = {}
    for neighbors in arguments.neighbors:
        cells = []
        for way in arguments.ways:
            seconds = timed(way, neighbors, arguments.steps, threads)
            factor = seconds / quiet.setdefault(way, seconds)
            cells.append(f"{seconds:14.3f} s x{factor:5.1f}")
        fair = max(1.0, (threads + neighbors) / cores)
        print(f"{neighbors:9d}{fair:7.1f}" + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
