"""Mix transformer, the encoder of SegFormer: attention to a coarser copy of itself.

Names are those of its authors, which other packages share::

    patch_embed{1..4}.{proj|norm}, norm{1..4},
    block{1..4}.{n}.{norm1|attn.{q|kv|sr|norm|proj}|norm2|mlp.{fc1|dwconv.dwconv|fc2}}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers

HEADS = (1, 2, 5, 8)
COARSER = (8, 4, 2, 1)  # how many times, the copy that is looked at
WIDER = 4
EPS, EPS_OF_LAYERS = 1e-5, 1e-6


@dataclass(frozen=True)
class MiT:
    """Four stages; the first makes the image smaller twice, at once.

    Parameters
    ----------
    widths, counts : tuple of int
        Channels and layers of each stage.

    References
    ----------
    .. [1] Xie et al., "SegFormer: simple and efficient design for semantic segmentation
       with transformers", NeurIPS 2021. arXiv:2105.15203
    """

    widths: tuple[int, ...]
    counts: tuple[int, ...]

    def draw(
        self,
        net: Drawing,
        layers: Layers,
        strides: Sequence[Sequence[int]],
        dilations: Sequence[int],
        narrow: int,
    ) -> list[Tensor]:
        """Draw it; see `autoseg.blueprints.encoders.base.Encoder`."""
        x, features = net.image, [net.lend(net.image, strides[0])]
        for stage in range(len(strides) - 1):
            stride, kernel = strides[stage + 1], 3
            if stage == 0:
                stride = [a * b for a, b in zip(strides[0], stride, strict=True)]
                kernel = 7
            heads = HEADS[stage]
            width = max(1, self.widths[stage] // heads // narrow) * heads
            place = f"patch_embed{stage + 1}"
            grid = net.conv(x, width, kernel, stride, name=f"{place}.proj")
            y = net.norm(net.tokens(grid), "layer", eps=EPS, name=f"{place}.norm")
            for number in range(self.counts[stage]):
                with net.scope(f"block{stage + 1}.{number}"):
                    y = _layer(net, y, grid, heads, COARSER[stage])
            y = net.norm(y, "layer", eps=EPS_OF_LAYERS, name=f"norm{stage + 1}")
            x = net.grid(y, grid)
            features.append(x)
        return features


def _layer(net: Drawing, x: Tensor, grid: Tensor, heads: int, coarser: int) -> Tensor:
    y = net.norm(x, "layer", eps=EPS_OF_LAYERS, name="norm1")
    with net.scope("attn"):
        query, seen = net.linear(y, x.channels, name="q"), y
        if coarser > 1:
            small = net.conv(net.grid(y, grid), x.channels, coarser, coarser, name="sr")
            seen = net.norm(net.tokens(small), "layer", eps=EPS, name="norm")
        pairs = net.linear(seen, 2 * x.channels, name="kv")
        y = net.linear(net.look(query, pairs, None, heads), x.channels, name="proj")
    x = net.add(x, y)
    y = net.norm(x, "layer", eps=EPS_OF_LAYERS, name="norm2")
    with net.scope("mlp"):
        y = net.grid(net.linear(y, WIDER * x.channels, name="fc1"), grid)
        y = net.conv(y, y.channels, 3, groups=y.channels, name="dwconv.dwconv")
        y = net.linear(net.act(net.tokens(y), "gelu"), x.channels, name="fc2")
    return net.add(x, y)


_WIDE = (64, 128, 320, 512)
MITS = {
    "mit_b0": MiT((32, 64, 160, 256), (2, 2, 2, 2)),
    "mit_b1": MiT(_WIDE, (2, 2, 2, 2)),
    "mit_b2": MiT(_WIDE, (3, 4, 6, 3)),
    "mit_b3": MiT(_WIDE, (3, 4, 18, 3)),
    "mit_b4": MiT(_WIDE, (3, 8, 27, 3)),
    "mit_b5": MiT(_WIDE, (3, 6, 40, 3)),
}
