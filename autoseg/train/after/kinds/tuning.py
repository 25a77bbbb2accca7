"""Tune the parameters of decoding on outputs for cases that were held back.

Letters: K outputs of all heads, N cropped grid, S the part of it that is looked at.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.datasets.annotations import read_annotation
from autoseg.errors import UsageError
from autoseg.model.decoding import Decoding, Part
from autoseg.parallel import default_workers
from autoseg.predict.readouts.kept import KeptOutputs
from autoseg.predict.readouts.outputs import by_head
from autoseg.predict.windows.canvas import cut_out
from autoseg.progress import Progress
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.instances import as_instances
from autoseg.tasks.instance import InstanceTask
from autoseg.tasks.instance.tuning import count_objects, filters_of, mean_ap
from autoseg.tasks.parameter_search import MOST, Parameters, Tried, search

Array = NDArray[Any]

MOST_CASES = 50  # of a fold that are tuned on
MOST_VOXELS = 2**22  # of a fold that are looked at; of larger cases the middle


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What is looked at of a case.

    Parameters
    ----------
    outputs : ndarray of float16, shape (K, *S)
        Activated.
    reference : ndarray of int32, shape S
        Annotated ids of objects.
    spacing : tuple of float, length D
        Edge of a voxel.
    cut : bool
        Whether it is a part of the case.
    """

    outputs: Array
    reference: Array
    spacing: tuple[float, ...]
    cut: bool


def cases_to_tune(cases: Sequence[str], most: int = MOST_CASES) -> list[str]:
    """Return some of the cases, spread evenly over all of them in order."""
    ordered = sorted(cases)
    count = min(most, len(ordered))
    return [ordered[i * len(ordered) // count] for i in range(count)]


def halves(cases: Sequence[str]) -> list[list[str]]:
    """Return every other case, and the rest; of one case only that."""
    ordered = sorted(cases)
    return [part for part in (ordered[::2], ordered[1::2]) if part]


def read_sample(
    kept: KeptOutputs, case: Case, dataset: Dataset, task: InstanceTask, most: int
) -> Sample:
    """Return what is looked at of a case: its outputs and its annotation.

    Parameters
    ----------
    kept : KeptOutputs
        Has the case.
    case : Case
        With an annotation.
    dataset : Dataset
        Says how annotations are read.
    task : InstanceTask
        What they mean.
    most : int
        Voxels.
    """
    if case.annotation is None:
        raise UsageError(f"{case.id} has no annotation any more.")
    inner, _ = read_annotation(case.annotation, dataset, task, case_id=case.id)
    found = as_instances(inner)
    stuff = [i for i in found.ids if found.class_of(i) in task.one_segment]
    labels = np.where(np.isin(found.labels, stuff), 0, found.labels)
    array, placement = kept.open(case.id)
    box = middle(placement.cropped_shape, most)
    reference = cut_out(labels, placement)[box]
    return Sample(
        outputs=np.asarray(array[(slice(None), *box)]),
        reference=np.ascontiguousarray(reference),
        spacing=placement.cropped_spacing,
        cut=reference.shape != placement.cropped_shape,
    )


def middle(shape: Sequence[int], most: int) -> tuple[slice, ...]:
    """Return the box in the middle with at most so many voxels; thick axes whole.

    Examples
    --------
    >>> middle((4, 100), 200)
    (slice(0, 4, None), slice(25, 75, None))
    """
    edges = list(shape)
    while math.prod(edges) > most and max(edges) > 1:
        longest = edges.index(max(edges))
        edges[longest] = (edges[longest] + 1) // 2
    return tuple(
        slice((size - edge) // 2, (size - edge) // 2 + edge)
        for size, edge in zip(shape, edges, strict=True)
    )


def tune(
    task: InstanceTask,
    samples: Mapping[str, Sample],
    parts: Sequence[Sequence[str]],
    *,
    most: int = MOST,
    workers: int | None = None,
) -> Decoding:
    """Choose parameters, and confirm them on cases that had no say.

    Parameters
    ----------
    task : InstanceTask
        As the network learned it; its parameters are the defaults.
    samples : mapping of str to Sample
        By case id.
    parts : sequence of sequences of str
        Their ids in groups: each is judged by the parameters that are best for the
        others.
    most : int
        How often all samples are decoded.
    workers : int, optional
        Samples decoded at a time; by default as many as there are cores.

    Returns
    -------
    Decoding
        The defaults, if the gain does not show.
    """
    ids = list(samples)
    axes = max(sample.reference.ndim for sample in samples.values())
    off = filters_of(task.meaning, axes)
    tried = Tried(
        candidates=task.tunable,
        defaults=task.parameters,
        filters=tuple(off),
        goodness=mean_ap,
    )
    filters = tried.combinations
    workers = max(1, min(workers or default_workers(), len(ids)))
    with (
        ThreadPoolExecutor(workers, thread_name_prefix="tune") as pool,
        Progress(most * len(ids), "tune decoding") as bar,
    ):

        def evaluate(setting: Parameters) -> Array:
            changed = task.with_parameters({**setting, **off})
            counts = []
            for name, found in zip(
                ids,
                pool.map(lambda s: _count(changed, filters, s), samples.values()),
                strict=True,
            ):
                counts.append(found)
                bar.step(name)
            return np.stack(counts)

        search(evaluate, tried, most)
        bar.step("", (most - len(tried.settings)) * len(ids))
    return _chosen(task, tried, ids, parts)


def _count(
    task: InstanceTask, filters: Sequence[Parameters], sample: Sample
) -> NDArray[np.int64]:
    outputs = by_head(sample.outputs.astype(np.float32), task)
    where = sample.spacing, sample.reference, sample.cut
    return count_objects(task.meaning, filters, outputs, *where)


def _chosen(
    task: InstanceTask, tried: Tried, ids: Sequence[str], parts: Sequence[Sequence[str]]
) -> Decoding:
    every = range(len(ids))
    best = tried.best()
    places = [[ids.index(case) for case in part] for part in parts]
    others = [[i for i in every if i not in part] for part in places]
    own = [tried.best(rest) if rest else dict(tried.defaults) for rest in others]
    sums = tried.sums(tried.defaults, every)
    before = float(mean_ap(sums))
    held_out = None
    if len(parts) > 1:
        held = [tried.sums(p, part) for p, part in zip(own, places, strict=True)]
        held_out = float(mean_ap(np.sum(held, axis=0)))
    kept = held_out is not None and held_out > before and best != tried.defaults
    return Decoding(
        decoder=task.decoding_name,
        parameters=best if kept else dict(tried.defaults),
        best=best,
        defaults=dict(tried.defaults),
        before=before,
        after=float(mean_ap(tried.sums(best, every))),
        held_out=held_out,
        kept=kept,
        parts=tuple(
            Part(cases=tuple(part), parameters=p if kept else dict(tried.defaults))
            for part, p in zip(parts, own, strict=True)
        ),
        objects=int(sums[-1]),
        tried=tried.around(best),
        evaluations=len(tried.settings),
    )
