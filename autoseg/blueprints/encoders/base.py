"""What an encoder is: features of an image at several resolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers

REDUCTIONS = 5  # how often an encoder of classification makes its image smaller


class Encoder(Protocol):
    """A network for classification without its last layers.

    Its layers have the names that torchvision or timm gives them, so that weights which
    were trained elsewhere fit.
    """

    def draw(
        self,
        net: Drawing,
        layers: Layers,
        strides: Sequence[Sequence[int]],
        dilations: Sequence[int],
        narrow: int,
    ) -> list[Tensor]:
        """Return the features after each reduction, finest first.

        Parameters
        ----------
        net : Drawing
            Drawn on, from its image.
        layers : Layers
            Beside each convolution.
        strides : sequence of sequence of int, shape (n, D)
            Of the reductions, at most `REDUCTIONS`; what would follow is left out.
        dilations : sequence of int, length n
            Of the convolutions of each reduction: more than 1 where strides that the
            encoder once had are 1.
        narrow : int
            Widths are those of the original divided by this.
        """


def rounded(width: float, step: int) -> int:
    """Return a multiple that is not much less than a width.

    Examples
    --------
    >>> rounded(88.08, 8), rounded(4.0, 8), rounded(35.2, 8)
    (88, 8, 32)
    >>> rounded(10.9, 8)
    16
    """
    near = max(step, int(width + step / 2) // step * step)
    return near if near >= 0.9 * width else near + step
