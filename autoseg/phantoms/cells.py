"""Made-up cells with a known answer: crowded, touching, round and bent.

Cells lie in clumps, and where one meets another it stops. Each has a brightness of its
own, is darker towards its edge and mottled. The image is lit unevenly, blurred by the
lens, and counts photons (Poisson noise) before the camera adds its own noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoseg.formats.base import find_format
from autoseg.phantoms._dataset import MadeUp
from autoseg.phantoms._fields import Floats, grid, smooth
from autoseg.spec.image import Geometry

PIXEL = 0.5  # micrometers
FILLED = 0.42  # share of the image that cells cover, if there is room
TRIES = 600  # places that are tried for one more cell
MOST_COVERED = 0.15  # of a cell may lie where another one is already
SMALLEST = 70  # pixels of a cell that is left
RODS = 0.3  # share of cells that are long and bent

Ids = NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class Cells:
    """One made-up image.

    Parameters
    ----------
    image : ndarray of float32, shape (Y, X)
        Counts of a camera.
    ids : ndarray of int32, shape (Y, X)
        The truth: 1, 2, ... for each cell, each in one piece; 0 is background.
    spacing : tuple of float, length 2
        Edge of a pixel in micrometers.
    """

    image: NDArray[np.float32]
    ids: Ids
    spacing: tuple[float, float] = (PIXEL, PIXEL)


def make_cells(seed: int, number: int, size: int = 128) -> Cells:
    """Make one image; the same seed and number give the same pixels.

    Parameters
    ----------
    seed, number : int
        Of the data set, and of the case in it.
    size : int
        Pixels along y and x; cells stay as large as they are.

    Returns
    -------
    Cells
        Image and truth.
    """
    rng = np.random.default_rng([seed, number])
    ids = _placed(rng, (size, size))
    return Cells(image=_seen(_bright(ids, rng), rng).astype(np.float32), ids=ids)


def _placed(rng: np.random.Generator, shape: tuple[int, int]) -> Ids:
    """Return ids of cells that were put down one after the other."""
    from scipy.ndimage import label

    places = grid(shape, (1.0, 1.0))
    half = np.array(shape) / 2
    clumps = rng.uniform(-0.8, 0.8, (3, 2)) * half
    ids = np.zeros(shape, np.int32)
    count = 0
    for _ in range(TRIES):
        if np.count_nonzero(ids) >= FILLED * ids.size:
            break
        if rng.random() < 0.8:
            middle = clumps[rng.integers(len(clumps))] + rng.normal(size=2) * half * 0.3
        else:
            middle = rng.uniform(-1, 1, 2) * half
        there = places - middle[:, None, None]
        cell = _rod(there, rng) if rng.random() < RODS else _round(there, rng)
        free = cell & (ids == 0)
        if free.sum() < max(SMALLEST, (1 - MOST_COVERED) * cell.sum()):
            continue
        if label(free)[1] == 1:
            count += 1
            ids[free] = count
    return ids


def _round(places: Floats, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return an ellipse of 13 to 22 pixels across, a little dented."""
    turn = rng.uniform(0, 2 * np.pi)
    across, down = _turned(places, turn)
    longer = rng.uniform(1.0, 1.4)
    angle = np.arctan2(down, across)
    edge = np.ones_like(angle)
    for wave in (2, 3, 4):
        edge += rng.normal(scale=0.05) * np.cos(wave * angle + rng.uniform(0, 7))
    radius = rng.uniform(6.5, 11.0)
    return np.asarray(np.hypot(across / longer, down * longer) < radius * edge)


def _rod(places: Floats, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return an arc of a ring with round ends, 28 to 47 pixels long."""
    across, down = _turned(places, rng.uniform(0, 2 * np.pi))
    half_length, width = rng.uniform(10.0, 18.0), rng.uniform(4.0, 5.5)
    ring = half_length / rng.uniform(0.3, 1.0)  # radius, for 17 to 57 degrees each way
    reach = half_length / ring
    radius, angle = np.hypot(across + ring, down), np.arctan2(down, across + ring)
    along = np.clip(angle, -reach, reach)
    off = np.hypot(
        radius * np.cos(angle - along) - ring, radius * np.sin(angle - along)
    )
    return np.asarray(off < width)


def _turned(places: Floats, angle: float) -> tuple[Floats, Floats]:
    down, across = places
    cos, sin = np.cos(angle), np.sin(angle)
    return cos * across + sin * down, cos * down - sin * across


def _bright(ids: Ids, rng: np.random.Generator) -> Floats:
    """Return how much light comes from where, 0 to about 1."""
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    bright = np.full(ids.shape, 0.06)
    grain = gaussian_filter(rng.normal(size=ids.shape), 1.5)
    grain /= grain.std()
    for number in range(1, int(ids.max()) + 1):
        cell = ids == number
        depth = distance_transform_edt(np.pad(cell, 1))[1:-1, 1:-1]
        inside = np.minimum(depth / 5, 1)[cell]  # the edge is thinner, and so darker
        level = rng.uniform(0.4, 1.0)
        bright[cell] += level * (0.45 + 0.55 * inside) * (1 + 0.12 * grain[cell])
    return bright


def _seen(bright: Floats, rng: np.random.Generator) -> Floats:
    """Return what a camera behind a lens would count."""
    from scipy.ndimage import gaussian_filter

    lit = bright * np.exp(0.3 * smooth(rng, bright.shape, (1.0, 1.0), 90))
    haze = 0.08 * (1 + 0.5 * smooth(rng, bright.shape, (1.0, 1.0), 60))
    blurred = gaussian_filter(lit, 0.9) + np.maximum(haze, 0)
    photons = rng.poisson(np.maximum(blurred, 0) * rng.uniform(80, 160))
    result: Floats = 100 + 8.0 * photons + rng.normal(scale=12.0, size=bright.shape)
    return result


def _write(seed: int, number: int, size: int, image: Path, annotation: Path) -> None:
    cells = make_cells(seed, number, size)
    geometry = Geometry(shape=cells.ids.shape, spacing=cells.spacing, unit="um")
    writer = find_format(image)
    writer.write_image(image, cells.image, geometry)
    writer.write_labels(annotation, cells.ids, geometry)


make_dataset = MadeUp(
    size=128,
    write=_write,
    description={
        "name": "Cells",
        "description": "Made-up cells with a known answer, made by `autoseg demo`.",
        "task": "instance",
        "channel_names": {"0": "fluorescence"},
        "labels": {"background": 0, "cell": 1},
        "file_ending": ".tif",
    },
)
