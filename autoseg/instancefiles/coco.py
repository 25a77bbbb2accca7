"""COCO's JSON of one image: masks as run lengths [1]_.

.. [1] Lin et al., "Microsoft COCO: common objects in context", ECCV 2014.
   arXiv:1405.0312; the format: cocodataset.org, "Data format".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import UsageError
from autoseg.instancefiles._listing import write_listing
from autoseg.instancefiles.measure import Measured
from autoseg.spec.instances import Instances


def write_coco(
    path: Path,
    instances: Instances,
    measured: Measured,
    *,
    classes: Mapping[int, str],
    image: str,
) -> None:
    """Write the instances of a 2-D image as a COCO data set of one image.

    Parameters
    ----------
    path : Path
        The file, written atomically.
    instances : Instances
        The map, shape (H, W).
    measured : Measured
        Of it.
    classes : mapping of int to str
        Names of classes by number.
    image : str
        Name of the image's file.

    Raises
    ------
    UsageError
        If the map is not 2-D.
    """
    if instances.labels.ndim != 2:
        raise UsageError("COCO's JSON describes 2-D images; this one is 3-D.")
    height, width = instances.labels.shape
    head = {
        "images": [{"id": 1, "file_name": image, "height": height, "width": width}],
        "categories": [{"id": k, "name": name} for k, name in classes.items()],
    }
    numbers = range(len(measured.ids))
    entries = (_annotation(number, instances, measured) for number in numbers)
    write_listing(path, head, "annotations", entries)


def _annotation(number: int, instances: Instances, measured: Measured) -> Any:
    instance, box = int(measured.ids[number]), measured.box(number)
    mask = instances.mask_of(instance, box).inside
    (top, bottom), (left, right) = ((edge.start, edge.stop) for edge in box)
    height, width = instances.labels.shape
    score = float(measured.scores[number])
    return {
        "id": instance,
        "image_id": 1,
        "category_id": int(measured.classes[number]),
        "iscrowd": 0,
        "area": int(mask.sum()),
        "bbox": [left, top, right - left, bottom - top],
        "segmentation": {
            "size": [height, width],
            "counts": run_lengths(mask, top, left, height, width),
        },
        **({} if math.isnan(score) else {"score": score}),
    }


def run_lengths(
    mask: NDArray[np.bool_], top: int, left: int, height: int, width: int
) -> list[int]:
    """Return the run lengths of a mask in an image, column by column.

    Parameters
    ----------
    mask : ndarray of bool, shape (h, w)
        Not empty.
    top, left : int
        Where in the image it begins.
    height, width : int
        Of the image.

    Returns
    -------
    list of int
        Pixels outside, inside, outside, ... in turn.

    Examples
    --------
    >>> run_lengths(np.array([[True], [True]]), 1, 1, 4, 3)
    [5, 2, 5]
    """
    x, y = np.nonzero(mask.T)
    places = (x + left) * height + y + top
    new = np.flatnonzero(np.diff(places, prepend=-2) > 1)
    starts, stops = places[new], places[np.append(new[1:], len(places)) - 1] + 1
    edges = np.stack([starts, stops], axis=1).ravel()
    runs = np.diff(edges, prepend=0, append=height * width)
    counts = [int(run) for run in runs]
    return counts if counts[-1] else counts[:-1]
