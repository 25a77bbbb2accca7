"""Which augmentations happen, in which order, by name of the policy.

``"nnunet"`` is nnU-Net v2's default list, order, probabilities and ranges (Isensee et
al., doi:10.1038/s41592-020-01008-z, package 2.8.1); those are the plug-ins' defaults.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.augmentations import AUGMENTATIONS
from autoseg.augmentations.base import Augmentation
from autoseg.errors import PluginError, UsageError

OUTSIDE = r",(?![^\[]*\])(?![^{]*\})"  # a comma in no list and in no object

Step = tuple[str, Mapping[str, Any]]

_CASCADE: tuple[Step, ...] = (("cascade_morphology", {}), ("cascade_components", {}))

POLICIES: Mapping[str, Sequence[Step]] = {
    "none": (),
    "light": (
        ("spatial", {}),
        ("brightness", {}),
        ("contrast", {}),
        ("mirror", {}),
        *_CASCADE,
    ),
    "nnunet": (
        ("spatial", {}),
        ("noise", {}),
        ("blur", {}),
        ("brightness", {}),
        ("contrast", {}),
        ("low_resolution", {}),
        ("gamma", {"probability": 0.1, "invert": True}),
        ("gamma", {}),
        ("mirror", {}),
        *_CASCADE,
    ),
    "batchgeneratorsv2": (("batchgeneratorsv2", {}), *_CASCADE),
}


def make_steps(text: str) -> list[Augmentation]:
    """Return the augmentations of a policy, with changes.

    Parameters
    ----------
    text : str
        Name of a policy, then changes after commas: ``-NAME`` leaves an augmentation
        out, ``+NAME`` adds one at the end, ``NAME.OPTION=VALUE`` sets an option, its
        value in JSON, wherever the augmentation occurs.

    Returns
    -------
    list of Augmentation
        In order.

    Raises
    ------
    PluginError
        If there is no such policy or augmentation.
    UsageError
        If a change is none, or its option or value is not the augmentation's.

    Examples
    --------
    >>> [type(step).__name__ for step in make_steps("light,-contrast,+noise")][:3]
    ['Spatial', 'Brightness', 'Mirror']
    >>> make_steps("light,spatial.scale=[0.9,1.1]")[0].scale
    (0.9, 1.1)
    """
    name, *changes = re.split(OUTSIDE, text.replace(" ", ""))
    if name not in POLICIES:
        raise PluginError(
            f"No augmentation policy is called {name!r}. "
            f"There are: {', '.join(sorted(POLICIES))}."
        )
    steps = [(step, dict(options)) for step, options in POLICIES[name]]
    for change in changes:
        steps = _changed(steps, change)
    return [_make(step, options) for step, options in steps]


def _changed(
    steps: list[tuple[str, dict[str, Any]]], change: str
) -> list[tuple[str, dict[str, Any]]]:
    if change.startswith("+"):
        return [*steps, (change[1:], {})]
    step, _, option = change.removeprefix("-").partition(".")
    if step not in [name for name, _ in steps]:
        raise UsageError(
            f"The change {change!r} of an augmentation policy fits none of its steps: "
            f"{', '.join(dict.fromkeys(name for name, _ in steps)) or 'it has none'}. "
            "Write -NAME, +NAME or NAME.OPTION=VALUE."
        )
    if change.startswith("-"):
        return [entry for entry in steps if entry[0] != step]
    key, equals, value = option.partition("=")
    try:
        given = {key: json.loads(value)}
    except ValueError:
        given = {}
    if not equals or not given:
        raise UsageError(
            f"The change {change!r} of an augmentation policy is not of the form "
            "NAME.OPTION=VALUE with a value in JSON, such as spatial.angle=15."
        )
    return [(n, options | given if n == step else options) for n, options in steps]


def _make(name: str, options: Mapping[str, Any]) -> Augmentation:
    kind = AUGMENTATIONS[name]
    try:
        made: Augmentation = kind(**options)
    except TypeError as error:
        raise UsageError(
            f"Augmentation {name} with {dict(options)}: {error}."
        ) from None
    chance = made.probability
    if isinstance(chance, bool) or not isinstance(chance, (int, float)):
        raise UsageError(f"{name}.probability is {chance!r}; give a number.")
    if not 0 <= chance <= 1:
        raise UsageError(f"{name}.probability is {chance}; give 0 to 1.")
    return made
