"""How a network is trained, in numbers: two recipes, and which one is taken when."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from autoseg.errors import UsageError

AUTO = "auto"

# Up to this many iterations "auto" takes `fast`, beyond it `nnunet`. Measured up to
# the longest budgets of docs/benchmarks.md, `fast` is ahead; nnU-Net's own results
# were made with 250,000 iterations of `nnunet`, where its rules are known to be good.
CROSSOVER = 25_000


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Every number of a training that is not in the plan.

    Parameters
    ----------
    name : str
        Which recipe the numbers started from.
    optimizer : str
        ``"sgd"``, ``"adamw"`` or ``"muon"``, which is AdamW but for hidden layers; see
        `autoseg.train.loop.muon`.
    learning_rate : float
        The highest of the schedule.
    momentum : float
        Of SGD and Muon; of AdamW it is the first of the two betas.
    nesterov : bool
        SGD with Nesterov's momentum.
    second_momentum : float
        The second beta of AdamW.
    weight_decay : float
        Of the optimizer, on all weights.
    schedule : str
        ``"polynomial"`` or ``"one_cycle"``; see `autoseg.train.loop.schedule`.
    power : float
        Exponent of the polynomial schedule.
    warmup : float
        Share of the training in which the one-cycle schedule rises.
    epochs : int
        Length of the training when no other is asked for.
    iterations_per_epoch : int
        Steps of the optimizer in one epoch.
    validation_batches : int
        Batches of validation patches at the end of an epoch.
    gradient_clip : float
        Largest norm of the gradient of all weights; 0: not clipped.
    foreground : float
        Share of the patches that are centered on a foreground voxel.
    overhang : bool
        Such patches may end after the image, as in nnU-Net, though not begin before it.
    deep_supervision : bool
        The coarser outputs of the decoder have losses of their own.
    augmentation : str
        Policy of `autoseg.augmentations`.

    References
    ----------
    .. [1] Isensee et al., "nnU-Net: a self-configuring method for deep
       learning-based biomedical image segmentation", Nature Methods 18, 2021.
       doi:10.1038/s41592-020-01008-z
    .. [2] Loshchilov, Hutter, "Decoupled weight decay regularization", ICLR 2019.
       arXiv:1711.05101
    .. [3] Smith, Topin, "Super-convergence: very fast training of neural networks
       using large learning rates", SPIE 11006, 2019. doi:10.1117/12.2520589
    .. [4] Jordan et al., "Muon: an optimizer for hidden layers in neural networks",
       2024. https://kellerjordan.github.io/posts/muon
    """

    name: str
    optimizer: Literal["sgd", "adamw", "muon"]
    learning_rate: float
    momentum: float
    nesterov: bool = False
    second_momentum: float = 0.999
    weight_decay: float
    schedule: Literal["polynomial", "one_cycle"]
    power: float = 0.9
    warmup: float = 0.15
    epochs: int = 1000
    iterations_per_epoch: int = 250
    validation_batches: int = 10
    gradient_clip: float = 12.0
    foreground: float = 0.33
    overhang: bool = True
    deep_supervision: bool = True
    augmentation: str = "nnunet"

    def __post_init__(self) -> None:
        faults = [
            f"{field} is {getattr(self, field)}; it must be {rule}"
            for field, rule, good in (
                ("learning_rate", "above 0", self.learning_rate > 0),
                ("momentum", "in [0, 1)", 0 <= self.momentum < 1),
                ("second_momentum", "in [0, 1)", 0 <= self.second_momentum < 1),
                ("weight_decay", "0 or more", self.weight_decay >= 0),
                ("warmup", "in [0, 1)", 0 <= self.warmup < 1),
                ("epochs", "1 or more", self.epochs >= 1),
                ("iterations_per_epoch", "1 or more", self.iterations_per_epoch >= 1),
                ("validation_batches", "0 or more", self.validation_batches >= 0),
                ("gradient_clip", "0 or more", self.gradient_clip >= 0),
                ("foreground", "in [0, 1]", 0 <= self.foreground <= 1),
                (
                    "optimizer",
                    "sgd, adamw or muon",
                    self.optimizer in ("sgd", "adamw", "muon"),
                ),
                (
                    "schedule",
                    "polynomial or one_cycle",
                    self.schedule in ("polynomial", "one_cycle"),
                ),
            )
            if not good
        ]
        if faults:
            raise UsageError("Training cannot use this recipe: " + "; ".join(faults))


RECIPES: Mapping[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(  # all numbers of nnU-Net v2 [1]
            name="nnunet",
            optimizer="sgd",
            learning_rate=1e-2,
            momentum=0.99,
            nesterov=True,
            weight_decay=3e-5,
            schedule="polynomial",
        ),
        Recipe(  # [2, 3, 4]; learning rate tuned: docs/benchmarks.md
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
    if name == AUTO:
        epochs = changes.get("epochs", RECIPES["nnunet"].epochs)
        each = changes.get(
            "iterations_per_epoch", RECIPES["nnunet"].iterations_per_epoch
        )
        length = iterations if iterations is not None else epochs * each
        name = "fast" if length < CROSSOVER else "nnunet"
        side = "fewer than" if name == "fast" else "not fewer than"
        because = f"{length} iterations are {side} {CROSSOVER}"
    elif name in RECIPES:
        because = "asked for"
    else:
        raise UsageError(
            f"No recipe is called {name!r}. There are: {AUTO}, {', '.join(RECIPES)}."
        )
    fields = {f.name: f for f in dataclasses.fields(Recipe)}
    unknown = sorted(changes.keys() - (fields.keys() - {"name"}))
    if unknown:
        raise UsageError(
            f"A recipe has no {', '.join(f'train.{u}' for u in unknown)}. It has: "
            f"{', '.join(sorted(fields.keys() - {'name'}))}."
        )
    values = {
        key: _as(str(fields[key].type), key, value) for key, value in changes.items()
    }
    return dataclasses.replace(RECIPES[name], **values), because


def _as(kind: str, key: str, value: Any) -> Any:
    """Return a value given on the command line or in a plan as its field's type."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "float" and number:
        return float(value)
    if kind == "int" and number and float(value).is_integer():
        return int(value)
    if kind == "bool" and isinstance(value, bool):
        return value
    if (kind == "str" or kind.startswith("Literal")) and isinstance(value, str):
        return value
    raise UsageError(f"train.{key}={value!r} is no {kind}.")
