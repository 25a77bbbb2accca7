"""Whether a label map can hold the regions of a dataset.json, and whether it does.

A prediction paints one value for each region, later ones over earlier. What decides
without any data: each value of the files, painted so, must belong to the same regions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.errors import some_of

# What people call voxels that belong to no class.
NOTHING = (
    *("background", "backgr", "bg", "back", "unlabel", "unlabelled", "nolabel"),
    *("outside", "exterior", "void", "none", "nothing", "null", "empty", "clear"),
    *("other", "rest", "air", "unknown", "undefined", "unannotated", "ignore"),
    *("hintergrund", "fond", "fondo", "negative", "normal", "healthy"),
)
MOST_FAULTS = 8  # that one sentence lists
Values = Mapping[str, frozenset[int]]
Names = Mapping[int, tuple[str, ...]]


def label_faults(
    labels: Mapping[str, Any],
    order: Sequence[Any] | None = None,
    ignore: int | None = None,
) -> list[str]:
    """Return what makes training on these labels vain.

    Parameters
    ----------
    labels : mapping of str to int or list of int
        Values by name, without ``ignore``.
    order : sequence of int, optional
        ``regions_class_order``, as many as there are regions.
    ignore : int, optional
        Value of voxels that nobody annotated.

    Returns
    -------
    list of str
        A sentence for each fault; it names the value, and what to say instead.
    """
    groups: dict[str, list[int]] = {
        name: list(value) if isinstance(value, (list, tuple)) else [value]
        for name, value in labels.items()
    }
    lowest = min(value for values in groups.values() for value in values)
    nothing = [name for name, values in groups.items() if values == [lowest]]
    faults = _nameless_background(labels, lowest, nothing)
    regions = {n: frozenset(v) for n, v in groups.items() if v != [lowest]}
    if order is None or not any(len(values) > 1 for values in groups.values()):
        return faults
    found = [
        f"the region {name!r} has the value {lowest}, which is the background's; take "
        "it out"
        for name, values in regions.items()
        if lowest in values
    ]
    found += _equal(regions)
    found = found or _painted_wrong(regions, list(order), lowest, ignore)
    return faults + found


def _nameless_background(
    labels: Mapping[str, Any], lowest: int, nothing: Sequence[str]
) -> list[str]:
    """Refuse a class that would silently be the background, because its value is 0."""
    if lowest != 0 or "background" in labels:
        return []
    odd = [
        name
        for name in nothing
        if not any(
            word in "".join(filter(str.isalpha, name.lower())) for word in NOTHING
        )
        and any(map(str.isalpha, name))
    ]
    return [
        f"`labels` calls the value 0 {name!r}, and 0 is the background, which is not "
        f'learned. Give {name!r} a value of its own, or say "background": 0 if that is '
        "what it means"
        for name in odd
    ]


def _equal(regions: Values) -> list[str]:
    """Name regions that are the same."""
    names: dict[frozenset[int], list[str]] = {}
    for name, values in regions.items():
        names.setdefault(values, []).append(name)
    return [
        f"the regions {' and '.join(map(repr, same))} have the same values "
        f"{sorted(values)}; keep one"
        for values, same in names.items()
        if len(same) > 1
    ]


def _painted_wrong(
    regions: Values, order: Sequence[Any], lowest: int, ignore: int | None
) -> list[str]:
    known = frozenset().union(*regions.values())
    faults = []
    for value in {repr(value): value for value in order}.values():
        if value == ignore and ignore is not None:
            faults.append(f"`regions_class_order` paints {value!r}, which is `ignore`")
        elif value == lowest:
            faults.append(
                f"`regions_class_order` paints {value!r}, which is the background and "
                "erases the region"
            )
        elif type(value) is not int or value not in known:
            faults.append(
                f"`regions_class_order` paints {value!r}, which is in no region"
            )
    if not faults:
        names = _by_value(regions)
        faults = [
            f"the value {value} ({_named(names, value)}) is painted {painted}, which "
            f"is {_named(names, painted)}"
            for value, painted in _paint(regions, order).items()
            if names[value] != names[painted]
        ]
        if faults:
            said = some_of(faults, MOST_FAULTS, "; ")
            faults = [f"`regions_class_order` is wrong: {said}"]
    return [f"{fault}. {_proposal(regions, order)}" for fault in faults]


def _paint(regions: Values, order: Sequence[int]) -> dict[int, int]:
    """Return by value what is painted where a prediction is perfect."""
    painted: dict[int, int] = {}
    for values, value in zip(regions.values(), order, strict=True):
        painted |= dict.fromkeys(sorted(values), value)
    return dict(sorted(painted.items()))


def propose(regions: Values) -> tuple[dict[str, list[int]], list[int]] | None:
    """Return regions and the values to paint for them, in an order that is right.

    Parameters
    ----------
    regions : mapping of str to frozenset of int
        Values by name, without the background.

    Returns
    -------
    dict of str to list of int, list of int, or None
        The regions in the order given if there are such values, else larger ones
        first; None if no order is right: then two regions overlap, neither inside of
        the other.
    """
    larger_first = sorted(regions, key=lambda name: -len(regions[name]))
    of = _by_value(regions)
    for names in (list(regions), larger_first):
        ordered = {name: regions[name] for name in names}
        order = [_own_value(values, of) for values in ordered.values()]
        if all(of[v] == of[painted] for v, painted in _paint(ordered, order).items()):
            return {name: sorted(values) for name, values in ordered.items()}, order
    return None


def _own_value(values: frozenset[int], of: Names) -> int:
    """Return a value of a region that is in no smaller one, else its smallest."""
    around = frozenset.intersection(*(frozenset(of[value]) for value in values))
    own = [value for value in values if frozenset(of[value]) == around]
    # Without one, all of it is in smaller regions, which are painted over it.
    return min(own or values)


def _proposal(regions: Values, order: Sequence[Any]) -> str:
    found = propose(regions)
    if found is None:
        pairs = [f"{a!r} and {b!r}" for a, b in _crossing(regions)]
        return (
            f"No order is right: {some_of(pairs, MOST_FAULTS)} overlap, and neither "
            "is inside of "
            "the other. Name the parts as classes, each with one value"
        )
    labels, right = found
    said = f'"regions_class_order": {right}'
    if list(labels) != list(regions):
        listed = json.dumps(
            {n: v[0] if len(v) == 1 else v for n, v in labels.items()},
            ensure_ascii=False,
        )
        said = f"the regions in this order, larger ones first: {listed}, with {said}"
    return f"Say {said}"


def _crossing(regions: Values) -> list[tuple[str, str]]:
    """Return the pairs of regions that overlap, neither inside of the other."""
    place = {name: number for number, name in enumerate(regions)}
    pairs = {
        (a, b)
        for names in _by_value(regions).values()
        for a in names
        for b in names
        if place[a] < place[b]
    }
    crossing = (
        (a, b)
        for a, b in pairs
        if not (regions[a] <= regions[b] or regions[b] <= regions[a])
    )
    return sorted(crossing, key=lambda pair: (place[pair[0]], place[pair[1]]))


def _by_value(regions: Values) -> Names:
    """Return the names of the regions that each value is in, in their order."""
    found: dict[int, tuple[str, ...]] = {}
    for name, values in regions.items():
        for value in values:
            found[value] = (*found.get(value, ()), name)
    return found


def _named(of: Names, value: int) -> str:
    return ", ".join(of.get(value, ())) or "none"
