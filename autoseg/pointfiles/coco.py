"""COCO keypoints: one file for all pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from autoseg.errors import FormatError
from autoseg.pointfiles import POINTFILES
from autoseg.pointfiles._text import keys_of, load_json, rounded
from autoseg.pointfiles.base import Entry, Item, PointFile, image_case
from autoseg.spec.foreign.coco import (
    CocoImage,
    id_of,
    images_of,
    lost_sentence,
    sorted_by_image,
)
from autoseg.spec.points import ABSENT, PRESENT

LABELED = 2  # v = 1 is labeled but hidden, v = 0 not labeled


@POINTFILES.register
class CocoKeypoints(PointFile):
    """``keypoints`` of x, y, v; names are those of the category.

    Locations count from 0 at the center of the first pixel, as COCO's own do
    (https://cocodataset.org/#format-data); say ``"coordinates": {"origin": "corner"}``
    in dataset.json for tools that measure from the corner. v = 0 is not labeled, which
    `missing_means` interprets. An absent point is written with v = 0 and listed under
    ``absent``, which other tools pass over.
    """

    endings: ClassVar[tuple[str, ...]] = (".coco.json", ".json")
    written_ending = ".coco.json"
    holds_many = True
    is_sure = True

    def claims(self, path: Path) -> bool:
        return {"annotations", "categories"} <= keys_of(path)

    def parse(self, path: Path, count: int | None = None) -> list[Entry]:
        raw = load_json(path)
        try:
            names = {
                id_of(c["id"]): c["keypoints"]
                for c in raw["categories"]
                if c.get("keypoints")
            }
            images = images_of(raw["images"], image_case)
            rows = [a for a in raw["annotations"] if id_of(a["category_id"]) in names]
            own, lost = sorted_by_image(rows, images)
            if lost:
                raise FormatError(
                    f"{lost_sentence(lost)} Correct their image_id, or take them out."
                )
            return [
                _entry(image, names, annotations)
                for image, annotations in zip(images, own, strict=True)
                if annotations
            ]
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise FormatError(
                f"it is no COCO file of keypoints: {error!r} is missing or wrong."
            ) from None

    def text(self, items: Sequence[Item]) -> str:
        if any(item.points.dim != 2 for item in items):
            raise FormatError("COCO keypoints have two axes; write .json or .mrk.json.")
        names = list(items[0].points.names)
        category = {"id": 1, "name": "landmarks", "keypoints": names, "skeleton": []}
        images, annotations = [], []
        for number, item in enumerate(items, start=1):
            shape = item.geometry.shape if item.geometry else (0, 0)
            images.append(
                {
                    "id": number,
                    "file_name": item.image or item.case,
                    "height": shape[0],
                    "width": shape[1],
                }
            )
            annotations.append(_annotation(number, item))
        content = {
            "images": images,
            "annotations": annotations,
            "categories": [category],
        }
        return json.dumps(rounded(content), indent=1) + "\n"


def _entry(
    image: CocoImage,
    names_of: Mapping[str, Sequence[str]],
    annotations: Sequence[Mapping[str, Any]],
) -> Entry:
    """Return the one annotation of a picture."""
    if image.fault:
        raise FormatError(f"{image.case!r}: {image.fault}.")
    if len(annotations) > 1:
        raise FormatError(
            f"{image.case!r} has several annotations with keypoints; a landmark task "
            "has one for each picture."
        )
    (annotation,) = annotations
    names = names_of[id_of(annotation["category_id"])]
    flat = annotation["keypoints"]
    if len(flat) != 3 * len(names):
        raise FormatError(
            f"{image.name} has {len(flat)} numbers for {len(names)} keypoints; there "
            "must be x, y, v for each."
        )
    absent = set(annotation.get("absent", ()))
    points: dict[str, Any] = {}
    for i, name in enumerate(names):
        x, y, visible = flat[3 * i : 3 * i + 3]
        place = [float(x), float(y)] if visible else None
        points[name] = (place, ABSENT if name in absent else None)
    scores = annotation.get("scores", ())
    details = {n: {"score": s} for n, s in zip(names, scores, strict=False)}
    return Entry(case=image.case, points=points, details=details, shape=image.shape)


def _annotation(number: int, item: Item) -> dict[str, Any]:
    points = item.points
    there = points.present
    places = np.where(there[:, None], points.coordinates[:, ::-1], 0.0)
    rows = np.column_stack([places, np.where(there, LABELED, 0)])
    low, high = (
        (f(places[there], axis=0) for f in (np.min, np.max))
        if there.any()
        else (np.zeros(2), np.zeros(2))
    )
    found: dict[str, Any] = {
        "id": number,
        "image_id": number,
        "category_id": 1,
        "iscrowd": 0,
        "keypoints": [v for x, y, s in rows.tolist() for v in (x, y, int(s))],
        "num_keypoints": int(there.sum()),
        "bbox": [*low.tolist(), *(high - low).tolist()],
        "area": float(np.prod(high - low)),
        "absent": [
            name
            for name, status in zip(points.names, points.status, strict=True)
            if status not in (PRESENT, 2)
        ],
    }
    if "score" in points.details:
        scores = np.asarray(points.details["score"], dtype=float)
        found["scores"] = scores.tolist()
        found["score"] = float(np.nanmean(scores)) if np.isfinite(scores).any() else 0.0
    return found
