"""Make datasets_template/instance: cells that touch in noise, and bits of debris.

Run it in this folder: ``python make_instance.py``. The same files come out every time.
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image

FOLDER = Path(__file__).parent / "instance"
SHAPE = (64, 72)
CELL, DEBRIS = 1, 2
DESCRIPTION = {
    "task": "instance",
    "channel_names": {"0": "fluorescence"},
    "labels": {"background": 0, "cell": CELL, "debris": DEBRIS},
    "spacing": [0.5, 0.5],
    "unit": "um",
    "numTraining": 6,
    "file_ending": ".png",
}


def make_case(
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """Return an image, its ids, and the class of each of them."""
    places = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)
    ids = np.zeros(SHAPE, np.uint8)
    image = np.full(SHAPE, 30.0)
    classes: dict[str, int] = {}
    for kind in [CELL] * 60 + [DEBRIS] * 12:
        middle = rng.uniform(0.1, 0.9, 2) * SHAPE
        radius = rng.uniform(5, 7.5, 2) if kind == CELL else rng.uniform(1.5, 2.5, 2)
        far = np.linalg.norm((places - middle) / radius, axis=-1)
        body = far < 1
        if (ids[far < 1.05 + 0.3 * (kind == DEBRIS)] > 0).any():
            continue  # cells touch, but none is cut
        number = len(classes) + 1
        ids[body] = number
        classes[str(number)] = kind
        bright = rng.uniform(60, 130) if kind == CELL else 190
        image[body] += bright * (1 - 0.5 * far[body] ** 2)
    image += rng.normal(0, 8, SHAPE)
    # In steps of 4, so that the files are small.
    return (np.round(image / 4) * 4).clip(0, 255).astype(np.uint8), ids, classes


def write(array: np.ndarray, path: Path) -> None:
    """Write a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, optimize=True)


def main() -> None:
    """Write the data set."""
    rng = np.random.default_rng(0)
    for number in range(7):
        image, ids, classes = make_case(rng)
        name = f"case_{number + 1:02d}"
        sub = "imagesTr" if number < 6 else "imagesTs"
        write(image, FOLDER / sub / f"{name}_0000.png")
        if number < 6:
            write(ids, FOLDER / "labelsTr" / f"{name}.png")
            side_car = FOLDER / "labelsTr" / f"{name}.json"
            side_car.write_text(json.dumps({"instances": classes}) + "\n")
    (FOLDER / "dataset.json").write_text(json.dumps(DESCRIPTION, indent=2) + "\n")


if __name__ == "__main__":
    main()
