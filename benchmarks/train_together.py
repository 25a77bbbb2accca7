"""How much faster do two processes train than one, and one than its threads?

Steps of a plain U-Net on noise, on a CPU: one process whose threads share a batch, and
two processes of one thread each that share it, by turns::

    python benchmarks/train_together.py [--steps 5] [--rounds 3]

Printed are medians of seconds a step, and patches a second of two processes as a part
of those of one with two threads.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FEATURES = {"small": [16, 32, 64, 64], "usual": [32, 64, 128, 256, 320]}
PATCH, BATCH = (40, 56, 40), 2


def steps(network: str, count: int, threads: int) -> list[float]:
    """Return the seconds of some steps, of which others may do a share."""
    import dataclasses

    import torch

    from autoseg.networks import NETWORKS
    from autoseg.tasks import TASKS
    from autoseg.train.loop.criterion import Criterion
    from autoseg.train.loop.gradients import Gradients
    from autoseg.train.loop.optimizer import make_optimizer
    from autoseg.train.setup.hardware import choose_hardware
    from autoseg.train.setup.joined import joined
    from autoseg.train.setup.recipes import RECIPES

    features = FEATURES[network]
    levels = len(features)
    strides = [[1] * 3, *[[2] * 3] * 3, *[[1] * 3] * (levels - 4)]
    with joined("cpu") as ranks:
        hardware = choose_hardware("cpu", threads=threads)
        hardware = dataclasses.replace(hardware, ranks=ranks)
        task = TASKS["semantic"](labels={"background": 0, "one": 1, "two": 2})
        torch.manual_seed(0)
        made = NETWORKS["plain_unet"](
            1,
            {"classes": 3},
            True,
            dim=3,
            features=features,
            kernels=[[3] * 3] * levels,
            strides=strides,
            convs_encoder=[2] * levels,
            convs_decoder=[2] * (levels - 1),
        )
        made = hardware.place(made, 3)
        criterion = Criterion(task, True, (1.0,) * 3)
        criterion.divide(ranks)
        optimizer = make_optimizer(RECIPES["nnunet"], made)
        share = len(range(ranks.number, BATCH, ranks.count))
        gradients = Gradients(made, criterion, hardware, share)
        images = torch.randn(share, 1, *PATCH)
        labels = torch.randint(0, 3, (share, *PATCH), dtype=torch.int16)
        spent = []
        with hardware.thread_limit():
            for _ in range(count + 1):
                start = time.perf_counter()
                gradients(images, labels, hardware.scaler())
                optimizer.step()
                spent.append(time.perf_counter() - start)
        gradients.close()
    return spent[1:]


def run(network: str, count: int, processes: int) -> float:
    """Return the median of steps in fresh processes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, __file__, "--child", network, "--steps", str(count)]
    command += ["--threads", str(2 // processes)]
    running = []
    for number in range(processes):
        place: dict[str, Any] = {**os.environ, "RANK": str(number)}
        if processes > 1:
            place |= {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1"}
            place["MASTER_PORT"] = str(port)
        root = str(Path(__file__).resolve().parents[1])
        place["PYTHONPATH"] = os.pathsep.join([root, place.get("PYTHONPATH", "")])
        running.append(
            subprocess.Popen(command, env=place, stdout=subprocess.PIPE, text=True)
        )
    said = [process.communicate()[0] for process in running]
    return statistics.median(json.loads(said[0]))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--networks", nargs="+", default=list(FEATURES))
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(steps(given.child, given.steps, given.threads)))
        return
    for network in given.networks:
        pairs = [
            (run(network, given.steps, 1), run(network, given.steps, 2))
            for _ in range(given.rounds)
        ]
        one, two = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in pairs)
        print(
            f"{network}: a step of one process of two threads {one:.3f} s, of two of "
            f"one {two:.3f} s; throughput {ratio:.2f} of the former",
            flush=True,
        )


if __name__ == "__main__":
    main()
