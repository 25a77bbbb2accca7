"""Show a model objects as large and as bright as it knows them.

An image is seen through a view: enlarged or made smaller, and dark objects on a bright
ground made bright. Nothing is thrown away: predictions are in the image's own grid.

Letters: D axes, *S spatial shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.spec.image import Image
from autoseg.spec.instances import Instances
from autoseg.spec.scale import Scale

Array = NDArray[Any]

EDGE = 512  # voxels of a part that is looked at, along each axis, as the network sees
FIRST = 0.5  # enlargement of the first look: a coarse one costs a quarter
LEAST = 1 / 16  # no image is looked at smaller than that
FEW = 3  # objects that say nothing of others' size


@dataclass(frozen=True)
class View:
    """How an image is seen.

    Parameters
    ----------
    factor : float
        By which it is enlarged.
    inverted : bool
        Whether dark and bright are exchanged.
    """

    factor: float = 1.0
    inverted: bool = False

    def of(self, image: Image) -> Image:
        """Return the image through this view; the given one is left as it is.

        Its voxels stay: they count as larger, so that the network's grid, which has a
        fixed edge, gets more of them.
        """
        if self.inverted:
            values = np.asarray(image.array, dtype=np.float32)
            axes = tuple(range(1, values.ndim))
            high, low = values.max(axes, keepdims=True), values.min(axes, keepdims=True)
            image = replace(image, array=high + low - values)
        if self.factor == 1:
            return image
        spacing = tuple(edge * self.factor for edge in image.geometry.spacing)
        return replace(image, geometry=replace(image.geometry, spacing=spacing))


@dataclass(frozen=True)
class Looked:
    """What was seen in a part of an image.

    Parameters
    ----------
    diameters : tuple of float
        Of objects that are not cut by the border, in the image's own unit.
    sure : float
        Sum of their scores.
    """

    diameters: tuple[float, ...]
    sure: float = 0.0

    @property
    def usual(self) -> float | None:
        """The median; None where there are too few."""
        few = len(self.diameters) < FEW
        return None if few else float(np.median(self.diameters))


def measured(found: Instances, spacing: Sequence[float]) -> Looked:
    """Return the sizes of objects.

    Parameters
    ----------
    found : Instances
        In a grid.
    spacing : sequence of float, length D
        Of that grid, in the image's own unit.
    """
    labels = np.asarray(found.labels)
    count = int(labels.max(initial=0))
    voxels = np.bincount(labels.ravel(), minlength=count + 1).astype(float)
    for axis in range(labels.ndim):
        for side in (0, -1):
            voxels[np.take(labels, side, axis)] = 0
    voxels[0] = 0
    whole = np.flatnonzero(voxels)
    unit = math.pi / 4 if labels.ndim == 2 else math.pi / 6
    sizes = voxels[whole] * math.prod(spacing) / unit
    scores = [found.scores.get(int(i), 0.0) for i in whole]
    return Looked(tuple((sizes ** (1 / labels.ndim)).tolist()), float(sum(scores)))


def find_view(
    image: Image, scale: Scale, look: Callable[[Image, View], Instances]
) -> View:
    """Return how an image has to be seen.

    Parameters
    ----------
    image : Image
        In the model's unit of length.
    scale : Scale
        What the model knows.
    look : callable
        Predicts an image through a view, in the image's grid.

    Returns
    -------
    View
        The plain one if too little is found to say more.
    """

    def seen(factor: float, inverted: bool) -> Looked:
        part = liveliest(image, round(EDGE / factor))
        found = look(part, View(factor, inverted))
        return measured(found, image.geometry.spacing)

    inverted = False
    if bright_ground(image.array):
        plain, dark = seen(1.0, False), seen(1.0, True)
        inverted = dark.sure > plain.sure
    factor = FIRST
    usual = seen(factor, inverted).usual
    if usual is None or usual * factor < scale.low:
        factor = 1.0  # too small to be seen so, or nothing there
        usual = seen(factor, inverted).usual
    while usual is not None and usual * factor > scale.high and factor > LEAST:
        # Larger than the network knows: what it says of their size is not to be relied
        # on.
        factor /= 2
        again = seen(factor, inverted).usual
        if again is None:
            break
        usual = again
    return View(1.0 if usual is None else scale.factor(usual), inverted)


def bright_ground(array: Array) -> bool:
    """Return whether most of an image is nearer to its brightest than its darkest.

    Parameters
    ----------
    array : ndarray, shape (C, *S)
        The first channel counts.
    """
    values = np.asarray(array[0]).ravel()
    values = values[:: max(1, len(values) // 2**18)]
    low, middle, high = np.percentile(values, (1, 50, 99))
    return bool(middle - low > high - middle)


def liveliest(image: Image, edge: int) -> Image:
    """Return the part of an image in which intensities vary most.

    Parameters
    ----------
    image : Image
        The image.
    edge : int
        Largest edge of the part, in voxels.

    Returns
    -------
    Image
        A copy of a part, or of the whole if it is no larger.
    """
    shape = image.array.shape[1:]
    if all(size <= edge for size in shape):
        return replace(image, array=np.array(image.array, dtype=np.float32))
    starts = [
        sorted({0, max(0, size - edge) // 2, max(0, size - edge)}) for size in shape
    ]
    places = np.stack(np.meshgrid(*starts, indexing="ij"), -1).reshape(-1, len(shape))
    boxes = [tuple(slice(a, a + edge) for a in place) for place in places.tolist()]
    spread = [float(np.std(image.array[(slice(0, 1), *box)])) for box in boxes]
    box = boxes[int(np.argmax(spread))]
    part = np.array(image.array[(slice(None), *box)], dtype=np.float32)
    geometry = replace(image.geometry, shape=part.shape[1:], header={})
    return replace(image, array=part, geometry=geometry)
