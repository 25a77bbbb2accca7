"""Which recipe is taken when."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from autoseg.spec.settings.recipe import AUTO, recipe_values
from autoseg.spec.settings.recipe import Recipe as Recipe
from autoseg.spec.settings.recipes import RECIPES as RECIPES
from autoseg.spec.settings.recipes import OwnRecipe, changed_recipe

# Up to this many iterations "auto" takes `fast`, beyond it `nnunet`. Measured up to
# the longest budgets of docs/benchmarks.md, `fast` is ahead; nnU-Net's own results
# were made with 250,000 iterations of `nnunet`, where its rules are known to be good.
CROSSOVER = 25_000


def choose_recipe(
    name: str,
    iterations: int | None,
    changes: Mapping[str, Any],
    own: OwnRecipe | None = None,
) -> tuple[Recipe, str]:
    """Return a recipe and why it is this one.

    Parameters
    ----------
    name : str
        One of `RECIPES`, or ``"auto"``: the network's own, else by the number of
        iterations.
    iterations : int or None
        Length of the training, as far as it is known; None: a recipe's own.
    changes : mapping of str to value
        Fields of the recipe to replace, as in ``{"momentum": 0.9}``.
    own : OwnRecipe, optional
        What the network wants.

    Returns
    -------
    recipe : Recipe
        With the changes made.
    because : str
        A sentence for the record of the run.

    Raises
    ------
    UsageError
        If there is no such recipe or field, or a value cannot be.

    Examples
    --------
    >>> choose_recipe("auto", 800, {})[0].name
    'fast'
    >>> choose_recipe("auto", None, {"momentum": 0.9})[0].momentum
    0.9
    """
    if name != AUTO:
        return changed_recipe(name, changes), "asked for"
    if own is not None:
        return changed_recipe(own.base, {**own.changes, **changes}), own.because
    usual = dataclasses.replace(RECIPES["nnunet"], **recipe_values(changes))
    epochs, each = usual.epochs, usual.iterations_per_epoch
    length = iterations if iterations is not None else epochs * each
    name = "fast" if length < CROSSOVER else "nnunet"
    side = "fewer than" if name == "fast" else "not fewer than"
    because = f"{length} iterations are {side} {CROSSOVER}"
    return changed_recipe(name, changes), because
