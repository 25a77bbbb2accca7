"""Draw the pictures of instance.md and landmark.md.

``python docs/pictures.py DEMO``, DEMO being the folder that ``autoseg demo`` made with
``--task instance`` and ``--task landmark``; without it, only what needs no training.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from autoseg.figures.figure import PALETTE, new_figure
from autoseg.phantoms.beetle import LANDMARKS, make_beetle
from autoseg.phantoms.cells import make_cells
from autoseg.report.pictures.instance_layer import InstanceLayer
from autoseg.representations import REPRESENTATIONS
from autoseg.spec.points import Points
from autoseg.tasks import TASKS

HERE = Path(__file__).parent
COLUMNS = 7
MAPS = 4  # of a representation are shown
CELL, DPI = 1.2, 110  # inches of a panel, dots per inch


def save(figure: Figure, name: str, colors: int = 96) -> None:
    """Write a small PNG."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    shrink(Image.open(file), HERE / name, colors)


def shrink(picture: Image.Image, path: Path, colors: int = 96) -> None:
    """Write a picture with a palette of few colors."""
    few = picture.convert("RGB").quantize(colors, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    print(f"{path} {path.stat().st_size // 1000} KB")


def colored(ids: np.ndarray) -> np.ndarray:
    """Return a color for each object, black between."""
    table = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in PALETTE])
    return np.where(ids[..., None] > 0, table[(ids * 2) % len(PALETTE)], 0)


def panels(names: Sequence[str], columns: int) -> tuple[Figure, Any]:
    """Return a figure with a row for each name."""
    height = len(names) * (CELL + 0.25)
    figure = new_figure(columns * CELL + 0.2, height, dpi=DPI)
    grid = figure.subplots(len(names), columns, squeeze=False)
    for axes in grid.ravel():
        axes.set_axis_off()
    figure.subplots_adjust(0.01, 0.01, 0.99, 1 - 0.22 / height, wspace=0.06, hspace=0.2)
    return figure, grid


def show(axes: Any, image: np.ndarray, title: str, **options: Any) -> None:
    """Draw a panel with a title."""
    options = {"cmap": "gray", "interpolation": "nearest"} | options
    axes.imshow(image, **options)
    axes.set_title(title, fontsize=7, pad=2)


def maps_of(outputs: dict[str, np.ndarray]) -> list[tuple[str, np.ndarray]]:
    """Return some maps of every head, with names."""
    share = max(1, MAPS // len(outputs))
    found = []
    for number, (head, maps) in enumerate(outputs.items()):
        last = number == len(outputs) - 1
        count = MAPS - len(found) if last else min(share, len(maps))
        if head == "flow":
            count = len(maps)
        chosen = np.unique(
            np.linspace(0, len(maps) - 1, min(count, len(maps)), dtype=int)
        )
        many = len(maps) > 1
        found += [(f"{head} {i + 1}" if many else head, maps[i]) for i in chosen]
    return found[:MAPS]


def representations() -> None:
    """Draw what a network learns of each representation, and what is read back."""
    cells = make_cells(0, 20)
    box = (slice(24, 96), slice(0, 72))
    image, ids = cells.image[box], cells.ids[box]
    task = TASKS["instance"](labels={"cell": 1})
    measured = TASKS["instance"].pool([task.measure(ids, cells.spacing)])
    measured = {"spacing": list(cells.spacing), "axes": 2, **measured}
    names = REPRESENTATIONS.names()
    figure, grid = panels(names, COLUMNS)
    for row, name in zip(grid, names, strict=True):
        made = REPRESENTATIONS[name](2, **REPRESENTATIONS[name].configure(measured))
        outputs = made.encode(ids, cells.spacing)
        decoded, _ = made.decode(outputs, cells.spacing)
        sides = InstanceLayer(prediction=decoded, reference=ids).side_by_side()
        show(row[0], image, name)
        show(row[1], colored(ids), "ids")
        for axes, (title, shown) in zip(row[2:], maps_of(outputs), strict=False):
            show(axes, shown, title, cmap="viridis")
        show(row[-1], colored(sides["prediction"].prediction), "decoded")
    save(figure, "instance_representations.png")


def targets() -> None:
    """Draw a volume with its points, and the heat that a network learns of some."""
    beetle = make_beetle(0, 0)
    task = TASKS["landmark"](landmarks=LANDMARKS)
    coordinates = np.array([np.full(3, np.nan) if p is None else p
                            for p in beetle.points.values()])  # fmt: skip
    status = np.isfinite(coordinates).all(1).astype(np.int8)
    points = Points(LANDMARKS, coordinates, status, shape=beetle.image.shape)
    heat = task.encode(points, beetle.spacing)["points"]
    shown = [i for i, there in enumerate(status) if there][:4]
    figure, grid = panels([""], 1 + len(shown))
    up = {"origin": "lower"}
    show(grid[0, 0], beetle.image.max(axis=1), "image and points", **up)
    for place, color in zip(coordinates, PALETTE, strict=True):
        grid[0, 0].plot(place[2], place[0], "o", mfc="none", mec=color, ms=5)
    for axes, i in zip(grid[0, 1:], shown, strict=True):
        show(axes, heat[i].max(axis=1), LANDMARKS[i], cmap="viridis", **up)
    save(figure, "landmark_targets.png")


def demos(folder: Path) -> None:
    """Make the demos' pictures small."""
    for made, name in (("cells", "instance_demo"), ("beetles", "landmark_demo")):
        with Image.open(folder / f"{made}.png") as picture:
            size = (740, round(740 * picture.height / picture.width))
            small = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        shrink(small, HERE / f"{name}.png", colors=40)


if __name__ == "__main__":
    representations()
    targets()
    if len(sys.argv) > 1:
        demos(Path(sys.argv[1]))
