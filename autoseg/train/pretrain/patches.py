"""Patches of images of which blocks are hidden, and what is hidden there.

Legend: B batch, C channels, P patch.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autoseg.train.data.batch import Batch

HEAD = "restored"  # the output that fills in what is hidden
BLOCKS = 6  # along an edge of a patch, about
AHEAD = 3  # batches

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Hiding:
    """How much of a patch is hidden, in blocks of which size.

    Parameters
    ----------
    share : float
        Of the blocks.
    block : tuple of int
        Voxels along each axis, a multiple of ``stride``.
    stride : tuple of int
        Voxels of the image that an output stands for.
    """

    share: float
    block: tuple[int, ...]
    stride: tuple[int, ...]

    @classmethod
    def of_patch(
        cls, share: float, patch: Sequence[int], stride: Sequence[int]
    ) -> Hiding:
        """Return one whose blocks are about a sixth of a patch's edges."""
        steps = [
            step * max(1, round(edge / BLOCKS / step))
            for edge, step in zip(patch, stride, strict=True)
        ]
        return cls(share=share, block=tuple(steps), stride=tuple(stride))

    def draw(self, rng: np.random.Generator, patch: Sequence[int]) -> NDArray[np.bool_]:
        """Return what is hidden of a patch, (*P): that share of the blocks."""
        first = [
            step * int(rng.integers(block // step))
            for block, step in zip(self.block, self.stride, strict=True)
        ]
        counts = [
            -(-(edge + low) // block)
            for edge, low, block in zip(patch, first, self.block, strict=True)
        ]
        number = int(np.prod(counts))
        hidden = np.zeros(number, bool)
        hidden[rng.permutation(number)[: max(1, round(self.share * number))]] = True
        grid = hidden.reshape(counts)
        for axis, block in enumerate(self.block):
            grid = grid.repeat(block, axis=axis)
        return grid[tuple(slice(a, a + n) for a, n in zip(first, patch, strict=True))]


@dataclass(frozen=True)
class Samples:
    """Which samples of a batch there are."""

    samples: range


class HiddenPatches:
    """Batches of patches with hidden blocks, in the order of iterations.

    What is drawn belongs to (seed, iteration, sample) alone.

    Parameters
    ----------
    files : sequence of Path
        Arrays (C, *S) on the network's grid; of volumes, 2-D patches are cut from
        slices along the first axis of S.
    patch : sequence of int
        P.
    batch : int
        B.
    hiding : Hiding
        What is hidden.
    mirror_axes : sequence of int
        Along which patches may be mirrored.
    seed : int
        Of all draws.
    device : torch.device
        Where batches are needed.
    threads : int
        That read.
    """

    def __init__(
        self,
        files: Sequence[Path],
        patch: Sequence[int],
        batch: int,
        hiding: Hiding,
        *,
        mirror_axes: Sequence[int] = (),
        seed: int = 0,
        device: torch.device | str = "cpu",
        threads: int = 1,
    ) -> None:
        self.sampler = Samples(range(batch))
        self._files, self._patch, self._hiding = list(files), tuple(patch), hiding
        self._axes, self._seed = tuple(mirror_axes), seed
        self._device, self._threads = torch.device(device), max(1, threads)

    def batches(
        self, first: int, last: int | None = None
    ) -> Generator[Batch, None, None]:
        """Yield the batches of iterations from a first one on; without a last, all."""
        waiting: deque[Future[Batch]] = deque()
        number = first
        with ThreadPoolExecutor(self._threads, "autoseg-hide") as pool:
            try:
                while True:
                    while len(waiting) < AHEAD and (last is None or number < last):
                        waiting.append(pool.submit(self._batch, number))
                        number += 1
                    if not waiting:
                        return
                    found = waiting.popleft().result()
                    yield self._placed(found)
            finally:
                for one in waiting:
                    one.cancel()

    def _placed(self, batch: Batch) -> Batch:
        if self._device.type == "cpu":
            return batch
        targets = batch.targets or {}
        there = {name: part.to(self._device) for name, part in targets.items()}
        return Batch(
            images=batch.images.to(self._device),
            labels=None,
            targets=there,
            cases=batch.cases,
            iteration=batch.iteration,
            read_seconds=batch.read_seconds,
            augment_seconds=0.0,
        )

    def _batch(self, iteration: int) -> Batch:
        start = time.perf_counter()
        drawn = [self._sample(iteration, index) for index in self.sampler.samples]
        images, targets, cases = zip(*drawn, strict=True)
        return Batch(
            images=torch.from_numpy(np.stack(images)),
            labels=None,
            targets={HEAD: torch.from_numpy(np.stack(targets))},
            cases=cases,
            iteration=iteration,
            read_seconds=time.perf_counter() - start,
            augment_seconds=0.0,
        )

    def _sample(self, iteration: int, index: int) -> tuple[Floats, Floats, str]:
        """Return a patch with holes, (C, *P), what is in them, and its case."""
        rng = np.random.default_rng([self._seed, iteration, index])
        file = self._files[int(rng.integers(len(self._files)))]
        array = np.load(file, mmap_mode="r")
        if array.ndim > len(self._patch) + 1:  # a slice of a volume, as in training
            array = array[:, int(rng.integers(array.shape[1]))]
        image, inside = self._cut(array, rng)
        for axis in self._axes:
            if rng.random() < 0.5:
                image, inside = np.flip(image, axis + 1), np.flip(inside, axis)
        hidden = self._hiding.draw(rng, self._patch)
        target = np.where(hidden & inside, image, np.float32(np.nan))
        seen = inside & ~hidden
        holed = np.array(image, dtype=np.float32)
        for channel in holed:
            channel[hidden] = channel[seen].mean() if seen.any() else 0.0
        return holed, _pooled(target, self._hiding.stride), file.stem

    def _cut(self, array: Any, rng: np.random.Generator) -> tuple[Floats, Any]:
        """Return a patch at random, zeros beyond a small image, and where it is one."""
        image = np.zeros((len(array), *self._patch), np.float32)
        inside = np.zeros(self._patch, bool)
        source, place = [], []
        for size, edge in zip(array.shape[1:], self._patch, strict=True):
            low = int(rng.integers(size - edge + 1)) if size > edge else 0
            length = min(size, edge)
            begin = (edge - length) // 2
            source.append(slice(low, low + length))
            place.append(slice(begin, begin + length))
        image[(slice(None), *place)] = array[(slice(None), *source)]
        inside[tuple(place)] = True
        return image, inside


def _pooled(target: Floats, stride: Sequence[int]) -> Floats:
    """Return means over what an output stands for; NaN where a part is not known."""
    if all(step == 1 for step in stride):
        return target
    shape: list[int] = [len(target)]
    for edge, step in zip(target.shape[1:], stride, strict=True):
        shape += [edge // step, step]
    axes = tuple(range(2, len(shape), 2))
    found: Floats = target.reshape(shape).mean(axis=axes, dtype=np.float32)
    return found
