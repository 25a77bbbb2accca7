"""Make datasets_template/semantic: two bodies in noise, the smaller inside the larger.

Run it in this folder: ``python make_semantic.py``. The same files come out every time.
"""

import json
from pathlib import Path

import numpy as np
import SimpleITK

FOLDER = Path(__file__).parent / "semantic"
SHAPE = (14, 28, 24)
SPACING = (1.0, 1.0, 2.0)  # x, y, z in millimeters
DESCRIPTION = {
    "channel_names": {"0": "T1"},
    "labels": {"background": 0, "body": 1, "core": 2},
    "numTraining": 6,
    "file_ending": ".nii.gz",
}


def make_case(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return an image and its label map."""
    places = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)
    center = np.array(SHAPE) / 2 + rng.uniform(-2, 2, 3)
    radius = np.array(SHAPE) * rng.uniform(0.25, 0.35, 3)
    far = np.linalg.norm((places - center) / radius, axis=-1)
    labels = (far < 1).astype(np.uint8) + (far < 0.5)
    # In steps of 4, so that the files are small.
    image = 60 + 60 * labels + rng.normal(0, 6, SHAPE)
    return (np.round(image / 4) * 4).clip(0, 255).astype(np.uint8), labels


def write(array: np.ndarray, path: Path) -> None:
    """Write a volume."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(SPACING)
    SimpleITK.WriteImage(image, str(path), useCompression=True)


def main() -> None:
    """Write the data set."""
    rng = np.random.default_rng(0)
    for number in range(7):
        image, labels = make_case(rng)
        sub = "imagesTr" if number < 6 else "imagesTs"
        write(image, FOLDER / sub / f"case_{number + 1:02d}_0000.nii.gz")
        if number < 6:
            write(labels, FOLDER / "labelsTr" / f"case_{number + 1:02d}.nii.gz")
    (FOLDER / "dataset.json").write_text(json.dumps(DESCRIPTION, indent=2) + "\n")


if __name__ == "__main__":
    main()
