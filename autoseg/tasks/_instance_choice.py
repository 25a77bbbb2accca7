"""Which representation a data set gets, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoseg.representations import REPRESENTATIONS
from autoseg.spec.choice import Decision

DEFAULT = "flow_distance"


def choose(
    options: Mapping[str, Any], measured: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[Decision, ...]]:
    """Return the task's options with a representation made for the data set."""
    name = DEFAULT
    fixed = options.get("representation")
    if fixed is not None:
        name = fixed if isinstance(fixed, str) else fixed["name"]
    chosen = {"name": name, "options": REPRESENTATIONS[name].configure(measured)}
    decision = Decision(
        field="task.representation",
        value=name,
        rule="flow_distance, unless another one is asked for",
        because="asked for" if fixed is not None else "the default",
    )
    return (
        {**options, "representation": chosen, "axes": int(measured["axes"])},
        (decision,),
    )
