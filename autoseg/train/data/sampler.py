"""Which patch of which case is sample number j of iteration i.

Random numbers belong to (seed, stream, iteration, sample) and to nothing else: not to
a thread, and not to what was drawn before. So a training that was stopped goes on with
the very patches that it would have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import TrainingError

TRAINING, VALIDATION = 0, 1  # streams of random numbers
ANNOTATED = "annotated"  # index of voxels that somebody annotated, with an ignore label


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One patch.

    Parameters
    ----------
    case : str
        Id of the case.
    corner : tuple of int, length D
        Lowest voxel of the patch in the stored array; may lie outside of it.
    plane : int or None
        For a 2-D patch of a volume, the slice: index along the first axis.
    augmentation : Draw or None
        What `Pipeline.draw` gave.
    """

    case: str
    corner: tuple[int, ...]
    plane: int | None
    augmentation: Any


class Sampler:
    """Draw cases, patches and augmentations.

    Parameters
    ----------
    cases : sequence of str
        Ids to draw from, uniformly and with replacement.
    open_case : callable
        Gives the `StoredCase` of an id.
    classes : sequence of str
        Names of the foreground classes.
    patch_size : tuple of int, length D
        In voxels of the stored array.
    batch_size : int
        B, samples in an iteration.
    foreground : float
        Share of samples centered on foreground: sample j of a batch is, unless
        ``j < round(B * (1 - foreground))`` as in nnU-Net; that would be none of batches
        of one, of which every ``1 / foreground``-th is.
    seed : int
        Of all random numbers.
    stream : int
        `TRAINING` or `VALIDATION`; their numbers have nothing in common.
    augment : callable, optional
        `Pipeline.draw`; called with the sample's generator after the patch is drawn.
    spread : float
        A patch about a voxel has it up to so many of its edges away from its middle.
    overhang : bool
        A patch about a voxel may end after the image, as in nnU-Net.
    share : tuple of int
        Number of this process and count of all: it draws every count-th sample of
        each batch, from its number on.
    """

    def __init__(
        self,
        cases: Sequence[str],
        open_case: Callable[[str], Any],
        *,
        classes: Sequence[str],
        patch_size: tuple[int, ...],
        batch_size: int,
        foreground: float,
        seed: int,
        stream: int = TRAINING,
        augment: Callable[[np.random.Generator], Any] | None = None,
        spread: float = 0.0,
        overhang: bool = True,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        if not cases:
            raise TrainingError("There is no case to train on; see the split.")
        self.cases = tuple(cases)
        self.open_case = open_case
        self.classes = tuple(classes)
        self.patch_size = patch_size
        self.batch_size = batch_size
        self.foreground = foreground
        self.anywhere = round(batch_size * (1 - foreground))
        self.seed = seed
        self.stream = stream
        self.augment = augment
        self.spread = spread
        self.overhang = overhang
        self.samples = range(share[0], batch_size, share[1])

    def generator(self, iteration: int, sample: int) -> np.random.Generator:
        """Return the source of all random numbers of one sample."""
        return np.random.default_rng((self.seed, self.stream, iteration, sample))

    def case(self, iteration: int, sample: int) -> str:
        """Return the id of the case that a sample is from, without opening it."""
        return self._case(self.generator(iteration, sample))

    def _case(self, rng: np.random.Generator) -> str:
        return self.cases[int(rng.integers(len(self.cases)))]

    def draw(self, iteration: int, sample: int) -> Drawn:
        """Return sample number ``sample`` of an iteration, both from 0."""
        rng = self.generator(iteration, sample)
        case = self._case(rng)
        stored = self.open_case(case)
        voxel = self._voxel(rng, stored, forced=self._forced(iteration, sample))
        plane, shape = None, tuple(int(size) for size in stored.shape)
        if len(shape) > len(self.patch_size):
            plane = int(rng.integers(shape[0])) if voxel is None else voxel[0]
            shape = shape[1:]
            voxel = None if voxel is None else voxel[1:]
        if voxel is not None and self.spread:
            reach = [int(self.spread * edge) for edge in self.patch_size]
            voxel = tuple(
                v + int(rng.integers(-r, r + 1))
                for v, r in zip(voxel, reach, strict=True)
            )
        corner = tuple(
            self._corner(rng, size, patch, None if voxel is None else voxel[axis])
            for axis, (size, patch) in enumerate(
                zip(shape, self.patch_size, strict=True)
            )
        )
        drawn = None if self.augment is None else self.augment(rng)
        return Drawn(case=case, corner=corner, plane=plane, augmentation=drawn)

    def _forced(self, iteration: int, sample: int) -> bool:
        if self.batch_size > 1:
            return sample >= self.anywhere
        before, now = (int(n * self.foreground) for n in (iteration, iteration + 1))
        return now > before

    def _voxel(
        self, rng: np.random.Generator, stored: Any, *, forced: bool
    ) -> tuple[int, ...] | None:
        """Return where to center the patch, or None: anywhere."""
        places: NDArray[Any] | None = None
        if forced:
            present = [n for n in self.classes if stored.foreground_count(n)]
            if present:
                places = stored.foreground(present[int(rng.integers(len(present)))])
        if places is None and stored.foreground_count(ANNOTATED):
            # With an ignore label, patches nobody annotated would teach nothing.
            places = stored.foreground(ANNOTATED)
        if places is None:
            return None
        linear = int(places[int(rng.integers(len(places)))])
        return tuple(int(i) for i in np.unravel_index(linear, tuple(stored.shape)))

    def _corner(
        self, rng: np.random.Generator, size: int, patch: int, voxel: int | None
    ) -> int:
        """Return the lowest index of a patch along one axis.

        ::

            size >= patch:  0 [....|==patch==|....] size       any place inside
            size <  patch:  |==pad==[..size..]==pad==|          centered

        A patch centered on a voxel does not begin before the image, but may end after
        it, as in nnU-Net, where that is allowed.
        """
        if size < patch:
            lowest = highest = -((patch - size + 1) // 2)
        else:
            lowest, highest = 0, size - patch
        if voxel is None:
            return int(rng.integers(lowest, highest + 1))
        begin = max(lowest, voxel - patch // 2)
        return begin if self.overhang else min(begin, highest)
