"""A picture of three cases with what is drawn on them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from autoseg.errors import AutosegError
from autoseg.report.artist import Artist
from autoseg.report.evaluation import OTHER_PLANES, PLANES
from autoseg.report.pictures.layers import Layer
from autoseg.report.pictures.overlay import OverlayCase, plot_overlay
from autoseg.spec.dataset import Dataset

SHOWN = 3
NO_WORDS = ("prediction", "error")  # of the legend: nothing is predicted here
log = logging.getLogger(__name__)


def draw(dataset: Dataset, path: Path) -> bool:
    """Draw three cases of a data set, evenly spread over it.

    Parameters
    ----------
    dataset : Dataset
        With its cases.
    path : Path
        The PNG file, written atomically.

    Returns
    -------
    bool
        Whether there is a picture; what cannot be drawn is told of.
    """
    artist = Artist(dataset=dataset)
    last = len(dataset.training) - 1
    chosen = dict.fromkeys(round(n * last / (SHOWN - 1)) for n in range(SHOWN))
    rows = []
    for number in chosen:
        case = dataset.training[number]
        try:
            view = artist.view(case, None, case.annotation)
        except (AutosegError, OSError) as error:
            log.warning("%s is not in the picture: %s", case.id, error)
            continue
        view = replace(view, layer=_Drawn(view.layer))
        rows.append(OverlayCase(name=case.id, view=view))
    dims = {len(row.view.spacing) for row in rows}
    if len(dims) != 1:
        return False
    planes = PLANES if rows[0].view.unit == "mm" else OTHER_PLANES
    plot_overlay(
        rows,
        path,
        colors=artist.colors,
        title=f"{dataset.name}: {dataset.task}",
        foot="as the annotations are understood",
        planes=planes if dims == {3} else (),
        through=artist.kind.through,
    )
    return True


class _Drawn(Layer):
    """What a person drew, alone, and called so."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer

    def focus(self) -> Any:
        return self._layer.focus()

    def draw(self, axes: Any, plane: Any) -> None:
        self._layer.draw(axes, plane)

    def legend(self) -> list[Any]:
        kept = [h for h in self._layer.legend() if h.get_label() not in NO_WORDS]
        for handle in kept:
            if handle.get_label() == "truth":
                handle.set_label("annotation")
        return kept

    def side_by_side(self) -> Mapping[str, Layer]:
        sides = self._layer.side_by_side()
        return {"annotation": next(iter(sides.values()))}
