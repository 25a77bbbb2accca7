"""Deal cases out into folds, whole groups at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

Groups = Mapping[str, Sequence[str]]  # ids of the cases of each group


def deal_cases(groups: Groups, folds: int, seed: int) -> list[set[str]]:
    """Return what each fold holds out: runs of equal length of shuffled cases."""
    ids = sorted(case_id for members in groups.values() for case_id in members)
    order = np.arange(len(ids))
    np.random.RandomState(seed).shuffle(order)
    return [{ids[i] for i in run} for run in np.array_split(order, folds)]


def deal_groups(groups: Groups, folds: int, seed: int) -> list[set[str]]:
    """Return what each fold holds out: whole groups, the largest first."""
    order = list(groups)
    np.random.RandomState(seed).shuffle(order)
    order.sort(key=lambda group: -len(groups[group]))  # stable: ties stay shuffled
    held_out: list[set[str]] = [set() for _ in range(folds)]
    for group in order:
        min(held_out, key=len).update(groups[group])
    return held_out


def deal_annotated(
    groups: Groups, folds: int, seed: int, said: Mapping[str, Sequence[str]]
) -> list[set[str]]:
    """Return what each fold holds out, so that each gets as much of every kind.

    Parameters
    ----------
    groups : mapping of str to sequence of str
        Ids of the cases of each group.
    folds : int
        How many.
    seed : int
        Of the shuffle.
    said : mapping of str to sequence of str
        By case, the classes that it speaks of; empty: all. Groups whose cases speak of
        the same are of one kind, and are dealt out after one another.
    """
    kinds: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    for group, members in groups.items():
        kind = tuple(sorted({tuple(said[i]) for i in members}))
        kinds.setdefault(kind, []).append(group)
    random = np.random.RandomState(seed)
    held_out: list[set[str]] = [set() for _ in range(folds)]
    for kind in sorted(kinds):
        order = list(kinds[kind])
        random.shuffle(order)
        order.sort(key=lambda group: -len(groups[group]))
        own = [0] * folds
        for group in order:
            fewest = min(range(folds), key=lambda k: (own[k], len(held_out[k])))
            held_out[fewest].update(groups[group])
            own[fewest] += len(groups[group])
    return held_out
