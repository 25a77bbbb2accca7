"""The interface of a network that is written in torch itself.

Legend: B batch, C channels, K channels of a head, S spatial shape, D number of axes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from autoseg.blueprints.modules.trainable import LateLogits as LateLogits
from autoseg.blueprints.modules.trainable import Outputs as Outputs
from autoseg.blueprints.modules.trainable import Trainable as Trainable
from autoseg.spec.settings.recipes import OwnRecipe


class Network(Trainable):
    """An architecture that is written in torch itself, as a plug-in.

    It is made as ``NETWORKS[name](in_channels, heads, deep_supervision, ...)``:
    ``in_channels`` is C, ``heads`` gives K by the head's name. Other options come from
    the plan and are plain JSON: numbers, strings and lists. A network that the parts of
    `autoseg.blueprints` can draw is a `Declaration` instead, and is planned without
    torch.

    Attributes
    ----------
    fixed_shape : bool
        It works on patches of one shape only.
    recipe : OwnRecipe or None
        How it wants to be trained, and why; None: as the length of a training asks for.
    """

    recipe: ClassVar[OwnRecipe | None] = None
    fixed_shape: ClassVar[bool] = False

    @classmethod
    def divisor(cls, options: Mapping[str, Any]) -> Sequence[int] | None:
        """Return what each edge of an image must be a multiple of; None: try it out.

        Parameters
        ----------
        options : mapping
            Of the plan.
        """
        return None

    @classmethod
    @abstractmethod
    def example(cls, dim: int) -> tuple[dict[str, Any], tuple[int, ...]]:
        """Return tiny options and an image's spatial shape, for tests of every plug-in.

        Parameters
        ----------
        dim : int
            Number of spatial axes, 2 or 3.
        """
