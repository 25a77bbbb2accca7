"""How a network is trained, in numbers: two recipes, and which one is taken when."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from autoseg.errors import UsageError, did_you_mean
from autoseg.spec.settings.recipe import AUTO, recipe_values
from autoseg.spec.settings.recipe import Recipe as Recipe

# Up to this many iterations "auto" takes `fast`, beyond it `nnunet`. Measured up to
# the longest budgets of docs/benchmarks.md, `fast` is ahead; nnU-Net's own results
# were made with 250,000 iterations of `nnunet`, where its rules are known to be good.
CROSSOVER = 25_000


RECIPES: Mapping[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(  # all numbers of nnU-Net v2: [1] of `Recipe`
            name="nnunet",
            optimizer="sgd",
            learning_rate=1e-2,
            momentum=0.99,
            nesterov=True,
            weight_decay=3e-5,
            schedule="polynomial",
        ),
        Recipe(  # [2, 3, 4] of `Recipe`; learning rate tuned: docs/benchmarks.md
            name="fast",
            optimizer="muon",
            learning_rate=1e-2,
            momentum=0.95,
            weight_decay=1e-2,
            schedule="one_cycle",
            overhang=False,
        ),
    )
}


def choose_recipe(
    name: str, iterations: int | None, changes: Mapping[str, Any]
) -> tuple[Recipe, str]:
    """Return a recipe and why it is this one.

    Parameters
    ----------
    name : str
        ``"nnunet"``, ``"fast"``, or ``"auto"``: by the number of iterations.
    iterations : int or None
        Length of the training, as far as it is known; None: a recipe's own.
    changes : mapping of str to value
        Fields of the recipe to replace, as in ``{"momentum": 0.9}``.

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
    values = recipe_values(changes)
    if name == AUTO:
        usual = dataclasses.replace(RECIPES["nnunet"], **values)
        epochs, each = usual.epochs, usual.iterations_per_epoch
        length = iterations if iterations is not None else epochs * each
        name = "fast" if length < CROSSOVER else "nnunet"
        side = "fewer than" if name == "fast" else "not fewer than"
        because = f"{length} iterations are {side} {CROSSOVER}"
    elif name in RECIPES:
        because = "asked for"
    else:
        raise UsageError(
            f"No recipe is called {name!r}.{did_you_mean(str(name), RECIPES)} "
            f"There are: {AUTO}, {', '.join(RECIPES)}."
        )
    return dataclasses.replace(RECIPES[name], **values), because
