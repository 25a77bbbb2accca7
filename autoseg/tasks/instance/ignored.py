"""What nobody annotated: how losses are told to leave it out, and where it is.

Legend: S spatial shape, C channels of a head.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from autoseg.representations.base import Ids, Representation
from autoseg.spec.annotation import IGNORED
from autoseg.spec.choice import Choice
from autoseg.spec.head import Head
from autoseg.tasks.base import Array


def leaving_out(head: Head) -> Head:
    """Return a head whose loss leaves out what nobody annotated."""
    options = {**head.loss.options, "ignore_index": IGNORED}
    return replace(head, loss=Choice(name=head.loss.name, options=options))


def blank(
    targets: Mapping[str, Array], labels: Ids, representation: Representation
) -> None:
    """Say in targets which voxels do not count: labels are `IGNORED`, numbers NaN.

    Parameters
    ----------
    targets : mapping of str to ndarray, shape S or (C, *S)
        By head, of the network's own; changed in place.
    labels : ndarray of int32, shape S
        Map of objects, `IGNORED` where nobody annotated.
    representation : Representation
        Says of which voxels its targets are not known, where it is others than those.
    """
    ignored: NDArray[np.bool_] = labels == IGNORED
    if not ignored.any():
        return
    others = representation.unknown(labels, ignored)
    for name, target in targets.items():
        unknown = others.get(name, ignored)
        if target.dtype.kind != "f":
            target[..., unknown] = IGNORED  # of layers, each
        elif unknown.ndim == target.ndim:
            target[unknown] = np.nan
        else:
            target[:, unknown] = np.nan
