"""The fine stage of landmarks: a closer look at where a coarse stage found them.

The network of the fine stage sees a window of a few millimeters about each landmark and
nothing else of the image, so that prediction takes little time however large that is.

Letters: L landmarks, P patch, D axes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from torch import nn

from autoseg.landmarks.shape import ShapePrior
from autoseg.predict.readouts._points.second_look import SEEN, corrected, doubted_views
from autoseg.predict.readouts._points.turned import turned_copies
from autoseg.predict.readouts._points.views import View, predict_points, restore
from autoseg.predict.readouts.consensus import combine
from autoseg.predict.windows.window import Cuttable, Windows, counted
from autoseg.preprocess.case import Prepared
from autoseg.preprocess.points import place_coordinates
from autoseg.spec.points import ABSENT, PRESENT, Points
from autoseg.tasks.landmark import REACH, LandmarkTask

# What is looked at, where in it if that is known, and what brings points back.
_Look = tuple[Cuttable, list[View] | None, Callable[[Points], Points]]


def find_landmarks(
    networks: Sequence[nn.Module],
    prepared: Prepared,
    windows: Windows,
    task: LandmarkTask,
    coarse: Points | None = None,
    *,
    prior: ShapePrior | None = None,
    stride: Sequence[int] = (),
    precision: str = "fp32",
    progress: Callable[[int, int], None] | None = None,
    copies: int = 1,
) -> Points:
    """Return landmarks from an image, or from windows about what is known already.

    Parameters
    ----------
    networks : sequence of Module
        One for each fold, on their device.
    prepared : Prepared
        The image on the network's grid.
    windows : Windows
        Patch and mirrors.
    task : LandmarkTask
        Names and decodes them.
    coarse : Points, optional
        Of a fine stage, what the coarse one found, in voxels of the image.
    prior : ShapePrior, optional
        Which shapes are usual. Without a coarse stage, points that do not fit the
        others are looked for again: `autoseg.predict.readouts._points.second_look`.
    stride : sequence of int, length D, optional
        How many voxels an output is long; by default one.
    precision : str
        Of the networks' layers.
    progress : callable, optional
        Told windows done and windows in all.
    copies : int
        Images that are looked at: the image, and others that are turned and scaled.

    Returns
    -------
    Points
        In voxels of the image; see `join` if there is a coarse stage.
    """
    placement, shape = prepared.placement, prepared.array.shape[1:]
    places = None
    if coarse is not None:
        coarse = coarse.ordered(task.classes, ABSENT)
        places = place_coordinates(coarse.coordinates, placement)
    ask = partial(
        predict_points,
        networks,
        windows=windows,
        task=task,
        spacing=placement.spacing,
        # In training one of L patches is about a landmark, here each one is.
        likelier=1 if coarse is None else len(task.classes),
        stride=stride,
        precision=precision,
    )
    looks: list[_Look] = [
        (prepared.array, _views_of(places, shape, windows.patch), _as_it_is)
    ]
    for copy in turned_copies(prepared.array, placement.spacing, copies):
        there = None if places is None else copy.there(places)
        looks.append((copy, _views_of(there, shape, windows.patch), copy.restore))
    each = windows.grid(shape).count
    count = counted(progress, sum(each if v is None else len(v) for _, v, _ in looks))
    opinions = [
        restored(points)
        for array, views, restored in looks
        for points in ask(array, views=views, progress=count)
    ]
    found = combine(opinions, task, placement.spacing)
    if coarse is not None:
        return join(coarse, restore(as_seen(found, task), placement), task)
    again = (
        [] if prior is None else doubted_views(found, prior, placement.spacing, windows)
    )
    if again:
        seen = ask(prepared.array, views=again)
        second = combine(seen, task, placement.spacing)
        found = corrected(found, second, again)
    return restore(found, placement)


def _as_it_is(points: Points) -> Points:
    return points


def _views_of(
    places: NDArray[np.float64] | None, shape: Sequence[int], patch: Sequence[int]
) -> list[View] | None:
    """Return where to look for what, if it is known where landmarks may be."""
    return None if places is None else views_of(places, shape, patch)


def views_of(
    places: NDArray[np.float64], shape: Sequence[int], patch: Sequence[int]
) -> list[View]:
    """Return windows that have landmarks in their middle, as few as go.

    As in training a landmark is up to `REACH` of an edge away from the middle, and a
    window does not begin before the image. No further from where it is expected may
    a landmark be found. The window about the landmark that has most
    of the others in its middle comes first.

    Parameters
    ----------
    places : ndarray of float, shape (L, D)
        Where they are expected, in voxels; NaN: nowhere.
    shape, patch : sequence of int, length D
        Of the array and of a window.
    """
    edges = np.asarray(patch)
    # Where the image is shorter than a window, that is in the window's middle.
    lowest = -(np.maximum(edges - np.asarray(shape) + 1, 0) // 2)
    left = np.flatnonzero(np.isfinite(places).all(1))
    views = []
    while len(left):
        there = places[left]
        apart = np.abs(there[:, None] - there)
        with_me: NDArray[np.bool_] = np.all(apart <= REACH * edges, axis=2)
        most = int(with_me.sum(1).argmax())
        corner = np.maximum(np.floor(there[most] + 0.5) - edges // 2, lowest)
        mine = left[with_me[most]]
        inside = places[mine] - corner
        low = np.floor(np.clip(inside - REACH * edges, 0, edges - 1)).astype(int)
        high = np.ceil(np.clip(inside + REACH * edges, 1, edges)).astype(int)
        boxes = zip(low.tolist(), high.tolist(), strict=True)
        views.append(
            View(
                corner=tuple(map(int, corner)),
                landmarks=frozenset(mine.tolist()),
                boxes={
                    number: (tuple(first), tuple(last))
                    for number, (first, last) in zip(mine.tolist(), boxes, strict=True)
                },
            )
        )
        left = left[~with_me[most]]
    return views


def join(coarse: Points, fine: Points, task: LandmarkTask) -> Points:
    """Return what a coarse and a fine stage say together about an image.

    Parameters
    ----------
    coarse : Points
        From `restore`.
    fine : Points
        From `restore` of `as_seen`.
    task : LandmarkTask
        Names them.

    Returns
    -------
    Points
        Whether a point is there is what the coarse stage says. Where it is, is what
        the fine one says if it sees the point in its window; else the coarse place
        stays. The score of a point that was looked for is the mean of both.
    """
    coarse = coarse.ordered(task.classes, ABSENT)
    better = coarse.present & fine.present
    count, dim = coarse.coordinates.shape
    # Files of others say nothing but where points are.
    sure = coarse.details.get("score", coarse.present.astype(float))
    unsure = np.full((count, dim, dim), np.nan)
    covariance = coarse.details.get("covariance", unsure)
    before = coarse.details.get("peak", coarse.coordinates)
    places = np.where(better[:, None], fine.details["peak"], before)
    score = np.where(coarse.present, (sure + fine.details["score"]) / 2, sure)
    return Points(
        task.classes,
        places,
        coarse.status,
        {
            "score": score,
            "covariance": np.where(
                better[:, None, None], fine.details["covariance"], covariance
            ),
            "peak": places,
        },
        coarse.shape,
    )


def as_seen(points: Points, task: LandmarkTask) -> Points:
    """Return points of a fine stage, present if they are in their windows.

    Parameters
    ----------
    points : Points
        From `combine`.
    task : LandmarkTask
        Names them.

    Returns
    -------
    Points
        With the chance to be in the window as the score, and a place if that is at
        least `SEEN`.
    """
    here = points.details["here"]
    return Points(
        task.classes,
        points.details["peak"],
        np.where(here >= SEEN, PRESENT, ABSENT),
        {**points.details, "score": here},
        points.shape,
    )
