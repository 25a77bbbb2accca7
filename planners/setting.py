"""What a training step is: its outputs, and how it is computed."""

from __future__ import annotations

from dataclasses import dataclass

from autoseg.spec.choice import Choice
from autoseg.spec.settings.recipe import AUTO, recomputes


@dataclass(frozen=True, kw_only=True)
class LossCost:
    """One head, as far as its loss takes memory.

    Parameters
    ----------
    channels : int
        Channels of the head.
    loss : str
        A file in ``autoseg/losses``.
    ignore : bool
        Some voxels do not count, which takes one more map.
    points : bool
        It is one of points, whose logits are made late.
    reader : Choice, optional
        What makes the outputs of the network's ``channels``; see `Head.reader`.
    """

    channels: int
    loss: str = "dice_ce"
    ignore: bool = False
    points: bool = False
    reader: Choice | None = None


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How a step is computed.

    Parameters
    ----------
    precision : str
        ``"fp32"``, ``"bf16"`` or ``"fp16"``: of feature maps. Weights, losses and
        optimizer are float32.
    optimizer : str
        ``"sgd"`` (with momentum) or ``"adamw"``.
    deep_supervision : bool
        All levels of the decoder have outputs.
    device : str
        ``"cuda"``: convolutions need a workspace and the optimizer works on all weights
        at once; ``"cpu"``: neither.
    augmentation : bool
        Patches are augmented on the device.
    recompute : str
        ``"on"``: the backward pass makes feature maps again instead of keeping them;
        ``"off"``; ``"auto"``: as `autoseg.spec.settings.recipe.recomputes` says.
    """

    precision: str = "bf16"
    optimizer: str = "adamw"
    deep_supervision: bool = True
    device: str = "cuda"
    augmentation: bool = True
    recompute: str = AUTO

    @property
    def makes_again(self) -> bool:
        """Whether feature maps are made again instead of kept."""
        return recomputes(self.recompute, self.device)
