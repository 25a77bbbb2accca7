"""What one drawn patch needs, read from a stored case.

Legend: C channels, S stored spatial shape, L landmarks, D axes of the patch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from acvl_utils.cropping_and_padding.bounding_boxes import crop_and_pad_nd
from numpy.typing import NDArray

from autoseg.augmentations.pipeline import Pipeline, Sample
from autoseg.spec.annotation import OUTSIDE
from autoseg.train.data.sampler import Drawn


def read_box(
    array: Any, corner: Sequence[int], size: Sequence[int], fill: float
) -> NDArray[Any]:
    """Read a box of a stored array, filled where it hangs over.

    Parameters
    ----------
    array : array, shape (..., *S)
        blosc2 array; its last axes are cut. Only what lies inside is read.
    corner : sequence of int, length D
        Lowest index of the box along the last D axes; may be negative.
    size : sequence of int, length D
        Shape of the box.
    fill : float
        Value outside of the array.

    Returns
    -------
    ndarray, shape (..., *size)
        Of the array's dtype.
    """
    extents = array.shape[-len(size) :]
    box = [[low, low + length] for low, length in zip(corner, size, strict=True)]
    if any(b <= 0 or a >= n for (a, b), n in zip(box, extents, strict=True)):
        # acvl-utils fills what lies outside as a whole with 0, whatever is asked for.
        lead = tuple(array.shape[: len(array.shape) - len(size)])
        return np.full((*lead, *size), fill, dtype=array.dtype)
    return np.asarray(crop_and_pad_nd(array, box, pad_value=fill))


def read_sample(
    stored: Any, drawn: Drawn, patch_size: Sequence[int], previous: Any = None
) -> Sample:
    """Read what a drawn patch needs, and no voxel more.

    Parameters
    ----------
    stored : StoredCase
        ``image`` (C, *S) and ``annotation`` (*S).
    drawn : Drawn
        The patch.
    patch_size : sequence of int, length D
        Its shape.
    previous : StoredCase, optional
        In a cascade, the labels of the stage before as ``annotation`` (*S).

    Returns
    -------
    Sample
        Image float32 (C, *source) and labels int16 or, where ids are larger, int32
        (*source), with the draw.
    """
    source = tuple(drawn.augmentation.source_shape)
    corner = [
        low - (wide - patch) // 2
        for low, wide, patch in zip(drawn.corner, source, patch_size, strict=True)
    ]
    if drawn.plane is not None:  # one slice of a volume: a box one voxel thick
        corner, source = [drawn.plane, *corner], (1, *source)
    image = read_box(stored.image, corner, source, 0)
    points = stored.points
    if points is not None:
        return Sample(
            image=torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32)),
            labels=None,
            draw=drawn.augmentation,
            points=torch.from_numpy(points.coordinates - np.array(corner)),
        )
    labels = read_box(stored.annotation, corner, source, OUTSIDE)
    before = None
    if previous is not None:
        before = read_box(previous.annotation, corner, source, 0)
    if drawn.plane is not None:
        image, labels = image[:, 0], labels[0]
        before = None if before is None else before[0]
    return Sample(
        image=torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32)),
        labels=_integers(labels),
        draw=drawn.augmentation,
        previous=None if before is None else _integers(before),
        shares=getattr(stored, "shares", None),
    )


def _integers(labels: NDArray[Any]) -> torch.Tensor:
    kind = np.int16 if np.can_cast(labels.dtype, np.int16) else np.int32
    return torch.from_numpy(np.ascontiguousarray(labels, dtype=kind))


class PointTarget(NamedTuple):
    """Where the losses of points find their target.

    Parameters
    ----------
    head : str
        Whose loss learns from it.
    swapped : sequence of int, length L, or empty
        Which landmark each one is in a mirror; empty: the same.
    """

    head: str
    swapped: Sequence[int] = ()


def target_of_points(
    pipeline: Pipeline, sample: Sample, status: NDArray[Any], swapped: Sequence[int]
) -> torch.Tensor:
    """Return where the landmarks are in a patch, and what is known of them.

    Parameters
    ----------
    pipeline : Pipeline
        What happens to the sample.
    sample : Sample
        With points.
    status : ndarray of int, shape (L,)
        Of each landmark.
    swapped : sequence of int, length L, or empty
        Which landmark each one is in a mirror; empty: the same.

    Returns
    -------
    Tensor of float32, shape (L, D + 1)
        Coordinates in voxels of the patch, 0 where there is none, then the status.
    """
    places = pipeline.move_points(sample).nan_to_num()
    column = torch.from_numpy(status.astype(np.float64))[:, None]
    target = torch.cat((places, column), dim=1).float()
    if len(swapped) and pipeline.mirrors(sample.draw):
        return target[list(swapped)]
    return target
