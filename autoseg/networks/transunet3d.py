"""3D TransUNet: a plain U-Net with a transformer at the bottom."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from autoseg.blueprints.declaration import Shapes, option
from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers
from autoseg.blueprints.rows.row import Row
from autoseg.blueprints.rows.transformers import attention_recipe, layer
from autoseg.networks import NETWORKS

EPS = 1e-6


@NETWORKS.register
class TransUNet3D(Row):
    """Tokens are the voxels of the deepest stage; positions are learned.

    That is what its authors call the encoder alone. Their queries, which look at
    features of several resolutions and answer with a mask each, are a representation of
    instances here, on this network as on any other (``representation=queries``).

    References
    ----------
    .. [1] Chen et al., "3D TransUNet: advancing medical image segmentation through
       vision transformers", 2023. arXiv:2310.07781
    """

    recipe = attention_recipe(
        "its authors use SGD, but begin with weights of other pictures"
    )
    fixed_shape = True
    own: ClassVar[Mapping[str, Any]] = {
        "hidden": 768,
        "mlp": 3072,
        "attention": 12,
        "depth": 12,
    }
    tiny: ClassVar[Mapping[str, Any]] = {
        "hidden": 16,
        "mlp": 12,
        "attention": 2,
        "depth": 1,
    }

    @classmethod
    def draw(  # type: ignore[override]
        cls, drawing: Drawing, *, patch: Sequence[int], **options: Any
    ) -> None:
        """Draw it; see `Row.draw`.

        Parameters
        ----------
        drawing : Drawing
            Drawn on.
        patch : sequence of int, length D
            The shape of all images.
        **options
            See `Row.draw`; of the transformer: channels of a token (``hidden``) and
            inside of a layer (``mlp``), heads (``attention``) and layers (``depth``).
        """
        super().draw(drawing, **options)

    @classmethod
    def bottom(cls, net: Drawing, layers: Layers, x: Tensor, **own: Any) -> Tensor:
        with net.scope("transformer"):
            grid = net.conv(x, own["hidden"], 1, name="embed")
            row = net.position(net.tokens(grid), name="position")
            for number in range(own["depth"]):
                with net.scope(f"layers.{number}"):
                    row = layer(
                        net, row, own["mlp"], own["attention"], bias=True, eps=EPS
                    )
            grid = net.grid(net.norm(row, "layer", eps=EPS, name="norm"), grid)
            return net.conv(grid, x.channels, 1, name="back")

    @classmethod
    def options(cls) -> dict[str, inspect.Parameter]:
        of_row = {n: p for n, p in Row.options().items() if n not in Row.own}
        own = {n: option(n, int, value) for n, value in cls.own.items()}
        return {**of_row, "patch": option("patch", Sequence[int]), **own}

    @classmethod
    def plan(cls, shapes: Shapes, fixed: Mapping[str, Any]) -> dict[str, Any]:
        return {**super().plan(shapes, fixed), "patch": list(shapes.patch_size)}

    @classmethod
    def example(cls, dim: int) -> tuple[dict[str, Any], tuple[int, ...]]:
        options, shape = super().example(dim)
        return {**options, "patch": list(shape)}, shape
