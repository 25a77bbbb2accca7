"""Made-up images with a known answer: a heart-like phantom for the demo and for tests.

A chamber lies inside a muscle, and a vessel rises from it in an arch, all inside a body
with ribs and a spine that look much like them. Shapes are deformed smoothly, each case
in its own way; images have partial volume along the thick axis, a bias field, Rician
noise (Gudbjartsson and Patz, doi:10.1002/mrm.1910340618) and a scale of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoseg.formats.base import find_format
from autoseg.phantoms._dataset import MadeUp
from autoseg.phantoms._fields import Floats, ball, grid, smooth, wobble
from autoseg.spec.image import Geometry

LABELS = {"background": 0, "muscle": 1, "chamber": 2, "vessel": 3}
ENDING = ".nii.gz"
SUBSLICES = 3  # thin slices that are averaged to one thick one; odd: one is the middle

# Brightness of tissues in arbitrary units. Blood in chamber and vessel is as bright as
# fat and nearly as bright as the spine, so that brightness alone does not tell.
AIR, TISSUE, FAT, BONE, SPINE = 0.0, 0.45, 0.95, 0.2, 0.8
MUSCLE, BLOOD = 0.66, 1.0
NOISE = 0.06


@dataclass(frozen=True, kw_only=True)
class Phantom:
    """One made-up case.

    Parameters
    ----------
    image : ndarray of float32, shape (Z, Y, X)
        Brightness.
    labels : ndarray of uint8, shape (Z, Y, X)
        The truth; see `LABELS`.
    spacing : tuple of float, length 3
        Edge of a voxel in mm.
    """

    image: NDArray[np.float32]
    labels: NDArray[np.uint8]
    spacing: tuple[float, ...]


def make_phantom(seed: int, number: int, size: int = 64) -> Phantom:
    """Make one case; the same seed and number give the same voxels.

    Parameters
    ----------
    seed, number : int
        Of the data set, and of the case in it.
    size : int
        Voxels along y and x, roughly; 96 mm in any case.

    Returns
    -------
    Phantom
        Image and truth.
    """
    rng = np.random.default_rng([seed, number])
    edge = 96 / size
    plane = size + 2 * int(rng.integers(-2, 3))
    slices = int(rng.integers(20, 25))
    thickness = round(float(rng.uniform(2.8, 3.4)), 2)
    spacing = (thickness, round(edge, 4), round(edge, 4))
    shape = (slices * SUBSLICES, plane, plane)
    edges = (spacing[0] / SUBSLICES, *spacing[1:])
    body = grid(shape, edges) + wobble(rng, shape, edges, strength=1.6)
    heart = _posed(body + wobble(rng, shape, edges, strength=2.2), rng)
    labels = _structures(heart, rng)
    bright = _paint(body, labels, rng)
    thick = bright.reshape(slices, SUBSLICES, plane, plane).mean(axis=1)
    return Phantom(
        image=_acquired(thick, spacing, rng).astype(np.float32),
        labels=np.ascontiguousarray(labels[SUBSLICES // 2 :: SUBSLICES]),
        spacing=spacing,
    )


def _posed(places: Floats, rng: np.random.Generator) -> Floats:
    """Return places as seen from a heart that is a little shifted and turned."""
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_rotvec(rng.normal(scale=0.14, size=3)).as_matrix()
    shift = np.array([-7.0, -6.0, 5.0]) + rng.normal(scale=2.0, size=3)
    scale = rng.uniform(0.92, 1.1)
    moved = places - shift[:, None, None, None]
    result: Floats = np.einsum("ij,j...->i...", turn / scale, moved)
    return result


def _structures(heart: Floats, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the labels of muscle, chamber and vessel."""
    wall = rng.uniform(5.0, 7.0)  # mm
    radii = (20.0, 17.5 + rng.normal(), 20.0 + rng.normal())
    inner = tuple(radius - wall for radius in radii)
    muscle = ball(heart, (0, 0, 0), radii) < 1
    # The wall is thinner on the side that faces the vessel, as a septum is.
    chamber = ball(heart, (1.5, 0.0, 1.0), inner) < 1
    vessel = _arch(heart, rng)
    labels = np.zeros(heart.shape[1:], dtype=np.uint8)
    labels[vessel] = LABELS["vessel"]
    labels[muscle] = LABELS["muscle"]
    labels[chamber] = LABELS["chamber"]
    return labels


def _arch(heart: Floats, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return a tube that rises from the muscle, bends over and goes down beside it."""
    from scipy.interpolate import CubicSpline
    from scipy.spatial import cKDTree

    knots = np.array(  # (z, y, x) in mm
        [
            [12.0, 1.0, -3.0],
            [24.0, 0.0, -7.0],
            [32.0, 8.0, -6.0],
            [30.0, 19.0, 1.0],
            [16.0, 26.0, 6.0],
            [-6.0, 27.0, 6.0],
            [-40.0, 27.0, 4.0],
        ]
    )
    knots[1:-1] += rng.normal(scale=1.0, size=(len(knots) - 2, 3))
    line = CubicSpline(np.arange(len(knots)), knots)(np.linspace(0, 6, 400))
    radius = rng.uniform(5.0, 6.2) * np.linspace(1.1, 0.9, len(line))
    distance, nearest = cKDTree(line).query(
        heart.reshape(3, -1).T, distance_upper_bound=float(radius.max())
    )
    reach = np.append(radius, 0.0)[nearest]  # one beyond the last: nothing is near
    return np.asarray((distance < reach).reshape(heart.shape[1:]))


def _paint(body: Floats, labels: NDArray[np.uint8], rng: np.random.Generator) -> Floats:
    """Return the brightness of everything, before it is measured."""
    across = np.hypot(body[1] / 40, body[2] / 44)  # the body: an ellipse along z
    bright = np.where(across < 1, FAT, AIR)
    bright[across < 0.93] = TISSUE
    ribs = (np.abs(across - 0.88) < 0.035) & (np.abs(np.sin(body[0] / 5)) > 0.75)
    bright[ribs] = BONE
    lungs = [ball(body, (0, -2, side * 26), (70, 27, 13)) < 1 for side in (-1, 1)]
    bright[(lungs[0] | lungs[1]) & (across < 0.82)] = 0.1
    bright[ball(body, (0, 31, 0), (500, 6, 7)) < 1] = SPINE
    blob = tuple(rng.normal(scale=(10, 2, 3)) + (12, -24, -14))
    bright[ball(body, blob, (7, 5, 6)) < 1] = BLOOD  # bright, round, and no chamber
    bright[labels == LABELS["muscle"]] = MUSCLE * rng.uniform(0.95, 1.05)
    blood = BLOOD * rng.uniform(0.93, 1.07)
    bright[(labels == LABELS["chamber"]) | (labels == LABELS["vessel"])] = blood
    return bright


def _acquired(
    bright: Floats, spacing: tuple[float, ...], rng: np.random.Generator
) -> Floats:
    """Return what a scanner would make of it: texture, blur, bias field, noise."""
    from scipy.ndimage import gaussian_filter

    grain = gaussian_filter(rng.normal(size=bright.shape), (0.4, 1.2, 1.2))
    bright = bright * (1 + 0.05 * grain / grain.std())
    bright = gaussian_filter(bright, (0, 0.5, 0.5))
    bias = np.exp(0.2 * smooth(rng, bright.shape, spacing, 90))
    measured = bright * bias
    noise = rng.normal(scale=NOISE, size=(2, *bright.shape))
    gain = rng.uniform(200, 500)
    result: Floats = gain * np.hypot(measured + noise[0], noise[1])
    return result


def _write(seed: int, number: int, size: int, image: Path, annotation: Path) -> None:
    phantom = make_phantom(seed, number, size)
    geometry = Geometry(shape=phantom.labels.shape, spacing=phantom.spacing)
    writer = find_format(ENDING)
    writer.write_image(image, phantom.image, geometry)
    writer.write_labels(annotation, phantom.labels, geometry)


make_dataset = MadeUp(
    size=64,
    write=_write,
    description={
        "name": "Phantom",
        "description": "Made-up hearts with a known answer, made by `autoseg demo`.",
        "channel_names": {"0": "MR"},
        "labels": LABELS,
        "file_ending": ENDING,
    },
)
