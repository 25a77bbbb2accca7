"""Find the parameters that score best: a coarse grid, then one after the other.

Letters: N cases, F combinations of filters, M counts.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Parameters = dict[str, Any]

MOST = 60  # evaluations
COARSE = 2  # parameters, the first ones, of which every combination is tried
TINY = 0.002  # of a value: defaults are worth as much


@dataclass(kw_only=True)
class Tried:
    """Every setting that was tried, and what came of it.

    Filters are parameters of which all combinations come with each evaluation.

    Parameters
    ----------
    candidates : mapping of str to sequence
        Values of each parameter, its default among them.
    defaults : mapping of str to JSON value
        What is taken without a reason to take something else.
    filters : sequence of str
        Names of the filters.
    goodness : callable
        From sums of counts (..., M) to values (...); higher is better.
    settings : list of mapping
        Values of the other parameters, in the order in which they were tried.
    counts : list of ndarray, shape (N, F, M)
        Of each of them.
    """

    candidates: Mapping[str, Sequence[Any]]
    defaults: Mapping[str, Any]
    filters: Sequence[str]
    goodness: Callable[[Array], Array]
    settings: list[Parameters] = field(default_factory=list)
    counts: list[Array] = field(default_factory=list)

    @property
    def combinations(self) -> list[Parameters]:
        """Every combination of the filters' values."""
        values = [self.candidates[name] for name in self.filters]
        return [
            dict(zip(self.filters, some, strict=True))
            for some in itertools.product(*values)
        ]

    def values(self, cases: Sequence[int] | None = None) -> Array:
        """Return the value of all that was tried on some cases, (settings, F)."""
        which = slice(None) if cases is None else list(cases)
        return self.goodness(np.stack([one[which].sum(0) for one in self.counts]))

    def best(self, cases: Sequence[int] | None = None) -> Parameters:
        """Return the best parameters for some cases.

        Of those that are worth the same, or next to it, the ones that differ from the
        defaults in the fewest.
        """
        values = self.values(cases)
        changed = np.array(
            [
                [self._changed({**setting, **some}) for some in self.combinations]
                for setting in self.settings
            ]
        )
        near = values >= values.max() - TINY
        order = np.lexsort((-values.ravel(), changed.ravel(), ~near.ravel()))
        setting, some = np.unravel_index(order[0], values.shape)
        return self._whole({**self.settings[setting], **self.combinations[some]})

    def sums(self, parameters: Mapping[str, Any], cases: Sequence[int]) -> Array:
        """Return the counts (M,) over some cases with parameters that were tried."""
        place = self._place(parameters)
        if place is None:
            raise KeyError(f"{dict(parameters)} was not tried")
        total: Array = self.counts[place[0]][list(cases), place[1]].sum(0)
        return total

    def around(self, parameters: Mapping[str, Any]) -> dict[str, list[list[Any]]]:
        """Return for each parameter the values that were tried, the others as given.

        Returns
        -------
        dict of str to list of [value, float]
            What they were worth on all cases.
        """
        found: dict[str, list[list[Any]]] = {}
        values = self.values()
        for name, tried in self.candidates.items():
            found[name] = []
            for value in tried:
                place = self._place({**parameters, name: value})
                if place is not None:
                    found[name].append([value, float(values[place])])
        return found

    def _place(self, parameters: Mapping[str, Any]) -> tuple[int, int] | None:
        own = {name: parameters[name] for name in self.filters}
        others = {n: parameters[n] for n in self.candidates if n not in self.filters}
        if others not in self.settings:
            return None
        return self.settings.index(others), self.combinations.index(own)

    def _changed(self, parameters: Mapping[str, Any]) -> int:
        return sum(parameters[name] != value for name, value in self.defaults.items())

    def _whole(self, parameters: Mapping[str, Any]) -> Parameters:
        return {name: parameters[name] for name in self.candidates}


def search(
    evaluate: Callable[[Parameters], Array], tried: Tried, most: int = MOST
) -> Tried:
    """Try settings until none that differs from the best in one parameter is left.

    Parameters
    ----------
    evaluate : callable
        From values of all parameters but the filters to counts (N, F, M).
    tried : Tried
        Nothing yet; is filled.
    most : int
        Evaluations.

    Returns
    -------
    Tried
        The same. The defaults are in it.
    """
    names = [name for name in tried.candidates if name not in tried.filters]

    def attempt(setting: Parameters) -> None:
        if setting not in tried.settings and len(tried.settings) < most:
            tried.counts.append(evaluate(setting))
            tried.settings.append(setting)

    start = {name: tried.defaults[name] for name in names}
    attempt(start)
    for setting in _coarse(tried, start, names[:COARSE]):
        attempt(setting)
    before = -1
    while before != len(tried.settings):
        before = len(tried.settings)
        for name in names:
            best = tried.best()
            here = {one: best[one] for one in names}
            for value in tried.candidates[name]:
                attempt({**here, name: value})
    return tried


def _coarse(
    tried: Tried, start: Parameters, names: Sequence[str]
) -> Iterator[Parameters]:
    """Yield every combination of a low, the default and a high value of some."""
    levels = []
    for name in names:
        values = tried.candidates[name]
        low, high = round((len(values) - 1) / 4), round((len(values) - 1) * 3 / 4)
        levels.append(dict.fromkeys([start[name], values[low], values[high]]))
    for some in itertools.product(*levels):
        yield {**start, **dict(zip(names, some, strict=True))}
