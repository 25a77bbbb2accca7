"""What adapters of other libraries share: their random numbers, and moved points.

Such libraries draw from the random numbers of the whole process. Here each of their
transforms gets numbers of its own for the time that it works, from the sample's seed
and its place in the row; one sample at a time, whatever the number of threads.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from autoseg.augmentations.base import Context
from autoseg.errors import TrainingError

LOCK = threading.RLock()
EXACT = 1e-3  # voxels that a place may be off where the move is called affine
INSIDE = 1 - 1e-4  # of a field of ones: nothing from beyond the border in it

Move = Callable[[Tensor], Tensor]


class Seeded(NamedTuple):
    """A draw: everything follows from a seed.

    Parameters
    ----------
    seed : int
        Of the sample and the step.
    context : Context
        Patch, channels and axes that may be flipped.
    """

    seed: int
    context: Context


def draw_seed(rng: np.random.Generator, context: Context) -> Seeded:
    """Return a draw for everything that is done to a sample."""
    return Seeded(int(rng.integers(2**31)), context)


def as_tuple(value: Any) -> Any:
    """Return a JSON value as libraries want ranges: lists as tuples."""
    return tuple(map(as_tuple, value)) if isinstance(value, list) else value


@contextmanager
def numbers_of(seed: int, place: int) -> Iterator[None]:
    """Let all random numbers of the process follow from a seed for a while.

    Parameters
    ----------
    seed : int
        Of the sample.
    place : int
        Of the transform in the row.
    """
    words = np.random.SeedSequence([seed, place]).generate_state(3)
    with LOCK:
        before = random.getstate(), np.random.get_state(), torch.get_rng_state()
        try:
            random.seed(int(words[0]))
            np.random.seed(int(words[1]))
            torch.manual_seed(int(words[2]))
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])
            torch.set_rng_state(before[2])


class Affine(NamedTuple):
    """Where voxels of a patch were read: ``matrix @ place + offset``.

    Parameters
    ----------
    matrix : ndarray, shape (D, D)
        From places in the patch to places in the source.
    offset : ndarray, shape (D,)
        Place in the source of the patch's first voxel.
    """

    matrix: Any
    offset: Any


def affine_of(move: Move, shape: Sequence[int]) -> Affine:
    """Return where a move of voxels reads them, found by moving their coordinates.

    Parameters
    ----------
    move : callable
        Moves an image (C, *S) to (C, *P), with linear interpolation.
    shape : sequence of int, length D
        S.

    Raises
    ------
    TrainingError
        If the move is not affine: where a point goes is not known then.
    """
    axes = [torch.arange(size, dtype=torch.float32) for size in shape]
    grid = torch.stack([*torch.meshgrid(*axes, indexing="ij"), torch.ones(*shape)])
    moved = move(grid).to(torch.float64).numpy()
    sound = moved[-1] > INSIDE
    here = np.stack(np.nonzero(sound), axis=1)
    there = moved[:-1][:, sound].T
    rows = np.column_stack([here, np.ones(len(here))])
    found, _, rank, _ = np.linalg.lstsq(rows, there, rcond=None)
    off = np.abs(rows @ found - there).max(initial=0)
    if rank < _needed(moved.shape[1:]) or off > EXACT * max(shape):
        raise TrainingError(
            "An augmentation of another library bends the image, and landmarks cannot "
            "follow it; leave elastic deformation out, or use our own augmentations."
        )
    matrix = found[:-1].T
    for axis, size in enumerate(moved.shape[1:]):
        if size == 1:  # one slice says nothing about the way to the next
            matrix[axis, axis] = 1.0
    return Affine(matrix, found[-1])


def _needed(shape: Sequence[int]) -> int:
    """Return how many unknowns there are along each axis of a patch."""
    return 1 + sum(size > 1 for size in shape)


def follow(points: Tensor, affine: Affine) -> Tensor:
    """Return where points (L, D) of the source are in the patch."""
    inverse = np.linalg.inv(affine.matrix)
    places = (points.double().cpu().numpy() - affine.offset) @ inverse.T
    return torch.as_tensor(places, dtype=points.dtype, device=points.device)
