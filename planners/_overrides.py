"""What the user fixes; the planner plans around it.

Keys, each alone (for all configurations) or behind a configuration's name, as in
``3d_fullres.patch_size`` (of landmarks, ``2d_fine`` or ``3d_fine`` is the second stage,
which is then planned in any case):

=====================  ===============================================================
``spacing``            the grid; alone, it is the full-resolution grid that all
                       configurations follow
``patch_size``         strides and kernels follow; alone, for all configurations with
                       as many axes
``batch_size``         the patch is chosen for it
``network``            ``plain_unet`` or ``residual_unet``
``network.features``   channels of each stage; no more stages than that
``network.head_stage``  of landmarks: outputs have the resolution of this stage
``network.OPTION``     ``convs_encoder``, ``convs_decoder``, ``blocks``, ``norm``, ...
``resampling.FIELD``   as in `autoseg.spec.plan.Resampling`
``mirror_axes``, ``batch_dice``
``training``           ``auto``, ``nnunet`` or ``fast``, for the plan as a whole
``training.FIELD``     a number of the recipe
``task.OPTION``        an option of the task, such as ``task.representation``
=====================  ===============================================================

Axes are in the order that the plan has without overrides: coarsest first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from autoseg.errors import UsageError
from autoseg.spec.plan import Resampling

CONFIGURATIONS = (
    "2d",
    "2d_fine",
    "3d_lowres",
    "3d_fullres",
    "3d_cascade_fullres",
    "3d_fine",
)
NETWORKS = ("plain_unet", "residual_unet")
OPTIONS = (
    "features",
    "head_stage",
    "convs_encoder",
    "convs_decoder",
    "blocks",
    "norm",
    "bias",
    "eps",
    "slope",
)
RECIPES = ("auto", "nnunet", "fast")


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """Checked values by key.

    Parameters
    ----------
    values : mapping of str to JSON value
        See the head of this file.
    """

    values: Mapping[str, Any] = field(default_factory=dict)

    def get(self, configuration: str, key: str, dim: int | None = None) -> Any:
        """Return the value for a configuration, None if nothing is fixed.

        Parameters
        ----------
        configuration : str
            Its own value comes first.
        key : str
            Such as ``"patch_size"``.
        dim : int, optional
            A value for all configurations counts only if it has as many axes.
        """
        own = self.values.get(f"{configuration}.{key}")
        if own is not None:
            return own
        shared = self.values.get(key)
        if dim is not None and shared is not None and len(shared) != dim:
            return None
        return shared

    def options(self, configuration: str, group: str) -> dict[str, Any]:
        """Return the values of ``group.OPTION`` for a configuration."""
        found: dict[str, Any] = {}
        for prefix in (f"{group}.", f"{configuration}.{group}."):
            for key, value in self.values.items():
                if key.startswith(prefix):
                    found[key.removeprefix(prefix)] = value
        return found

    def has_own(self, configuration: str) -> bool:
        """Return whether anything is fixed for this configuration alone."""
        return any(key.startswith(f"{configuration}.") for key in self.values)


def check_overrides(given: Mapping[str, Any], dim: int) -> Overrides:
    """Return overrides that can be planned around.

    Parameters
    ----------
    given : mapping of str to JSON value
        By key.
    dim : int
        Number of spatial axes of the images.

    Returns
    -------
    Overrides
        The same, checked.

    Raises
    ------
    UsageError
        With every key that is unknown and every value that cannot be.
    """
    problems: list[str] = []
    for key, value in given.items():
        configuration, base = _split(key)
        axes = _axes_of(configuration, base, dim)
        problem = _problem(base, value, axes, configuration is None)
        if configuration is not None and base.partition(".")[0] in ("training", "task"):
            problem = "is for the plan as a whole: leave the configuration out"
        if problem:
            problems.append(f"  {key}={value!r}: {problem}")
    if problems:
        raise UsageError(
            "What is set cannot be planned around:\n" + "\n".join(problems)
        )
    return Overrides(values=dict(given))


def _split(key: str) -> tuple[str | None, str]:
    first, _, rest = key.partition(".")
    return (first, rest) if first in CONFIGURATIONS and rest else (None, key)


def _axes_of(configuration: str | None, base: str, dim: int) -> tuple[int, ...]:
    if configuration is not None:
        return (2,) if configuration.startswith("2d") else (3,)
    return (dim,) if base == "spacing" else (2, 3)


def _problem(base: str, value: Any, axes: tuple[int, ...], shared: bool) -> str | None:
    name, _, option = base.partition(".")
    if option:
        return _option_problem(name, option, value)
    checks: dict[str, Callable[[], str | None]] = {
        "spacing": lambda: _list_problem(value, axes, whole=False),
        "patch_size": lambda: _list_problem(value, axes, whole=True),
        "batch_size": lambda: None if _whole(value) else "give a whole number from 1",
        "network": lambda: _one_of(value, NETWORKS),
        "batch_dice": lambda: None if isinstance(value, bool) else "give true or false",
        "mirror_axes": lambda: _mirror_problem(value, max(axes)),
        "training": lambda: _one_of(value, RECIPES),
    }
    if name not in checks:
        return f"no such key; there are {', '.join(checks)}, network.OPTION, " + (
            "resampling.FIELD, training.FIELD and task.OPTION"
        )
    return checks[name]()


def _option_problem(name: str, option: str, value: Any) -> str | None:
    if name in ("training", "task"):
        return None  # the recipe and the task check their own fields
    if name == "resampling":
        return _one_of(option, [f.name for f in fields(Resampling)])
    if name != "network":
        return f"no such key; {name} has no fields"
    if option not in OPTIONS:
        return f"follows from the patch; there are {', '.join(OPTIONS)}"
    if option in ("features", "convs_encoder", "convs_decoder", "blocks"):
        good = isinstance(value, list) and value and all(map(_whole, value))
        return None if good else "give a list of whole numbers from 1, one per stage"
    if option == "head_stage":
        return None if value in (0, 1, 2) else "give 0, 1 or 2"
    return None


def _whole(value: Any) -> bool:
    return type(value) is int and value >= 1


def _positive(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < math.inf


def _list_problem(value: Any, axes: tuple[int, ...], *, whole: bool) -> str | None:
    good = _whole if whole else _positive
    if isinstance(value, list) and len(value) in axes and all(map(good, value)):
        return None
    kind = "whole numbers" if whole else "positive numbers"
    return f"give a list of {' or '.join(map(str, axes))} {kind}"


def _mirror_problem(value: Any, dim: int) -> str | None:
    good = isinstance(value, list) and all(
        type(axis) is int and 0 <= axis < dim for axis in value
    )
    return None if good else f"give a list of axes from 0 to {dim - 1}"


def _one_of(value: Any, allowed: Any) -> str | None:
    return None if value in allowed else f"there are {', '.join(allowed)}"
