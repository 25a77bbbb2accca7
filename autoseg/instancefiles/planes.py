"""Instances plane by plane, as programs for 2-D outlines want them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from autoseg.instancefiles.measure import Measured
from autoseg.instancefiles.outline import Ring, outlines
from autoseg.spec.instances import Instances


@dataclass(frozen=True)
class Plane:
    """What one plane shows of one instance.

    Parameters
    ----------
    number : int
        Position of the instance among those that were measured.
    z : int
        The plane; 0 of a 2-D image.
    pieces : list of list of ring
        See `outlines`.
    """

    number: int
    z: int
    pieces: list[list[Ring]]


def planes_of(
    instances: Instances, measured: Measured, corners: bool = False
) -> Iterator[Plane]:
    """Yield the outlines of each instance in each plane where it is.

    Parameters
    ----------
    instances : Instances
        The map, shape (Y, X) or (Z, Y, X).
    measured : Measured
        Of it.
    corners : bool
        See `outlines`.

    Yields
    ------
    Plane
        In the order of ids, then of planes.
    """
    for number, instance in enumerate(measured.ids):
        box = measured.box(number)
        top, left = box[-2].start, box[-1].start
        masks = instances.mask_of(int(instance), box).inside
        if masks.ndim == 2:
            masks = masks[None]
        first = 0 if len(box) == 2 else box[0].start
        for z, mask in enumerate(masks, start=first):
            if mask.any():
                yield Plane(number, z, outlines(mask, top, left, corners))
