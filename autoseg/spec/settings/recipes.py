"""The recipes that there are, by name, and what a network says of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autoseg.errors import UsageError, did_you_mean
from autoseg.spec.settings.recipe import AUTO, Recipe, recipe_values

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
        Recipe(  # of attention: rate, betas, decay, warm-up and clip of [5] of `Recipe`
            name="adamw",
            optimizer="adamw",
            learning_rate=3e-4,
            momentum=0.9,
            second_momentum=0.98,
            weight_decay=5e-2,
            schedule="warmup_polynomial",
            warmup=0.05,
            gradient_clip=1.0,
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class OwnRecipe:
    """How a network wants to be trained where nobody asks for something else.

    Parameters
    ----------
    base : str
        One of `RECIPES`.
    changes : mapping of str to value
        Numbers of it that are others for this network.
    because : str
        Why, for the plan and the record of a run; without a period.

    Raises
    ------
    UsageError
        If there is no such recipe or number, or a value cannot be.
    """

    base: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    because: str

    def __post_init__(self) -> None:
        self.recipe()

    def recipe(self) -> Recipe:
        """Return all its numbers."""
        return changed_recipe(self.base, self.changes)


def changed_recipe(name: str, changes: Mapping[str, Any]) -> Recipe:
    """Return a recipe with some numbers replaced.

    Raises
    ------
    UsageError
        If there is no such recipe or number, or a value cannot be.
    """
    if name not in RECIPES:
        raise UsageError(
            f"No recipe is called {name!r}.{did_you_mean(str(name), RECIPES)} "
            f"There are: {AUTO}, {', '.join(RECIPES)}."
        )
    return dataclasses.replace(RECIPES[name], **recipe_values(changes))


def in_words(recipe: Recipe) -> str:
    """Return what a recipe does, in one line.

    Examples
    --------
    >>> in_words(RECIPES["adamw"])
    'adamw at 0.0003 (betas 0.9 and 0.98), weight decay 0.05, warmup_polynomial \
with a rise over 5 %, gradients clipped at 1'
    """
    if recipe.optimizer == "adamw":
        moments = f"betas {recipe.momentum:g} and {recipe.second_momentum:g}"
    else:
        moments = f"momentum {recipe.momentum:g}"
    rises = recipe.schedule != "polynomial" and recipe.warmup > 0
    rise = f" with a rise over {100 * recipe.warmup:g} %" if rises else ""
    clip = recipe.gradient_clip
    clipped = f"gradients clipped at {clip:g}" if clip else "gradients not clipped"
    return (
        f"{recipe.optimizer} at {recipe.learning_rate:g} ({moments}), weight decay "
        f"{recipe.weight_decay:g}, {recipe.schedule}{rise}, {clipped}"
    )
