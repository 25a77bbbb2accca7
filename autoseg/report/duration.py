"""How long a page will take, by drawing one of its pictures before."""

from __future__ import annotations

import time

from autoseg.errors import AutosegError
from autoseg.figures.figure import figure_bytes, new_figure
from autoseg.report.artist import Artist
from autoseg.report.page.cases import EXAMPLES
from autoseg.report.page.html import data_uri
from autoseg.report.pictures.case import draw_case
from autoseg.report.pictures.slices import sheets_of
from autoseg.spec.dataset import Case, Dataset

PICTURES = 2 * EXAMPLES  # examples, and what was scored of one configuration
ROOM = 1.5  # of what was measured: a prediction is drawn beside the annotation
REST = 5.0  # seconds of all but pictures: tables, charts, calibration, confusion


def page_seconds(dataset: Dataset) -> float:
    """Return how long the page of a data set will take once something is trained.

    Parameters
    ----------
    dataset : Dataset
        One of its annotated cases is read and drawn, and the picture thrown away.

    Returns
    -------
    float
        Seconds, with some room. Of a data set whose cases are not drawn, those of the
        rest of the page.
    """
    annotated = [case for case in dataset.training if case.annotation is not None]
    if not annotated:
        return REST
    case = annotated[len(annotated) // 2]
    try:
        seconds = _seconds(Artist(dataset=dataset), case)
    except (AutosegError, OSError):  # the page shows no picture of it either
        return REST
    return REST + ROOM * PICTURES * seconds


def _seconds(artist: Artist, case: Case) -> float:
    figure_bytes(new_figure(1, 1))  # loads what draws, once for all pictures
    start = time.monotonic()
    view = artist.view(case, None, case.annotation)
    data_uri(draw_case(view))
    sheets_of(view)
    return time.monotonic() - start
