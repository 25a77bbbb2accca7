"""A plug-in by name, and a decision with its reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autoseg.errors import PlanError


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A plug-in by name, with the keyword arguments to make it with.

    Parameters
    ----------
    name : str
        Name of the plug-in's file.
    options : mapping of str to JSON value
        Keyword arguments.

    Raises
    ------
    PlanError
        If an option is no plain JSON: a tuple, say, would come back from disk as a
        list, and the plan would no longer equal itself.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            same = json.loads(json.dumps(self.options)) == self.options
        except (TypeError, ValueError):
            same = False
        if not same:
            raise PlanError(f"options of {self.name!r} are no JSON: {self.options}.")


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Why one field of a plan is what it is.

    Parameters
    ----------
    field : str
        What was decided, such as ``"3d_fullres.patch_size"``.
    value : str
        What it became, as a person reads it.
    rule : str
        How it is decided, for every data set.
    because : str
        The numbers of this data set that led to the value.
    """

    field: str
    value: str
    rule: str
    because: str
