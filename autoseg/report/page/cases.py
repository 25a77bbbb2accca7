"""The cases that a report's page shows."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autoseg.errors import AutosegError
from autoseg.evaluate.measures import MEASURES
from autoseg.progress import Progress
from autoseg.report.artist import Artist
from autoseg.report.page.html import data_uri, score
from autoseg.report.pictures.case import draw_case
from autoseg.report.pictures.slices import sheets_of
from autoseg.spec.dataset import Case
from autoseg.train.after.results import Trained

PathLike = str | os.PathLike[str]

EXAMPLES = 3
MOST_PREDICTIONS = 4  # that are shown
MOST_BYTES = 6_000_000  # of pictures and slices to scroll through, on one page
NAMES = ("best", "median", "worst")

log = logging.getLogger(__name__)


def draw_cases(
    artist: Artist | None,
    content: dict[str, Any],
    trained: Sequence[Trained],
    predictions: PathLike | None,
    images: Sequence[Case],
) -> dict[str, Any]:
    """Draw examples, the best, median and worst of what was scored, and predictions.

    Parameters
    ----------
    artist : Artist or None
        Draws; None: nothing is drawn.
    content : dict
        What the report says.
    trained : sequence of Trained
        Configurations, in the order of the content's.
    predictions : path or None
        Folder of predictions without annotation.
    images : sequence of Case
        Their images.

    Returns
    -------
    dict
        ``examples`` and ``predicted``, lists of pictures, and ``shown``, such lists by
        configuration.
    """
    shown: dict[str, Any] = {"examples": [], "shown": {}, "predicted": []}
    if artist is None:
        return shown
    cases = artist.dataset.training
    wanted: list[tuple[str, dict[str, Any], Trained | None]] = []
    annotated = [case.id for case in cases if case.annotation is not None]
    for place in spread(len(annotated), EXAMPLES):
        wanted.append(("examples", {"case": annotated[place]}, None))
    for one, described in zip(trained, content["trained"], strict=True):
        rows = [row for row in described["cases"] if row["mean"] == row["mean"]]
        places = spread(len(rows), len(NAMES))
        names = NAMES if len(places) == len(NAMES) else ("best", "worst")
        for name, place in zip(names, places, strict=False):
            row = rows[place] | {"tag": name, "measure": described["measure"]}
            wanted.append((one.name, row, one))
    rows = (content["predictions"] or {}).get("cases", [])
    odd = sorted(rows, key=lambda row: not row["warnings"])[:MOST_PREDICTIONS]
    shown["predicted"] = _predicted(artist, odd, predictions, images)
    size = 0
    with Progress(len(wanted), "pictures") as bar:
        for where, row, origin in wanted:
            drawn = _picture(artist, row, origin)
            if drawn is not None:
                slices = sum(len(s.image) + len(s.painted) for s in drawn["sheets"])
                size += len(drawn["source"])
                if size + slices > MOST_BYTES:
                    drawn["sheets"] = []  # the picture stays
                else:
                    size += slices
                group = shown if where == "examples" else shown["shown"]
                group.setdefault(where, []).append(drawn)
            bar.step(row["case"])
    return shown


def _predicted(
    artist: Artist,
    rows: Sequence[dict[str, Any]],
    folder: PathLike | None,
    images: Sequence[Case],
) -> list[dict[str, Any]]:
    """Draw predictions without annotation; those with warnings come first."""
    if folder is None:
        return []
    files, cases = artist.predictions(Path(folder)), {one.id: one for one in images}
    shown = []
    for row in rows:
        name = row["case"]
        source = _drawn(artist, cases[name], files[name], None)
        if source is not None:
            tag = "unlike" if row["warnings"] else ""
            shown.append({"case": name, **source, "tag": tag,
                          "text": " ".join(row["warnings"]),
                          "alt": f"prediction of case {name}"})  # fmt: skip
    return shown


def _drawn(
    artist: Artist, case: Case, predicted: Path | None, annotated: Path | None
) -> dict[str, Any] | None:
    """Return a picture for the page; a case that cannot be drawn costs no other."""
    try:
        view = artist.view(case, predicted, annotated)
        return {"source": data_uri(draw_case(view)), "sheets": sheets_of(view)}
    except (AutosegError, OSError) as error:
        log.warning("%s is not shown: %s", case.id, error)
        return None


def _picture(
    artist: Artist, row: dict[str, Any], trained: Trained | None
) -> dict[str, Any] | None:
    """Draw one case; one that cannot be read is told of and costs no other."""
    try:
        case = artist.dataset.case(row["case"])
        fold = trained.fold_of(case.id) if trained else None
        predicted = artist.predictions(fold.predictions).get(case.id) if fold else None
        if trained is not None and predicted is None:
            return None
    except (AutosegError, OSError) as error:
        log.warning("%s is not shown: %s", row["case"], error)
        return None
    source = _drawn(artist, case, predicted, case.annotation)
    if source is None:
        return None
    measure = row.get("measure", "")
    known = {
        name: of[measure]
        for name, of in row.get("classes", {}).items()
        if of.get(measure) is not None
    }
    heading = MEASURES[measure].heading if measure in MEASURES else measure
    scores = ", ".join(f"{name} {score(v, measure)}" for name, v in known.items())
    return {
        "case": case.id,
        **source,
        "tag": row.get("tag", ""),
        "text": f"{heading}: {scores}" if scores else "",
        "alt": f"{row.get('tag', 'example')} case {case.id}",
    }


def spread(count: int, wanted: int) -> list[int]:
    """Return places of so many, evenly spread from the first to the last.

    Examples
    --------
    >>> spread(9, 3), spread(2, 3), spread(0, 3)
    ([0, 4, 8], [0, 1], [])
    """
    if count <= wanted:
        return list(range(count))
    return [round(i * (count - 1) / (wanted - 1)) for i in range(wanted)]
