"""How long does nnU-Net's default augmentation take, here and in batchgeneratorsv2?

Both augment the same patches of the same volumes in turn, on one thread, from the
reading of the box (out of memory) to the finished patch. Times are those of the thread,
so that a busy machine disturbs them little.

    python benchmarks/augmentation.py [--samples 100] [--cases small plane]

batchgeneratorsv2 reads the largest box that any draw might need, as nnU-Net does; here
the draw is made first and says which box it needs.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from batchgeneratorsv2.transforms.base.basic_transform import BasicTransform
from batchgeneratorsv2.transforms.intensity.brightness import (
    MultiplicativeBrightnessTransform,
)
from batchgeneratorsv2.transforms.intensity.contrast import (
    BGContrast,
    ContrastTransform,
)
from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
from batchgeneratorsv2.transforms.intensity.gaussian_noise import GaussianNoiseTransform
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
from batchgeneratorsv2.transforms.spatial.low_resolution import (
    SimulateLowResolutionTransform,
)
from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform
from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
from batchgeneratorsv2.transforms.utils.compose import ComposeTransforms
from batchgeneratorsv2.transforms.utils.pseudo2d import (
    Convert2DTo3DTransform,
    Convert3DTo2DTransform,
)
from batchgeneratorsv2.transforms.utils.random import RandomTransform

from autoseg.augmentations.base import Context
from autoseg.augmentations.pipeline import Pipeline, Sample

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Case:
    """A patch to augment."""

    patch: tuple[int, ...]
    channels: int
    labels: int


CASES = {
    "small": Case((40, 56, 40), 1, 3),
    "flat": Case((20, 160, 128), 2, 4),
    "cube": Case((96, 96, 96), 1, 3),
    "many_labels": Case((64, 64, 64), 1, 26),
    "plane": Case((256, 256), 3, 3),
}


def peer_source(context: Context) -> tuple[int, ...]:
    """Return the box that nnU-Net reads for a patch."""
    patch = context.patch_size
    if context.dim == 2 or context.flat:
        plane = [int(size / 0.85) for size in patch[-2:]]
        return (*patch[:-2], *plane)
    cos, sin = math.cos(math.radians(30)), math.sin(math.radians(30))
    return tuple(
        int(max(cos * size + sin * other for other in patch) / 0.85) for size in patch
    )


def peer_pipeline(context: Context) -> BasicTransform:
    """Return nnU-Net's default list, made of batchgeneratorsv2's transforms."""
    patch = context.patch_size[1:] if context.flat else context.patch_size
    limit = math.radians(180 if context.dim == 2 or context.flat else 30)
    spatial: list[BasicTransform] = [
        SpatialTransform(
            patch,
            patch_center_dist_from_border=0,
            random_crop=False,
            p_rotation=0.2,
            rotation=(-limit, limit),
            p_scaling=0.2,
            scaling=(0.7, 1.4),
            p_synchronize_scaling_across_axes=1,
            border_mode_seg="constant",
            padding_value_seg=-1,
        )
    ]
    if context.flat:
        spatial = [Convert3DTo2DTransform(), *spatial, Convert2DTo3DTransform()]
    about_one, wide = BGContrast((0.75, 1.25)), BGContrast((0.7, 1.5))
    ignored = (0,) if context.flat else None
    random: list[tuple[BasicTransform, float]] = [
        (GaussianNoiseTransform((0, 0.1), 1, True), 0.1),
        (GaussianBlurTransform((0.5, 1.0), False, False, 0.5, True), 0.2),
        (MultiplicativeBrightnessTransform(about_one, False), 0.15),
        (ContrastTransform(about_one, True, False), 0.15),
        (
            SimulateLowResolutionTransform(
                (0.5, 1), False, True, ignored, p_per_channel=0.5
            ),
            0.25,
        ),
        (GammaTransform(wide, 1, False, 1, 1), 0.1),
        (GammaTransform(wide, 0, False, 1, 1), 0.3),
    ]
    steps = [RandomTransform(step, apply_probability=p) for step, p in random]
    return ComposeTransforms([*spatial, *steps, MirrorTransform(context.mirror_axes)])


def make_volume(shape: Sequence[int], case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Return a noisy image (C, *S) with boxes of labels in it, and the labels."""
    rng = np.random.default_rng(0)
    labels = np.zeros(shape, dtype=np.int16)
    for number in range(4 * case.labels):
        low = [int(rng.integers(0, max(1, size - 8))) for size in shape]
        size = [int(rng.integers(4, max(5, extent // 3))) for extent in shape]
        box = tuple(slice(a, a + b) for a, b in zip(low, size, strict=True))
        labels[box] = number % case.labels
    image = rng.normal(size=(case.channels, *shape)) + labels
    return image.astype(np.float32), labels


def center_box(shape: Sequence[int], size: Sequence[int]) -> tuple[slice, ...]:
    """Return the box of a size in the middle of a volume."""
    low = [(n - s) // 2 for n, s in zip(shape, size, strict=True)]
    return tuple(slice(a, a + s) for a, s in zip(low, size, strict=True))


def seconds(function: Callable[[int], object], number: int) -> float:
    """Return the thread's time of one call."""
    start = time.thread_time()
    function(number)
    return time.thread_time() - start


def measure(case: Case, samples: int) -> tuple[list[float], list[float]]:
    """Return seconds for each sample: ours, theirs."""
    axes = tuple(range(len(case.patch)))
    context = Context(patch_size=case.patch, channels=case.channels, mirror_axes=axes)
    source = peer_source(context)
    shape = [2 * size for size in case.patch]
    image, labels = make_volume(shape, case)
    pipeline = Pipeline("nnunet", case.patch, axes, channels=case.channels)
    peer = peer_pipeline(context)

    def ours(number: int) -> object:
        draw = pipeline.draw(np.random.default_rng(number))
        box = center_box(shape, draw.source_shape)
        sample = Sample(
            image=torch.from_numpy(np.ascontiguousarray(image[:, *box])),
            labels=torch.from_numpy(np.ascontiguousarray(labels[box])),
            draw=draw,
        )
        return pipeline.apply([sample], CPU)

    def theirs(number: int) -> object:
        np.random.seed(number)
        torch.manual_seed(number)
        box = center_box(shape, source)
        return peer(
            image=torch.from_numpy(np.ascontiguousarray(image[:, *box])),
            segmentation=torch.from_numpy(np.ascontiguousarray(labels[box]))[None],
        )

    for number in range(30):  # it chooses between two ways of blurring by trial
        ours(number), theirs(number)
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(samples):
        times[0].append(seconds(ours, number))
        times[1].append(seconds(theirs, number))
    return times


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    head = "    mean  median     max"
    print(f"{'ms a sample':18s}{head}{head}   ratio")
    print(f"{'':18s}{'ours':>24s}{'batchgeneratorsv2':>24s}")
    for name in arguments.cases:
        columns = []
        means = []
        for times in measure(CASES[name], arguments.samples):
            numbers = (statistics.mean(times), statistics.median(times), max(times))
            columns.append("".join(f"{1e3 * n:8.1f}" for n in numbers))
            means.append(numbers[0])
        print(f"{name:18s}{columns[0]}{columns[1]}{means[1] / means[0]:8.1f}")


if __name__ == "__main__":
    main()
