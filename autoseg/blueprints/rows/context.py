"""Parts that look far: pooled branches, dilated ones, and gates made of the whole.

A branch that is pooled to one voxel is normalized over its channels (`Layers.pooled`).
"""

from __future__ import annotations

from collections.abc import Sequence

from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers


def squeeze_excite(
    net: Drawing,
    x: Tensor,
    reduction: int = 16,
    *,
    bias: bool = True,
    act: str = "relu",
) -> Tensor:
    """Return a gate of each channel, made of the averages of all [1]_.

    References
    ----------
    .. [1] Hu, Shen, Sun, "Squeeze-and-excitation networks", CVPR 2018. arXiv:1709.01507
    """
    few = max(1, x.channels // reduction)
    y = net.act(net.conv(net.mean(x), few, 1, bias=bias, name="squeeze"), act)
    return net.act(net.conv(y, x.channels, 1, bias=bias, name="excite"), "sigmoid")


def squeezed(
    net: Drawing,
    x: Tensor,
    kind: str,
    reduction: int = 16,
    name: str = "attention",
    *,
    bias: bool = True,
) -> Tensor:
    """Gate features by what they are themselves.

    Parameters
    ----------
    net : Drawing
        Drawn on.
    x : Tensor
        The features.
    kind : str
        ``"none"``; ``"se"``: each channel by the averages of all; ``"scse"``: also each
        voxel by a sum of its channels, and both added [1]_.
    reduction : int
        How many times fewer channels there are inside.
    name : str
        Of the part.
    bias : bool
        The gate of channels adds learned numbers.

    References
    ----------
    .. [1] Roy, Navab, Wachinger, "Concurrent spatial and channel squeeze and excitation
       in fully convolutional networks", MICCAI 2018. arXiv:1803.02579
    """
    if kind == "none":
        return x
    with net.scope(name):
        of_channels = net.gate(x, squeeze_excite(net, x, reduction, bias=bias))
        if kind == "se":
            return of_channels
        of_voxel = net.act(net.conv(x, 1, 1, name="spatial"), "sigmoid")
        return net.add(of_channels, net.gate(x, of_voxel))


def spatial_gate(net: Drawing, x: Tensor, kernel: int = 7) -> Tensor:
    """Gate each voxel by average and largest channel around it [1]_.

    References
    ----------
    .. [1] Woo et al., "CBAM: convolutional block attention module", ECCV 2018.
       arXiv:1807.06521
    """
    seen = net.conv(net.over_channels(x), 1, kernel, bias=False, name="spatial")
    return net.gate(x, net.act(seen, "sigmoid"))


def cbam(net: Drawing, x: Tensor, reduction: int = 16) -> Tensor:
    """Gate channels by averages and largest numbers, then voxels [1]_.

    What is squeezed is leaky, since of few channels all may be below 0 for ever.

    References
    ----------
    .. [1] Woo et al., "CBAM: convolutional block attention module", ECCV 2018.
       arXiv:1807.06521
    """
    few, said = max(1, x.channels // reduction), []
    for pooled in (net.mean(x), net.adaptive_pool(x, 1, "largest")):
        with net.again():
            y = net.act(net.conv(pooled, few, 1, bias=False, name="squeeze"))
            said.append(net.conv(y, x.channels, 1, bias=False, name="excite"))
    return spatial_gate(net, net.gate(x, net.act(net.add(*said), "sigmoid")))


def separable(
    net: Drawing, layers: Layers, x: Tensor, channels: int, *, dilation: int = 1
) -> Tensor:
    """Convolve each channel by itself, then mix them; normalize and activate."""
    x = net.conv(
        x,
        x.channels,
        3,
        dilation=dilation,
        groups=x.channels,
        bias=False,
        name="depthwise",
    )
    return layers.block(net, x, channels, 1)


def aspp(
    net: Drawing,
    layers: Layers,
    x: Tensor,
    channels: int,
    rates: Sequence[int],
    *,
    apart: bool = False,
) -> Tensor:
    """Look with several dilations at once, and at the whole [1]_.

    Parameters
    ----------
    net : Drawing
        Drawn on.
    layers : Layers
        Beside each convolution.
    x : Tensor
        What is looked at.
    channels : int
        Of each branch, and of the result.
    rates : sequence of int
        Dilations.
    apart : bool
        Dilated convolutions are separable.

    References
    ----------
    .. [1] Chen et al., "Rethinking atrous convolution for semantic image segmentation",
       2017. arXiv:1706.05587
    """
    with net.scope("branches.0"):
        branches = [layers.block(net, x, channels, 1)]
    for number, rate in enumerate(rates, start=1):
        with net.scope(f"branches.{number}"):
            if apart:
                seen = separable(net, layers, x, channels, dilation=rate)
            else:
                seen = layers.block(net, x, channels, 3, dilation=rate)
            branches.append(seen)
    with net.scope(f"branches.{len(rates) + 1}"):
        whole = layers.pooled.block(net, net.mean(x), channels, 1)
        branches.append(net.resize(whole, x))
    with net.scope("project"):
        return layers.block(net, net.cat(*branches), channels, 1)


def pyramid(net: Drawing, layers: Layers, x: Tensor, sizes: Sequence[int]) -> Tensor:
    """Stack features with what they are when pooled to few voxels [1]_.

    Parameters
    ----------
    net : Drawing
        Drawn on.
    layers : Layers
        Beside each convolution; none is normalized that sees one voxel only.
    x : Tensor
        What is pooled.
    sizes : sequence of int
        Edges of the pooled grids. Each has its share of as many channels as there are.

    References
    ----------
    .. [1] Zhao et al., "Pyramid scene parsing network", CVPR 2017. arXiv:1612.01105
    """
    found = []
    for number, size in enumerate(sizes):
        pooled, width = net.adaptive_pool(x, size), x.channels // len(sizes)
        with net.scope(f"pools.{number}"):
            if size == 1:
                y = layers.activate(net, net.conv(pooled, width, 1, name="conv"))
            else:
                y = layers.block(net, pooled, width, 1)
        found.append(net.resize(y, x, "corners"))
    return net.cat(*found, x)
