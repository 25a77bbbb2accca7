"""Made-up beetles with known points: landmarks in a volume, some of which are absent.

A body with a head, two feelers that end in knobs, and a tail; in it a heart, on the
left, and in some a stone. Every beetle is turned, grown and bent in its own way; some
have lost a feeler. Around it float balls that look like knobs and stones, but are none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoseg.formats.base import find_format
from autoseg.phantoms._dataset import MadeUp
from autoseg.phantoms._fields import Floats, ball, grid, smooth
from autoseg.spec.image import Geometry
from autoseg.spec.json import dumps, write_text

LANDMARKS = (
    *("heart", "stone", "tail", "eye_left", "eye_right"),
    *("feeler_left", "feeler_right"),
)
LENGTH = 72.0  # mm along z
WIDTH = 0.78  # of that length, along y and x
LOST = 0.2  # of beetles have lost a feeler; of each feeler
STONES = 0.6  # of beetles have a stone
NOISE = 0.07

# Brightness in arbitrary units. Knobs and stones are as bright as the balls around.
AIR, TISSUE, HEAD, EYE, HEART, KNOB = 0.1, 0.5, 0.6, 0.2, 0.75, 1.0


@dataclass(frozen=True, kw_only=True)
class Beetle:
    """One made-up case.

    Parameters
    ----------
    image : ndarray of float32, shape (Z, Y, X)
        Brightness.
    points : mapping of str to ndarray of float, shape (3,)
        Where each of `LANDMARKS` is, in voxels, slowest axis first, the first voxel's
        center being 0; None where it is absent.
    spacing : tuple of float, length 3
        Edge of a voxel in mm.
    """

    image: NDArray[np.float32]
    points: Mapping[str, Floats | None]
    spacing: tuple[float, ...]


def make_beetle(seed: int, number: int, size: int = 40) -> Beetle:
    """Make one case; the same seed and number give the same voxels.

    Parameters
    ----------
    seed, number : int
        Of the data set, and of the case in it.
    size : int
        Voxels along z; the volume is 72 mm long in any case.

    Returns
    -------
    Beetle
        Image and points.
    """
    rng = np.random.default_rng([seed, number])
    edge = LENGTH / size
    shape = (size, *(int(size * WIDTH) + int(n) for n in rng.integers(-1, 2, 2)))
    places = grid(shape, (edge,) * 3)
    turn, shift = _pose(rng)
    back = np.linalg.inv(turn)
    body = np.einsum("ij,j...->i...", back, places - shift[:, None, None, None])
    knots = _shape_of(rng)
    bright = _painted(body, places, knots, edge, rng)
    middle = (np.array(shape) - 1) / 2
    points = {
        name: None if place is None else (turn @ place + shift) / edge + middle
        for name in LANDMARKS
        for place in [knots[name]]
    }
    return Beetle(
        image=_measured(bright, edge, rng).astype(np.float32),
        points=points,
        spacing=(edge,) * 3,
    )


def _pose(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return how a beetle is turned and grown, shape (3, 3), and where it is in mm."""
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_rotvec(rng.normal(scale=0.15, size=3)).as_matrix()
    return turn * rng.uniform(0.9, 1.05), rng.uniform((-4, -3, -3), (1, 3, 3))


def _shape_of(rng: np.random.Generator) -> dict[str, Floats | None]:
    """Return where the parts of a beetle are, in mm as (z, y, x) from its middle."""

    def about(*place: float, scale: float = 0.8) -> Floats:
        return np.array(place) + rng.normal(scale=scale, size=3)

    apart, forward = rng.uniform(3.2, 4.6), rng.uniform(-5.6, -4.6)
    parts: dict[str, Floats | None] = {
        "heart": about(4.0, -3.0, 5.0, scale=1.0),
        "stone": about(-7.0, 0.0, 0.0, scale=2.5) if rng.random() < STONES else None,
        "tail": about(-26.5, 4.0, 0.0, scale=1.5),
        "head": np.array([17.0, -1.0, 0.0]),
    }
    for side, sign in (("left", 1), ("right", -1)):
        parts[f"eye_{side}"] = np.array([18.5, forward, sign * apart])
        tip = about(28.0, -1.0, sign * 10.0, scale=1.3)
        parts[f"feeler_{side}"] = tip if rng.random() >= LOST else None
    return parts


def _painted(
    body: Floats,
    places: Floats,
    parts: Mapping[str, Floats | None],
    edge: float,
    rng: np.random.Generator,
) -> Floats:
    """Return the brightness of everything, before it is measured.

    Every part is a solid whose voxels at its surface are filled in part: a surface that
    is nearer to a voxel's center than half an edge fills that much of it.
    """
    bright = np.full(body.shape[1:], AIR)

    def fill(outside: Floats, level: float) -> None:
        share = np.clip(0.5 - outside / edge, 0, 1)
        bright[:] = bright * (1 - share) + level * share

    def sphere(at: Floats | None, radius: float, level: float, where: Floats) -> None:
        if at is not None:
            away = np.sqrt(((where - at[:, None, None, None]) ** 2).sum(axis=0))
            fill(away - radius, level)

    for _ in range(int(rng.integers(3, 6))):
        sphere(_somewhere_outside(rng), rng.uniform(2.2, 3.0), KNOB, places)
    radii = (15.0, 11.0 + rng.normal(scale=0.7), 12.0 + rng.normal(scale=0.7))
    head, tail = parts["head"], parts["tail"]
    fill(_tube(body, [(-12.0, 0.0, 0.0), (-20.0, 1.0, 0.0), tail], 3.4), TISSUE)
    fill((ball(body, (0, 0, 0), radii) - 1) * min(radii), TISSUE)
    for side, sign in (("left", 1), ("right", -1)):
        tip = parts[f"feeler_{side}"]
        if tip is not None:
            bend = (26.0, -2.0, sign * 4.5)
            fill(_tube(body, [(20.0, -1.0, sign * 3.0), bend, tip], 1.8), TISSUE)
            sphere(tip, 2.8, KNOB, body)
    sphere(head, 7.0, HEAD, body)
    for name in ("eye_left", "eye_right"):
        sphere(parts[name], 2.4, EYE, body)
    sphere(np.array([-1.0, 4.0, -5.0]), 3.4, 0.65, body)  # a liver, of no name
    sphere(parts["heart"], 3.6, HEART, body)
    sphere(parts["stone"], 2.5, KNOB, body)
    return bright


def _somewhere_outside(rng: np.random.Generator) -> Floats:
    """Return a place in mm that no beetle reaches: near an edge that runs along z."""
    corner = rng.choice([-1.0, 1.0], 2) * rng.uniform(19, 24, 2)
    return np.array([rng.uniform(-30, 20), *corner])


def _tube(places: Floats, knots: Sequence[object], radius: float) -> Floats:
    """Return the distance in mm from a bent tube's surface; negative inside."""
    from scipy.interpolate import make_interp_spline
    from scipy.spatial import cKDTree

    line = make_interp_spline([0, 1, 2], np.array(knots, float), k=2)(
        np.linspace(0, 2, 60)
    )
    reach = radius + 5.0
    distance, _ = cKDTree(line).query(
        places.reshape(3, -1).T, distance_upper_bound=reach
    )
    return np.asarray(np.minimum(distance, reach).reshape(places.shape[1:]) - radius)


def _measured(bright: Floats, edge: float, rng: np.random.Generator) -> Floats:
    """Return what a scanner would make of it: texture, bias field, blur, noise."""
    from scipy.ndimage import gaussian_filter

    grain = gaussian_filter(rng.normal(size=bright.shape), 1.2)
    bright = bright * (1 + 0.05 * grain / grain.std())
    bias = np.exp(0.15 * smooth(rng, bright.shape, (edge,) * 3, 60))
    blurred = gaussian_filter(bright * bias, 0.5)
    gain = rng.uniform(200, 500)
    result: Floats = gain * np.abs(blurred + rng.normal(scale=NOISE, size=bright.shape))
    return result


def _write(seed: int, number: int, size: int, image: Path, annotation: Path) -> None:
    beetle = make_beetle(seed, number, size)
    geometry = Geometry(shape=beetle.image.shape, spacing=beetle.spacing)
    find_format(image).write_image(image, beetle.image, geometry)
    points = {
        name: None if place is None else place[::-1].round(4).tolist()
        for name, place in beetle.points.items()
    }
    annotation.parent.mkdir(parents=True, exist_ok=True)
    said = {"coordinate_system": "voxel_xyz", "points": points}
    write_text(annotation, dumps(said))


make_dataset = MadeUp(
    size=40,
    write=_write,
    description={
        "name": "Beetles",
        "description": "Made-up beetles with known points, made by `autoseg demo`.",
        "task": "landmark",
        "channel_names": {"0": "MR"},
        "landmarks": list(LANDMARKS),
        "missing_means": "absent",
        "file_ending": ".nii.gz",
        "label_ending": ".json",
    },
)
