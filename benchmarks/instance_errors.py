"""Where the mean AP of instances is lost: what is wrong, and what it would be without.

Pictures of fold 0 by a model that has not learned from them, by default ``nuclei``.
Each object is judged, each sort of mistake is mended with the annotation in hand, and
the picture is scored again. Then where outlines lie: how far off they are in each
picture, and at which gray value annotations end. Ids are kept in --work, so that a
second run predicts nothing::

    python benchmarks/instance_errors.py DATASET --work FOLDER
    python benchmarks/instance_errors.py DATASET --work OTHER --mirror
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from skimage.segmentation import expand_labels

import autoseg
from autoseg.datasets.read import load_dataset
from autoseg.evaluate.aggregate import aggregate
from autoseg.metrics.contingency import count_shared
from autoseg.metrics.instances import HALF, score_instances
from autoseg.metrics.pooled import POOLED_INSTANCES
from autoseg.preprocess.folds import make_splits
from autoseg.representations.maps import depth, numbered

Case = tuple[Any, Any, Any]  # gray values, annotated ids, predicted ids
Verdicts = tuple[list[str], list[str], Any]  # of annotated, of predicted; a table
SQUARE = (1.0, 1.0)
SOME = 0.25  # of an object: what covers less of it does not find it
EDGES = (0, 6, 8, 12, 16, 24, 36, np.inf)  # of diameters, in pixels
GROWN = (-1.0, 1.0, 1.5, 2.0, 3.0)  # pixels by which objects are made larger
FAR = 1.0  # pixels: outlines that are further off, in the median of a picture, are told
BESIDE = (4, 15)  # pixels from annotated objects: what the background is


def predicted(
    folder: Path, work: Path, model: str, mirror: bool
) -> dict[str, tuple[Any, Any, Any]]:
    """Return the cases of fold 0; ids that are in ``work`` are read from there."""
    dataset = load_dataset(folder)
    held = set(make_splits(dataset)[0][1])
    work.mkdir(parents=True, exist_ok=True)
    predictor = autoseg.Predictor.load(
        model, device="cpu", precision="fp32", mirror=mirror
    )
    cases = {}
    for case in dataset.training:
        if case.id not in held:
            continue
        gray = np.asarray(Image.open(case.images[0]))
        file = work / f"{case.id}.png"
        if not file.is_file():
            ids = predictor.predict(gray, SQUARE)
            Image.fromarray(np.asarray(ids).astype(np.uint16)).save(file)
        cases[case.id] = (gray, *map(read, (case.annotation, file)))
    return cases


def read(path: Any) -> Any:
    """Return ids, from 1 to their number."""
    return numbered(np.asarray(Image.open(path)).astype(np.int32))[0]


def judged(true: Any, found: Any) -> Verdicts:
    """Say of each annotated and of each predicted object what became of it.

    The table (annotated, predicted) has the pixels that they share.
    """
    table = count_shared(found, true)
    shared = np.zeros((len(table.reference), len(table.predicted)), np.int64)
    shared[table.columns, table.rows] = table.shared
    rows, columns = table.reference_sizes, table.predicted_sizes
    union = rows[:, None] + columns - shared
    same = shared > HALF * union
    covers = shared > HALF * rows[:, None]  # most of an annotated one
    lies = shared > HALF * columns  # most of a predicted one
    merges = covers.sum(0) > 1
    known = np.full(len(rows), "missed", dtype="<U8")
    known[shared.sum(1) >= SOME * rows] = "outline"
    known[lies.sum(1) > 1] = "split"
    known[(covers & merges).any(1)] = "merged"
    known[same.any(1)] = "found"
    seen = np.full(len(columns), "extra", dtype="<U8")
    seen[shared.sum(0) >= SOME * columns] = "outline"
    seen[(lies & np.isin(known, ["found", "split"])[:, None]).any(0)] = "split"
    seen[merges] = "merged"
    seen[same.any(0)] = "found"
    return known.tolist(), seen.tolist(), shared


def exact(case: Case, verdicts: Verdicts) -> Any:
    """Return predicted ids with the annotated masks of what was found."""
    _, true, found = case
    known, seen, _ = verdicts
    kept = np.where(_are(seen, "found")[found], 0, found)
    mine = _are(known, "found")[true]
    return np.where(mine, true + found.max(initial=0), kept)


def with_missed(case: Case, verdicts: Verdicts) -> Any:
    """Return predicted ids with the annotated masks of what was missed."""
    _, true, found = case
    mine = _are(verdicts[0], "missed")[true]
    return np.where(mine, true + found.max(initial=0), found)


def without_extra(case: Case, verdicts: Verdicts) -> Any:
    """Return predicted ids without objects where nothing is annotated."""
    return np.where(_are(verdicts[1], "extra")[case[2]], 0, case[2])


def parted(case: Case, verdicts: Verdicts) -> Any:
    """Return predicted ids with merged ones cut between annotated objects."""
    _, true, found = case
    nearest = expand_labels(true, max(true.shape))
    mine = _are(verdicts[1], "merged")[found]
    return np.where(mine, nearest + found.max(initial=0), found)


def put_together(case: Case, verdicts: Verdicts) -> Any:
    """Return predicted ids with all that lies in one annotated object as one."""
    known, _, shared = verdicts
    whole = np.arange(shared.shape[1] + 1)
    sizes = np.bincount(case[2].ravel(), minlength=len(whole))[1:]
    for row in shared[np.isin(known, ["found", "split"])]:
        parts = np.flatnonzero(row > HALF * sizes)
        if len(parts):
            whole[parts + 1] = parts[np.argmax(row[parts])] + 1
    return whole[case[2]]


def _are(verdicts: list[str], what: str) -> Any:
    """Return which ids, from 0 on, a verdict is of."""
    return np.array([False, *(one == what for one in verdicts)])


def all_but_outlines(case: Case, verdicts: Verdicts) -> Any:
    """Return predicted ids: those that were found as they are, all others exact."""
    _, true, found = case
    known, seen, _ = verdicts
    kept = np.where(_are(seen, "found")[found], found, 0)
    mine = ~_are(known, "found")[true] & (true > 0) & (kept == 0)
    return np.where(mine, true + found.max(initial=0), kept)


MENDED: dict[str, Callable[[Case, Verdicts], Any]] = {
    "as it is": lambda case, verdicts: case[2],
    "what was missed is there": with_missed,
    "nothing where nothing is annotated": without_extra,
    "merged objects are parted": parted,
    "split objects are put together": put_together,
    "all objects right, outlines of found ones as they are": all_but_outlines,
    "outlines of found objects are exact": exact,
}


def scored(ids: Mapping[str, Any], cases: Mapping[str, Case]) -> tuple[float, ...]:
    """Return mean AP and AP at 0.5, over all objects, and the mean of mean APs."""
    rows = {
        name: score_instances(one.astype(np.int32), cases[name][1], SQUARE)
        for name, one in ids.items()
    }
    whole = aggregate(rows, pooled=POOLED_INSTANCES)[1]
    return tuple(whole[key].mean for key in ("map_pooled", "ap_50_pooled", "map"))


def show(name: str, ids: Mapping[str, Any], cases: Mapping[str, Case]) -> None:
    """Print a row of scores."""
    print(f"{name:54}" + "".join(f"{x:8.3f}" for x in scored(ids, cases)), flush=True)


def grown(ids: Any, by: float) -> Any:
    """Return ids of objects that are so many pixels larger, or smaller."""
    if by > 0:
        return expand_labels(ids, by)
    return np.where(depth(ids, SQUARE) > -by, ids, 0)


def off(case: Case, verdicts: Verdicts) -> float:
    """Return how much larger found objects are than annotated, in pixels of radius."""
    known, seen, shared = verdicts
    sizes = [np.bincount(ids.ravel())[1:] for ids in case[1:]]
    pairs = np.argwhere(shared > HALF * (sizes[0][:, None] + sizes[1] - shared))
    if not len(pairs):
        return 0.0
    radii = [
        np.sqrt(size[one] / np.pi) for size, one in zip(sizes, pairs.T, strict=True)
    ]
    return float(np.median(radii[1] - radii[0]))


def ends(gray: Any, true: Any) -> tuple[float, float]:
    """Return the gray value at which annotations end, and its share of the contrast.

    Medians over the objects, of pixels beside the background; the contrast is from
    the background, near objects, to the upper quartile within.
    """
    away = ndimage.distance_transform_edt(true == 0)
    ground = gray[(away > BESIDE[0]) & (away < BESIDE[1])]
    edge = (true > 0) & ndimage.binary_dilation(true == 0)
    last, share = [], []
    for one in range(1, int(true.max(initial=0)) + 1):
        here = gray[edge & (true == one)]
        if len(here) and len(ground):
            low, high = np.median(ground), np.percentile(gray[true == one], 75)
            last.append(float(np.median(here)))
            share.append((last[-1] - low) / max(high - low, 1.0))
    return (float(np.median(last)), float(np.median(share))) if last else (0.0, 0.0)


def outlines(cases: Mapping[str, Case], verdicts: Mapping[str, Verdicts]) -> None:
    """Print what becomes of scores where outlines are moved, and by which pictures."""
    tried = {by: {n: grown(c[2], by) for n, c in cases.items()} for by in GROWN}
    for by, ids in tried.items():
        show(f"all objects {by:+g} pixels", ids, cases)
    tried[0.0] = {name: case[2] for name, case in cases.items()}
    best = {}
    for name in cases:
        ranked = {by: scored({name: ids[name]}, cases)[0] for by, ids in tried.items()}
        best[name] = tried[max(ranked, key=lambda by: ranked[by])][name]
    show("each picture by what is best for it", best, cases)
    wide = {name: off(cases[name], verdicts[name]) for name in cases}
    rest = {name: cases[name][2] for name in cases if abs(wide[name]) <= FAR}
    show(f"{len(rest)} pictures whose outlines are nearer than {FAR:g}", rest, cases)
    print("\nothers: pixels too wide; annotations end at; share of the contrast")
    for name in cases:
        if name not in rest:
            last, share = ends(*cases[name][:2])
            print(f"  {name[:12]} {wide[name]:+6.2f} {last:6.0f} {share:6.2f}")


def sizes(cases: Mapping[str, Case], verdicts: Mapping[str, Verdicts]) -> None:
    """Print verdicts, and how many objects are found by their diameter."""
    for side, title in enumerate(("annotated", "predicted")):
        print(title, dict(Counter(one for v in verdicts.values() for one in v[side])))
    known = np.array([one for v in verdicts.values() for one in v[0]])
    areas = [np.bincount(case[1].ravel())[1:] for case in cases.values()]
    diameters = np.sqrt(np.concatenate(areas) * 4 / np.pi)
    for low, high in zip(EDGES, EDGES[1:], strict=False):
        those = known[(diameters >= low) & (diameters < high)]
        told = dict(Counter(those.tolist()))
        print(f"  diameter {low:g} to {high:g}: {len(those)} annotated, {told}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--work", type=Path, default=Path("benchmark_errors"))
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--mirror", action="store_true", help="with mirrored copies")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    how = (arguments.model, arguments.mirror)
    cases = predicted(arguments.dataset, arguments.work, *how)
    verdicts = {name: judged(*case[1:]) for name, case in cases.items()}
    print(f"{len(cases)} pictures")
    sizes(cases, verdicts)
    print(f"\n{'':54} mean AP    AP50  mean AP, mean over images")
    for title, mend in MENDED.items():
        ids = {name: mend(case, verdicts[name]) for name, case in cases.items()}
        show(title, ids, cases)
    outlines(cases, verdicts)


if __name__ == "__main__":
    main()
