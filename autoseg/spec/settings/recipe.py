"""The numbers of a training: what a recipe is, and what may be set of it."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from autoseg.errors import UsageError, did_you_mean
from autoseg.spec.json import hints_of
from autoseg.spec.settings.values import fits, wanted

AUTO = "auto"
OPTIMIZERS = ("sgd", "adamw", "muon")
RECOMPUTE = ("auto", "on", "off")
SCHEDULES = ("polynomial", "one_cycle", "warmup_polynomial", "warmup_cosine")


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
        One of `SCHEDULES`; see `autoseg.train.loop.schedule`.
    power : float
        Exponent of the polynomial schedules.
    warmup : float
        Share of the training in which the learning rate rises; ``"polynomial"`` does
        not.
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
    recompute : str
        ``"on"``: the backward pass makes feature maps again instead of keeping them,
        which halves their memory and changes no number; ``"off"``; ``"auto"``: see
        `recomputes`.
    freeze : str
        ``"encoder"``: its weights stay as they are when the training begins; ``""``:
        all learn.
    patience : float
        Training ends early when the validation score has got no better for so many
        epochs or, below 1, for this share of the training; 0: it goes on to its end.
    taken_rate : float
        Learning rate of weights that were taken from another model, as a share of that
        of the rest.
    taken_warmup : float
        Share of the training in which their rate rises from almost nothing, so that
        what is new learns first.

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
    .. [5] Wald et al., "Primus: enforcing attention usage for 3D medical image
       segmentation", 2025. arXiv:2503.01835; numbers as in its trainer in nnU-Net
    """

    name: str
    optimizer: Literal["sgd", "adamw", "muon"]
    learning_rate: float
    momentum: float
    nesterov: bool = False
    second_momentum: float = 0.999
    weight_decay: float
    schedule: Literal["polynomial", "one_cycle", "warmup_polynomial", "warmup_cosine"]
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
    recompute: Literal["auto", "on", "off"] = "auto"
    freeze: Literal["", "encoder"] = ""
    patience: float = 0.0
    taken_rate: float = 1.0
    taken_warmup: float = 0.0

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
                ("patience", "0 or more", self.patience >= 0),
                ("foreground", "in [0, 1]", 0 <= self.foreground <= 1),
                ("optimizer", _one_of(OPTIMIZERS), self.optimizer in OPTIMIZERS),
                ("schedule", _one_of(SCHEDULES), self.schedule in SCHEDULES),
                ("recompute", _one_of(RECOMPUTE), self.recompute in RECOMPUTE),
                ("taken_rate", "above 0, up to 1", 0 < self.taken_rate <= 1),
                ("taken_warmup", "in [0, 1)", 0 <= self.taken_warmup < 1),
                ("freeze", "encoder", self.freeze in ("", "encoder")),
            )
            if not good
        ]
        if faults:
            raise UsageError("Training cannot use this recipe: " + "; ".join(faults))


def _one_of(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def recomputes(wanted: str, device: str) -> bool:
    """Return whether feature maps are made again instead of kept.

    By default they are where memory is short and passes over numbers cost little: on
    everything but a CPU.

    Parameters
    ----------
    wanted : str
        `Recipe.recompute`.
    device : str
        ``"cpu"``, ``"cuda"`` or ``"mps"``.
    """
    return device != "cpu" if wanted == AUTO else wanted == "on"


def recipe_fields() -> tuple[str, ...]:
    """Return the names of the numbers that may be set, sorted."""
    return tuple(sorted({field.name for field in fields(Recipe)} - {"name"}))


def recipe_values(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return numbers that replace those of a recipe, each as its field's type.

    Parameters
    ----------
    changes : mapping of str to JSON value
        By field.

    Returns
    -------
    dict of str to value
        The same.

    Raises
    ------
    UsageError
        With every field that there is not and every value that is of another type.
    """
    there = recipe_fields()
    unknown = [name for name in changes if name not in there]
    if unknown:
        raise UsageError(
            f"A recipe has no {', '.join(f'train.{u}' for u in sorted(unknown))}."
            f"{did_you_mean(unknown[0], there)} It has: {', '.join(there)}."
        )
    hints = hints_of(Recipe)
    wrong = [
        f"train.{key}={value!r}: {wanted(hints[key])} is wanted"
        for key, value in changes.items()
        if typing.get_origin(hints[key]) is None and not fits(hints[key], value)
    ]
    if wrong:
        raise UsageError(f"Training cannot use this recipe: {'; '.join(wrong)}.")
    return {
        key: hints[key](value) if hints[key] in (int, float) else value
        for key, value in changes.items()
    }
