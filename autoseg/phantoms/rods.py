"""Made-up rods with a known answer, of which some lie across others.

Rods are straight, with round ends, and clear: where two cross, the image shows the
light of both. The annotation keeps each of them whole, as run lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoseg.formats.base import find_format
from autoseg.instancefiles.coco import write_coco
from autoseg.instancefiles.measure import measure
from autoseg.phantoms._dataset import MadeUp
from autoseg.phantoms._fields import Floats, grid
from autoseg.spec.arrays.overlaps import Mask, painted
from autoseg.spec.image import Geometry
from autoseg.spec.instances import Instances

PIXEL = 0.5  # micrometers
CROSSING = 0.25  # share of the rods that cross another one
DENSITY = 1 / 800  # rods a pixel, if there is room
TRIES = 400  # places that are tried for one more rod
APART = 2  # pixels at least between rods that do not cross


@dataclass(frozen=True, kw_only=True)
class Rods:
    """One made-up image.

    Parameters
    ----------
    image : ndarray of float32, shape (Y, X)
        Brightness.
    masks : tuple of ndarray of bool, shape (Y, X)
        The truth: each rod as a whole.
    spacing : tuple of float, length 2
        Edge of a pixel in micrometers.
    """

    image: NDArray[np.float32]
    masks: tuple[NDArray[np.bool_], ...]
    spacing: tuple[float, float] = (PIXEL, PIXEL)

    @property
    def instances(self) -> Instances:
        """The truth as an annotation; later rods are on top."""
        named = enumerate(self.masks, 1)
        whole = [(number, Mask.of_places(np.nonzero(mask))) for number, mask in named]
        labels, shared = painted(self.image.shape, whole)
        return Instances(labels, dict.fromkeys(range(1, len(whole) + 1), 1), {}, shared)


def make_rods(seed: int, number: int, size: int = 128) -> Rods:
    """Make one image; the same seed and number give the same pixels.

    Parameters
    ----------
    seed, number : int
        Of the data set, and of the case in it.
    size : int
        Pixels along y and x; rods stay as large as they are.

    Returns
    -------
    Rods
        Image and truth.
    """
    rng = np.random.default_rng([seed, number])
    masks = _placed(rng, (size, size))
    return Rods(image=_seen(masks, rng, (size, size)), masks=tuple(masks))


def _placed(
    rng: np.random.Generator, shape: tuple[int, int]
) -> list[NDArray[np.bool_]]:
    """Return rods: some pairs that cross, and then others that lie alone."""
    from scipy.ndimage import binary_dilation

    places = grid(shape, (1.0, 1.0))
    half = np.array(shape) / 2
    wanted = max(2, round(DENSITY * shape[0] * shape[1]))
    masks: list[NDArray[np.bool_]] = []
    near = np.zeros(shape, bool)
    pairs = round(CROSSING * wanted / 2 + rng.uniform(-0.5, 0.5))
    for _ in range(TRIES):
        if len(masks) >= wanted:
            break
        middle, turn = rng.uniform(-0.9, 0.9, 2) * half, rng.uniform(0, np.pi)
        group = [_rod(places, middle, turn, rng)]
        if len(masks) < 2 * pairs:
            off = middle + rng.uniform(-4, 4, 2)
            group.append(_rod(places, off, turn + rng.uniform(0.9, 2.2), rng))
        both = np.any(group, axis=0)
        if (both & near).any() or min(mask.sum() for mask in group) < 60:
            continue
        masks += group
        near |= binary_dilation(both, iterations=APART)
    return masks


def _rod(
    places: Floats, middle: Floats, turn: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return a line with round ends, 26 to 42 pixels long and 7 to 10 wide."""
    half_length, half_width = rng.uniform(9.5, 16.0), rng.uniform(3.5, 5.0)
    down, across = places - np.asarray(middle)[:, None, None]
    along = across * np.cos(turn) + down * np.sin(turn)
    off = down * np.cos(turn) - across * np.sin(turn)
    beyond = along - np.clip(along, -half_length, half_length)
    return np.asarray(np.hypot(beyond, off) < half_width)


def _seen(
    masks: Sequence[NDArray[np.bool_]],
    rng: np.random.Generator,
    shape: tuple[int, int],
) -> NDArray[np.float32]:
    """Return what a microscope would show: light adds up, is blurred and noisy."""
    from scipy.ndimage import gaussian_filter

    light = np.full(shape, 0.1)
    for mask in masks:
        light[mask] += rng.uniform(0.6, 1.2)
    blurred = gaussian_filter(light, 0.9) * rng.uniform(80, 160)
    noisy = rng.poisson(blurred) + rng.normal(scale=3.0, size=shape)
    found: NDArray[np.float32] = (100 + 8.0 * noisy).astype(np.float32)
    return found


def _write(seed: int, number: int, size: int, image: Path, annotation: Path) -> None:
    rods = make_rods(seed, number, size)
    geometry = Geometry(shape=rods.image.shape, spacing=rods.spacing, unit="um")
    find_format(image).write_image(image, rods.image, geometry)
    truth = rods.instances
    case = image.name.removesuffix(f"_0000{image.suffix}")
    write_coco(
        annotation,
        truth,
        measure(truth, rods.spacing),
        classes={1: "rod"},
        image=f"{case}{image.suffix}",
    )


make_dataset = MadeUp(
    size=128,
    write=_write,
    description={
        "name": "Rods",
        "description": "Made-up rods that cross, with a known answer.",
        "task": "instance",
        "channel_names": {"0": "fluorescence"},
        "labels": {"background": 0, "rod": 1},
        "file_ending": ".tif",
        "label_ending": ".json",
    },
)
