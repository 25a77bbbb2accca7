"""In which order images teach most when they are annotated; arithmetic alone.

An image teaches where the model is unsure of it, and where nothing like it is annotated
yet. Images are chosen one after the other, and each that is chosen counts as annotated
from then on, so that two alike do not follow each other: the greedy choice of Sener and
Savarese, "Active learning for convolutional neural networks: a core-set approach",
ICLR 2018, with the model's doubt beside the distance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from autoseg.teaching.features import Vector, distances

FAR = 2.0  # deviations from which on an image is called unlike training
UNSURE = 0.8  # quality below which it is called unsure
COPY = 0.25  # deviations below which it is called like one before


@dataclass(frozen=True, kw_only=True)
class Ranked:
    """An image and what annotating it would teach.

    Parameters
    ----------
    case : str
        Its id.
    quality : float
        What the model thinks of its own prediction, from 0 to 1; NaN: found nothing.
    unlike : float
        Distance to the nearest annotated image (`features.distances`).
    score : float
        From 0 to 1; after the images before it in the list.
    because : tuple of str
        In words.
    """

    case: str
    quality: float
    unlike: float
    score: float
    because: tuple[str, ...]


def rank(
    qualities: Mapping[str, float],
    features: Mapping[str, Vector],
    annotated: Sequence[Vector],
) -> list[Ranked]:
    """Return images in the order in which to annotate them.

    Parameters
    ----------
    qualities : mapping of str to float
        By case, from 0 to 1; NaN: nothing was found.
    features : mapping of str to ndarray
        Of the same cases.
    annotated : sequence of ndarray
        Features of the images that are annotated already, one at least.

    Returns
    -------
    list of Ranked
        The score is the mean of doubt, 1 - quality, and strangeness, d / (1 + d), with
        d the distance to the nearest image that is annotated or was chosen before.
    """
    cases = list(features)
    vectors = [features[case] for case in cases]
    doubt = np.array([_doubt(qualities[case]) for case in cases])
    known = distances(vectors, annotated).min(axis=1)
    among = distances(vectors, vectors, usual=annotated)
    near, left, found = known.copy(), list(range(len(cases))), []
    while left:
        scores = (doubt[left] + near[left] / (1 + near[left])) / 2
        best = left[int(np.argmax(scores))]
        found.append(
            Ranked(
                case=cases[best],
                quality=float(qualities[cases[best]]),
                unlike=round(float(known[best]), 4),
                score=round(float(scores.max()), 4),
                because=_because(qualities[cases[best]], known[best], near[best]),
            )
        )
        left.remove(best)
        near = np.minimum(near, among[best])
    return found


def _doubt(quality: float) -> float:
    return 1.0 if math.isnan(quality) else min(max(1.0 - quality, 0.0), 1.0)


def _because(quality: float, known: float, near: float) -> tuple[str, ...]:
    words = []
    if math.isnan(quality):
        words.append("nothing found")
    elif quality < UNSURE:
        words.append("unsure")
    if known > FAR:
        words.append("unlike training")
    if near < min(known, COPY):
        words.append("like one before")
    return tuple(words)
