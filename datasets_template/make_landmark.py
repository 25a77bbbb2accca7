"""Make datasets_template/landmark: a body in noise with two bright lobes and a tip.

Run it in this folder: ``python make_landmark.py``. The same files come out every time.
"""

import json
from pathlib import Path

import numpy as np
import SimpleITK

FOLDER = Path(__file__).parent / "landmark"
SHAPE = (14, 28, 32)
SPACING = (1.0, 1.0, 2.0)  # x, y, z in millimeters
DESCRIPTION = {
    "task": "landmark",
    "channel_names": {"0": "T1"},
    "landmarks": ["lobe_left", "lobe_right", "tip"],
    "missing_means": "absent",
    "numTraining": 6,
    "file_ending": ".nii.gz",
    "label_ending": ".json",
}


def make_case(
    rng: np.random.Generator, has_tip: bool
) -> tuple[np.ndarray, dict[str, list[float] | None]]:
    """Return an image and its points, in voxels: x, y, z."""
    places = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)
    middle = np.array(SHAPE) / 2 + rng.uniform(-1.5, 1.5, 3)
    apart = rng.uniform(5, 7)
    points = {
        "lobe_left": middle + (0, 2, apart),
        "lobe_right": middle + (0, 2, -apart),
        "tip": middle + (0, -rng.uniform(6, 8), 0) if has_tip else None,
    }
    radius = np.array(SHAPE) * 0.34
    image = 60 + 50.0 * (np.linalg.norm((places - middle) / radius, axis=-1) < 1)
    for place in points.values():
        if place is not None:
            square = (((places - place) / (1.2, 2, 2)) ** 2).sum(-1)
            image += 90 * np.exp(-square / 2)
    image += rng.normal(0, 6, SHAPE)
    # In steps of 4, so that the files are small.
    voxels = (np.round(image / 4) * 4).clip(0, 255).astype(np.uint8)
    return voxels, {
        name: None if place is None else place[::-1].round(2).tolist()
        for name, place in points.items()
    }


def write(array: np.ndarray, path: Path) -> None:
    """Write a volume."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(SPACING)
    SimpleITK.WriteImage(image, str(path), useCompression=True)


def main() -> None:
    """Write the data set."""
    rng = np.random.default_rng(0)
    (FOLDER / "labelsTr").mkdir(parents=True, exist_ok=True)
    for number in range(7):
        image, points = make_case(rng, has_tip=number != 2)
        sub = "imagesTr" if number < 6 else "imagesTs"
        write(image, FOLDER / sub / f"case_{number + 1:02d}_0000.nii.gz")
        if number < 6:
            content = {"coordinate_system": "voxel_xyz", "points": points}
            path = FOLDER / "labelsTr" / f"case_{number + 1:02d}.json"
            path.write_text(json.dumps(content) + "\n")
    (FOLDER / "dataset.json").write_text(json.dumps(DESCRIPTION, indent=2) + "\n")


if __name__ == "__main__":
    main()
