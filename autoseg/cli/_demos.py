"""What `autoseg demo` shows of each task: data, size, and how well it must end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autoseg.evaluate.summary import Summary

Row = tuple[str, str, float]

BAR = 40  # letters of a bar for a value of 1
LEAST_DICE = 0.8  # each class surpasses it by far if all is well
LEAST_AP = 0.6
MOST_ERROR = 0.5  # voxels, of all points together
LEAST_PRESENCE = 0.9  # precision and recall
NONE = float("nan")


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is made and trained.

    Parameters
    ----------
    training, test : int
        Cases.
    voxels : int
        Along an edge of an image.
    iterations, batch : int
        Of the training.
    features : tuple of int
        Channels of the network's stages.
    patch : tuple of int, length D
        What it learns from; empty: as planned.
    strict : bool
        Whether the result has to be as good as `Demo.judge` says.
    """

    training: int
    test: int
    voxels: int
    iterations: int
    batch: int = 2
    features: tuple[int, ...]
    patch: tuple[int, ...] = ()
    strict: bool = True


@dataclass(frozen=True, kw_only=True)
class Demo:
    """One task's demo.

    Parameters
    ----------
    dataset : str
        Name of the data set that is made.
    phantom : str
        Module of `autoseg.phantoms` that makes it.
    configuration : str
        What is trained.
    full, quick : Size
        How much, by default and with ``--quick``.
    mirror : bool
        Whether images are mirrored in training and prediction.
    measures : str
        Of what the result is, for its headline.
    rows : callable
        A summary and the size to the rows of the result: name, value as text, and the
        length of a bar, 0 to 1, or NaN for none.
    judge : callable
        A summary and the size to what is worse than it ever should be, in words.
    """

    dataset: str
    phantom: str
    configuration: str
    full: Size
    quick: Size
    mirror: bool = False
    measures: str
    rows: Callable[[Summary, Size], list[Row]]
    judge: Callable[[Summary, Size], list[str]]

    def make(self, folder: Path, size: Size, seed: int) -> None:
        """Make the data set; what is there already is not made again."""
        module = import_module(f"autoseg.phantoms.{self.phantom}")
        module.make_dataset(folder, size.training, size.test, seed, size.voxels)

    def table(self, summary: Summary, size: Size) -> list[str]:
        """Return the lines of the result, with a bar for each value from 0 to 1."""
        rows = self.rows(summary, size)
        wide = max(len(name) for name, *_ in rows)
        return [
            f"  {name:<{wide}} {text}  {'█' * round(BAR * bar) if bar == bar else ''}"
            for name, text, bar in rows
        ]


def _dice(summary: Summary, size: Size) -> list[Row]:
    found = {name: of["dice"].mean for name, of in summary.classes.items()}
    return [(name, f"{dice:.3f}", dice) for name, dice in found.items()]


def _poor_dice(summary: Summary, size: Size) -> list[str]:
    rows = _dice(summary, size)
    poor = [name for name, _, dice in rows if not dice >= LEAST_DICE]
    return [f"the Dice of {', '.join(poor)} should be above {LEAST_DICE}"] * bool(poor)


def _objects(summary: Summary, size: Size) -> list[Row]:
    names = {
        "ap_50_pooled": "AP at IoU 0.5",
        "map_pooled": "mean AP, IoU 0.5 to 0.95",
        "pq_pooled": "PQ",
    }
    found = {text: summary.mean(name) for name, text in names.items()}
    return [(name, f"{value:.3f}", value) for name, value in found.items()]


def _poor_objects(summary: Summary, size: Size) -> list[str]:
    if summary.mean("ap_50_pooled") >= LEAST_AP:
        return []
    return [f"the AP at IoU 0.5 should be above {LEAST_AP}"]


def _points(summary: Summary, size: Size) -> list[Row]:
    over = _over_all(summary)
    error = over.get("mre", NONE)
    unit = summary.unit
    rows = [("MRE", f"{error:.2f} {unit}, {error / _edge(size):.2f} voxels", NONE)]
    for radius in ("1", "2"):
        rate = over.get(f"sdr_{radius}", NONE)
        rows.append((f"SDR within {radius} {unit}", f"{rate:.3f}", rate))
    for name in ("precision", "recall"):
        value = over.get(name, NONE)
        rows.append((f"presence, {name}", f"{value:.3f}", value))
    return rows


def _poor_points(summary: Summary, size: Size) -> list[str]:
    over = _over_all(summary)
    poor = []
    if not over.get("mre", NONE) <= MOST_ERROR * _edge(size):
        poor.append("the MRE should be at most half a voxel")
    for name in ("precision", "recall"):
        if not over.get(name, NONE) >= LEAST_PRESENCE:
            poor.append(f"the {name} of presence should be above {LEAST_PRESENCE}")
    return poor


def _edge(size: Size) -> float:
    """Return the edge of a voxel of the beetles, in mm."""
    from autoseg.phantoms.beetle import LENGTH

    return LENGTH / size.voxels


def _over_all(summary: Summary) -> Mapping[str, float]:
    from autoseg.evaluate.points import ALL

    return summary.points.get(ALL, {})


DEMOS: Mapping[str, Demo] = {
    "semantic": Demo(
        dataset="Phantom",
        phantom="heart",
        configuration="3d_fullres",
        full=Size(
            training=20, test=5, voxels=48, iterations=560, features=(8, 16, 32, 64),
            patch=(24, 32, 32),
        ),
        quick=Size(
            training=8, test=2, voxels=32, iterations=150, features=(8, 16, 32),
            strict=False,
        ),
        measures="Dice",
        rows=_dice,
        judge=_poor_dice,
    ),
    "instance": Demo(
        dataset="Cells",
        phantom="cells",
        configuration="2d",
        full=Size(
            training=20, test=5, voxels=128, iterations=400, batch=4,
            features=(8, 16, 32, 64),
        ),
        quick=Size(
            training=8, test=2, voxels=64, iterations=60, features=(8, 16, 32),
            strict=False,
        ),
        mirror=True,
        measures="Agreement",
        rows=_objects,
        judge=_poor_objects,
    ),
    "landmark": Demo(
        dataset="Beetles",
        phantom="beetle",
        configuration="3d_fullres",
        full=Size(
            training=48, test=8, voxels=40, iterations=800, features=(8, 16, 32, 64)
        ),
        quick=Size(
            training=8, test=2, voxels=32, iterations=60, features=(8, 16, 32),
            strict=False,
        ),
        measures="Errors of points",
        rows=_points,
        judge=_poor_points,
    ),
}  # fmt: skip
