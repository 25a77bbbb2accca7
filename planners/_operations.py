"""A budget of operations: a network is made narrower until a pass is cheap enough."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from autoseg.blueprints.declaration import Declaration
from autoseg.errors import PlanError
from autoseg.spec.choice import Decision
from planners.grids.topology import Topology

MULTIPLE = 4  # of which channels are rounded down to
PER_MULTIPLY_ADD = 2  # operations: a multiplication and an addition
STEP = 0.95


def operations_of(
    kind: type[Declaration], options: Mapping[str, Any], topology: Topology
) -> int:
    """Return multiplications and additions of one forward pass over a patch.

    Parameters
    ----------
    kind : type
        The network; of one channel in and out.
    options : mapping
        Its options.
    topology : Topology
        The patch.
    """
    drawing = kind.drawing(options, topology.patch_size, 1, 1)
    return PER_MULTIPLY_ADD * sum(layer.multiply_adds for layer in drawing.layers)


def narrowed(
    kind: type[Declaration], options: dict[str, Any], topology: Topology, most: float
) -> dict[str, Any]:
    """Return options of a network that takes at most so many operations.

    All widths shrink alike: ``features``, to multiples of 4, or where a network has an
    encoder of classification, that by whole numbers (``narrow``).

    Parameters
    ----------
    kind : type
        The network.
    options : dict
        As it is planned without such a budget.
    topology : Topology
        The patch.
    most : float
        Multiplications and additions of one forward pass over a patch, at most.

    Raises
    ------
    PlanError
        If the narrowest network takes more, or no width can be changed.
    """
    needed = operations_of(kind, options, topology)
    key = "features" if "features" in options else "narrow"
    if needed <= most:
        return options
    if key not in kind.options():
        raise PlanError(
            f"A pass takes {said(needed)} operations, the budget is {said(most)}, and "
            "nothing about the width of this network can be planned; leave out "
            "--operations."
        )
    share, before = math.sqrt(most / needed), options
    while needed > most:
        made = {**options, key: _width(options, key, share)}
        if made == before and share < 1 / 64:
            raise PlanError(
                f"A pass of the narrowest network takes {said(needed)} operations, and "
                f"the budget is {said(most)}; give more, or a smaller patch by --set "
                "patch_size=..."
            )
        if made != before:
            needed = operations_of(kind, made, topology)
        before, share = made, share * STEP
    return before


def about_operations(
    name: str,
    kind: type[Declaration],
    options: Mapping[str, Any],
    topology: Topology,
    most: float,
) -> Decision:
    """Return why a configuration's network is as wide as it is."""
    needed = operations_of(kind, options, topology)
    key = "features" if "features" in options else "narrow"
    return Decision(
        field=f"{name}.network.{key}",
        value=str(options.get(key, 1)),
        rule="as wide as is planned, or as the budget of operations allows",
        because=f"a forward pass over a patch takes {said(needed)} operations; the "
        f"budget is {said(most)}",
    )


def _width(options: Mapping[str, Any], key: str, share: float) -> Any:
    if key == "narrow":
        return max(1, round(1 / share))
    return [
        max(MULTIPLE, int(width * share) // MULTIPLE * MULTIPLE)
        for width in options[key]
    ]


def said(number: float) -> str:
    """Return a number of operations as a person says it.

    Examples
    --------
    >>> said(1_293_545_984), said(20_000_000)
    ('1.29G', '20M')
    """
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.0f}"
