"""Tiny data sets of all tasks, in the formats that people have: four cases each.

They are written with nibabel, SimpleITK, Pillow and tifffile, not with the code under
test. A kind is a function that fills a folder; `KINDS` has them by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import SimpleITK as sitk
import tifffile
from PIL import Image

CASES, EDGE_3D, EDGE_2D = 4, 16, 32
SPACING = (2.0, 1.0, 1.0)  # of volumes that carry one
LABELS = {"background": 0, "one": 1, "two": 2}
POINTS = ["tip_left", "tip_right", "root"]


def boxes(number: int, dim: int) -> Any:
    """Return a label map of two boxes that lie elsewhere in each case."""
    random = np.random.default_rng([3, number])
    edge = EDGE_3D if dim == 3 else EDGE_2D
    found = np.zeros((edge,) * dim, np.uint8)
    for value in (1, 2):
        corner = random.integers(1, edge // 4, dim)
        corner[-1] += (value - 1) * edge // 2
        found[tuple(slice(at, at + edge // 3) for at in corner)] = value
    return found


def picture_of(labels: Any, number: int, top: float = 200.0) -> Any:
    """Return noisy values that are brighter where the label is higher."""
    random = np.random.default_rng([4, number])
    values = 60.0 * labels + random.normal(40, 5, labels.shape)
    return np.clip(values, 0, top).astype(np.float32)


def save(path: Path, values: Any, spacing: tuple[float, ...] | None = None) -> None:
    """Write an array, slowest axis first, by the file's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.name.lower()
    if name.endswith((".nii.gz", ".nii")):
        affine = np.diag([*(spacing or (1.0,) * values.ndim)[::-1], 1, 1, 1][:3] + [1])
        image = nibabel.Nifti1Image(np.ascontiguousarray(values.T), affine)
        image.header.set_xyzt_units("mm")
        nibabel.save(image, path)
    elif name.endswith((".nrrd", ".mha")):
        written = sitk.GetImageFromArray(values)
        written.SetSpacing((spacing or (1.0,) * values.ndim)[::-1])
        sitk.WriteImage(written, path)
    elif name.endswith((".tif", ".tiff")):
        tifffile.imwrite(path, values, imagej=values.dtype != np.int32)
    else:
        Image.fromarray(values.astype(np.uint8)).save(path)


def describe(folder: Path, ending: str, **entries: Any) -> None:
    """Write a dataset.json."""
    known = {"channel_names": {"0": "gray"}, "file_ending": ending}
    known |= {"numTraining": CASES, **entries}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps(known, indent=1), encoding="utf-8")


def _semantic(folder: Path, ending: str, dim: int, **entries: Any) -> None:
    for number in range(CASES + 1):
        part = "Tr" if number < CASES else "Ts"
        labels = boxes(number, dim)
        spacing = SPACING if dim == 3 else None
        for channel in range(len(entries.get("channel_names", "1"))):
            image = picture_of(labels, 10 * channel + number)
            path = folder / f"images{part}" / f"case_{number}_{channel:04d}{ending}"
            save(path, image, spacing)
        if number < CASES:
            save(folder / "labelsTr" / f"case_{number}{ending}", labels, spacing)
    describe(folder, ending, **{"labels": LABELS, **entries})


def semantic_nifti(folder: Path) -> None:
    """Fill a folder: volumes of two channels."""
    _semantic(folder, ".nii.gz", 3, channel_names={"0": "CT", "1": "MR"})


def semantic_nrrd(folder: Path) -> None:
    """Fill a folder: volumes in NRRD."""
    _semantic(folder, ".nrrd", 3)


def semantic_mha(folder: Path) -> None:
    """Fill a folder: volumes in MetaImage."""
    _semantic(folder, ".mha", 3)


def semantic_png(folder: Path) -> None:
    """Fill a folder: gray pictures."""
    _semantic(folder, ".png", 2)


def semantic_regions(folder: Path) -> None:
    """Fill a folder: regions, one inside of the other."""
    labels = {"background": 0, "whole": [1, 2], "core": [2]}
    _semantic(folder, ".nii.gz", 3, labels=labels, regions_class_order=[1, 2])


def semantic_ignore(folder: Path) -> None:
    """Fill a folder: pictures of which a part is not annotated."""
    _semantic(folder, ".png", 2, labels={**LABELS, "ignore": 3})
    for path in (folder / "labelsTr").iterdir():
        labels = np.array(Image.open(path))
        labels[-4:] = 3
        save(path, labels)


def semantic_tiff(folder: Path) -> None:
    """Fill a folder: stacks in TIFF, with a spacing in dataset.json."""
    _semantic(folder, ".tif", 3, spacing=[2.0, 1.0, 1.0], unit="um")


def _instances(folder: Path, ending: str, dim: int) -> list[Any]:
    maps = []
    for number in range(CASES + 1):
        part = "Tr" if number < CASES else "Ts"
        labels = boxes(number, dim)
        path = folder / f"images{part}" / f"case_{number}_0000{ending}"
        save(path, picture_of(labels, number))
        maps.append(labels)
    known = {"task": "instance", "labels": {"background": 0, "cell": 1}}
    describe(folder, ending, **known)
    return maps[:CASES]


def instance_png(folder: Path) -> None:
    """Fill a folder: pictures and maps of ids."""
    for number, labels in enumerate(_instances(folder, ".png", 2)):
        save(folder / "labelsTr" / f"case_{number}.png", labels)


def instance_tiff(folder: Path) -> None:
    """Fill a folder: stacks and maps of ids."""
    for number, labels in enumerate(_instances(folder, ".tif", 3)):
        save(folder / "labelsTr" / f"case_{number}.tif", labels)


def instance_masks(folder: Path) -> None:
    """Fill a folder: pictures, and a folder of masks for each."""
    for number, labels in enumerate(_instances(folder, ".png", 2)):
        for value in (1, 2):
            mask = 255 * (labels == value)
            save(folder / "labelsTr" / f"case_{number}" / f"mask_{value}.png", mask)


def instance_coco(folder: Path) -> None:
    """Fill a folder: pictures, and one file in COCO's format."""
    images, objects = [], []
    for number, labels in enumerate(_instances(folder, ".png", 2)):
        edges = {"width": EDGE_2D, "height": EDGE_2D}
        images.append({"id": number, "file_name": f"case_{number}_0000.png", **edges})
        for value in (1, 2):
            rows, columns = np.nonzero(labels == value)
            left, top = int(columns.min()), int(rows.min())
            right, below = int(columns.max()) + 1, int(rows.max()) + 1
            corners = [left, top, right, top, right, below, left, below]
            objects.append(
                {
                    "id": len(objects) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "iscrowd": 0,
                    "segmentation": [corners],
                    "bbox": [left, top, right - left, below - top],
                    "area": (right - left) * (below - top),
                }
            )
    categories = [{"id": 1, "name": "cell"}]
    known = {"images": images, "annotations": objects, "categories": categories}
    (folder / "labelsTr.json").write_text(json.dumps(known), encoding="utf-8")


def _places(number: int, dim: int) -> dict[str, list[float]]:
    """Return points, slowest axis first, in voxels."""
    labels = boxes(number, dim)
    first = np.argwhere(labels == 1)
    second = np.argwhere(labels == 2)
    middles = (first.mean(0), second.mean(0), first.min(0))
    return {
        name: [float(v) for v in middle]
        for name, middle in zip(POINTS, middles, strict=True)
    }


def _landmarks(folder: Path, ending: str, dim: int, **entries: Any) -> None:
    for number in range(CASES + 1):
        part = "Tr" if number < CASES else "Ts"
        path = folder / f"images{part}" / f"case_{number}_0000{ending}"
        spacing = SPACING if dim == 3 else None
        save(path, picture_of(boxes(number, dim), number), spacing)
    describe(folder, ending, **{"task": "landmark", "landmarks": POINTS, **entries})


def landmark_json(folder: Path) -> None:
    """Fill a folder: volumes, and a JSON of points for each."""
    _landmarks(folder, ".nii.gz", 3)
    (folder / "labelsTr").mkdir()
    for number in range(CASES):
        places = {name: at[::-1] for name, at in _places(number, 3).items()}
        points = {"coordinate_system": "voxel_xyz", "points": places}
        path = folder / "labelsTr" / f"case_{number}.json"
        path.write_text(json.dumps(points), encoding="utf-8")


def landmark_table(folder: Path) -> None:
    """Fill a folder: pictures, and one table of points."""
    _landmarks(folder, ".png", 2, spacing=[0.5, 0.5])
    rows = ["case,landmark,x,y"]
    for number in range(CASES):
        for name, (y, x) in _places(number, 2).items():
            rows.append(f"case_{number},{name},{x:g},{y:g}")
    (folder / "labelsTr.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def landmark_coco(folder: Path) -> None:
    """Fill a folder: pictures, and one file of COCO's key points."""
    _landmarks(folder, ".png", 2)
    images, found = [], []
    for number in range(CASES):
        edges = {"width": EDGE_2D, "height": EDGE_2D}
        images.append({"id": number, "file_name": f"case_{number}_0000.png", **edges})
        places = _places(number, 2).values()
        flat = [v for y, x in places for v in (x, y, 2)]
        entry = {"id": number + 1, "image_id": number, "category_id": 1}
        found.append({**entry, "keypoints": flat, "num_keypoints": len(POINTS)})
    categories = [{"id": 1, "name": "thing", "keypoints": POINTS}]
    known = {"images": images, "annotations": found, "categories": categories}
    (folder / "labelsTr.json").write_text(json.dumps(known), encoding="utf-8")


KINDS: dict[str, Callable[[Path], None]] = {
    make.__name__: make
    for make in (
        semantic_nifti,
        semantic_nrrd,
        semantic_mha,
        semantic_png,
        semantic_regions,
        semantic_ignore,
        semantic_tiff,
        instance_png,
        instance_tiff,
        instance_masks,
        instance_coco,
        landmark_json,
        landmark_table,
        landmark_coco,
    )
}
