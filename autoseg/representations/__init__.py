"""Plug-in folder: every file without a leading underscore is one representation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from autoseg.errors import PlanError, some_of
from autoseg.registry import Registry
from autoseg.spec.settings.values import option_faults

if TYPE_CHECKING:
    from autoseg.representations.base import Representation

REPRESENTATIONS: Registry[type[Representation]] = Registry(
    "representation", __name__, besides=("maps",)
)


def make_representation(choice: Mapping[str, Any], axes: int) -> Representation:
    """Return the representation that a plan or a model names.

    Parameters
    ----------
    choice : mapping
        ``name``, and ``options`` if there are any.
    axes : int
        Of what the network sees.

    Raises
    ------
    PluginError
        If no file has this name.
    PlanError
        If it is said otherwise, or an option is unknown or of a wrong kind.
    """
    name, options = choice.get("name"), choice.get("options", {})
    if not isinstance(name, str) or not isinstance(options, Mapping):
        raise PlanError(
            f"task.representation is {dict(choice)!r}; give the name of one, or "
            '{"name": ..., "options": {...}}.'
        )
    kind = REPRESENTATIONS[name]
    faults = option_faults(kind, options, given=("axes",))
    if faults:
        raise PlanError(
            f"the representation {name!r} cannot be made with its options: "
            f"{some_of(faults, between='; ')}."
        )
    return kind(axes, **options)
