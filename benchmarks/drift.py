"""Images that drifted from those of training: does it pay to adapt norms to them?

Slices of Dataset004_Hippocampus, small 2-D U-Nets with instance norm and with batch
norm; volumes that nobody has learnt from, as they are and drifted, each normalized by
its own mean and deviation, as autoseg does. Dice with the statistics of training, and
with those of the volume in each batch norm (Li et al. 2016, arXiv:1603.04779), alone
and averaged with the first. Instance norm has no statistics of training::

    python benchmarks/drift.py DATASET --steps 300
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from snapshots import TRAINED, dice, one_cycle, seen, train, volumes

Drift = Callable[[Any], Any]


def _scaled(image: Any) -> Any:
    low, high = image.min(), image.max()
    return (image - low) / (high - low)


def _field(image: Any) -> Any:
    ramp = torch.linspace(0.4, 1.6, image.shape[-1])
    return _scaled(image) * ramp


def _blurred(image: Any) -> Any:
    sigmas = (0, 0, 1.2, 1.2)
    return torch.from_numpy(gaussian_filter(image.numpy(), sigmas))


DRIFTS: dict[str, Drift] = {
    "as it is": lambda image: image,
    "brighter, flatter": lambda image: 0.3 * image + 5,
    "gamma 0.4": lambda image: _scaled(image) ** 0.4,
    "gamma 2.5": lambda image: _scaled(image) ** 2.5,
    "uneven light": _field,
    "noise": lambda image: (
        image
        + 0.7
        * torch.randn(image.shape, generator=torch.Generator().manual_seed(len(image)))
    ),
    "blur": _blurred,
}


def normalized(image: Any) -> Any:
    """Return an image with mean 0 and deviation 1."""
    return (image - image.mean()) / image.std()


def adapted(network: Any, image: Any, share: float) -> Any:
    """Return a network whose batch norms know an image, by a share of 0 to 1."""
    made = copy.deepcopy(network)
    norms = [m for m in made.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = share
        norm.train()
    with torch.no_grad():
        made(image)
    return made.eval()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--held", type=int, default=30)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    every = volumes(arguments.dataset, TRAINED + arguments.held)
    learnt = tuple(torch.cat([one[part] for one in every[:TRAINED]]) for part in (0, 1))
    for norm in ("instance", "batch"):
        kept, *_ = train(*learnt, 0, arguments.steps, one_cycle, (1,), norm=norm)
        network = kept[0].eval()
        print(f"{norm} norm: Dice as trained, with half and with all of the volume's")
        for name, drift in DRIFTS.items():
            scores = []
            for image, true in every[TRAINED:]:
                image = normalized(drift(image))
                ways = [network]
                if norm == "batch":
                    ways += [adapted(network, image, share) for share in (0.5, 1.0)]
                found = [seen([one], image)[0].argmax(1) for one in ways]
                scores.append([dice(labels, true) for labels in found])
            means = "  ".join(f"{value:.3f}" for value in np.mean(scores, axis=0))
            print(f"  {name:18} {means}", flush=True)


if __name__ == "__main__":
    main()
