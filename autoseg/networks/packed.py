"""Networks that only predict, on the CPU, laid out as oneDNN computes them.

torch keeps weights in float32 and channel after channel. Each convolution then brings
the image and its weights into oneDNN's order and the result back, and in half precision
rounds the weights before: half of the time of a U-Net of 16 to 256 features on
256 x 256 pixels. Here weights are rounded and ordered once, and the channels of a voxel
stay beside each other from the first layer to the last.

Letters: B batch, C channels, S spatial shape.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoseg.blueprints.modules.module import Apart, DrawnNetwork
from autoseg.networks._enlargement import by_voxel, enlarge, is_enlargement
from autoseg.networks._layout import with_last
from autoseg.networks._norm import normalized

REGISTER = 8  # numbers of single precision that an instruction computes at least


def can_pack(dtype: torch.dtype) -> bool:
    """Return whether oneDNN computes packed networks on this processor.

    Parameters
    ----------
    dtype : torch.dtype
        Of images and weights.
    """
    if platform.machine() not in ("x86_64", "AMD64"):
        return False
    if not torch.backends.mkldnn.is_available():
        return False
    half = dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return dtype == torch.float32 or bool(half)


def pack(network: nn.Module, dtype: torch.dtype) -> None:
    """Have a network predict with weights that oneDNN need not order again.

    Layers that are not known here stay as they are: with half precision, call the
    network under autocast.

    Parameters
    ----------
    network : Module
        On the CPU, its weights as they will stay. Their names, and the parameters
        themselves, stay too.
    dtype : torch.dtype
        Of the layers' images and weights, one that `can_pack`.
    """
    free: set[str] = set()
    if isinstance(network, DrawnNetwork):
        free = network.sole_readers("norm", of="conv")
        if dtype == torch.float32:
            network.leave_apart(
                name
                for name in network.sole_readers("conv", of="cat")
                if _adds_up(network.get_submodule(name))
            )
    for name, layer in network.named_modules():
        packed = _packed(layer, dtype, name in free)
        if packed is not None:
            layer.forward = packed


def _packed(
    layer: nn.Module, dtype: torch.dtype, in_place: bool
) -> Callable[..., Tensor] | None:
    """Return what computes a layer from now on; None: what did until now.

    A norm may be told that it may overwrite what it is given.
    """
    if _is_plain(layer):
        return _convolution(layer, dtype)
    if isinstance(layer, (nn.ConvTranspose2d, nn.ConvTranspose3d)):
        return _transposed(layer, dtype)
    if isinstance(layer, (nn.InstanceNorm2d, nn.InstanceNorm3d)):
        if not layer.track_running_stats:
            return _normalization(layer, in_place)
    return None


def _is_plain(layer: nn.Module) -> TypeGuard[nn.Conv2d | nn.Conv3d]:
    """Return whether a layer is a convolution that oneDNN can compute as it is."""
    if not isinstance(layer, (nn.Conv2d, nn.Conv3d)):
        return False
    return not isinstance(layer.padding, str) and layer.padding_mode == "zeros"


def _adds_up(layer: nn.Module) -> bool:
    """Return whether what a layer makes of a stack is a sum over its pieces."""
    return _is_plain(layer) and layer.groups == 1


def _convolution(
    layer: nn.Conv2d | nn.Conv3d, dtype: torch.dtype
) -> Callable[[Tensor | Apart], Tensor]:
    """Return what convolves an image, or a stack, piece by piece.

    Pieces are not copied into one image before: what the next one gives is added to
    what is there already, while it is computed.
    """
    settings = (layer.padding, layer.stride, layer.dilation, layer.groups)
    bias = _rounded(layer.bias, dtype)
    # Of one shape, for windows are nearly always of one, and weights in its order.
    known: tuple[list[torch.Size], list[Tensor]] | None = None

    def convolve(x: Tensor | Apart) -> Tensor:
        nonlocal known
        pieces = [_laid_out(piece, dtype) for piece in _pieces(x)]
        shapes = [piece.shape for piece in pieces]
        ordered = known  # another thread may change it
        if ordered is None or ordered[0] != shapes:
            ordered = known = (shapes, _ordered_for(layer, dtype, shapes))
        found: Tensor = torch.ops.mkldnn._convolution_pointwise(
            pieces[0], ordered[1][0], bias, *settings, "none", [], ""
        )
        for piece, weight in zip(pieces[1:], ordered[1][1:], strict=True):
            torch.ops.mkldnn._convolution_pointwise_.binary(
                found, piece, weight, None, *settings, "add", 1.0, None, [], None
            )
        return found

    return convolve


def _pieces(x: Tensor | Apart) -> Sequence[Tensor]:
    """Return pieces that are worth a convolution of their own: full registers."""
    if isinstance(x, Tensor):
        return [x]
    if any(piece.shape[1] % REGISTER for piece in x.pieces):
        return [x.together()]
    return x.pieces


def _ordered_for(
    layer: nn.Conv2d | nn.Conv3d, dtype: torch.dtype, shapes: Sequence[torch.Size]
) -> list[Tensor]:
    """Return the weights of each piece of an image; see `_ordered`."""
    weights: Sequence[Tensor] = [layer.weight.detach()]
    if len(shapes) > 1:
        weights = weights[0].split([shape[1] for shape in shapes], dim=1)
    return [
        _ordered(layer, weight.to(dtype), shape)
        for weight, shape in zip(weights, shapes, strict=True)
    ]


def _ordered(layer: nn.Conv2d | nn.Conv3d, weight: Tensor, shape: torch.Size) -> Tensor:
    """Return weights in the order that oneDNN wants for images of a shape.

    Which one that is depends on the shape; from any other, each call brings the weights
    into it number by number, which takes ten times as long as a small convolution.
    """
    order: Any = torch._C._nn
    order = (
        order.mkldnn_reorder_conv2d_weight
        if isinstance(layer, nn.Conv2d)
        else order.mkldnn_reorder_conv3d_weight
    )
    weight = weight.contiguous().to_mkldnn()
    settings = (layer.padding, layer.stride, layer.dilation, layer.groups)
    try:
        found: Tensor = order(weight, *settings, list(shape))
    except TypeError:  # older versions of torch are not told the shape
        found = order(weight, *settings)
    return found


def _transposed(
    layer: nn.ConvTranspose2d | nn.ConvTranspose3d, dtype: torch.dtype
) -> Callable[[Tensor], Tensor]:
    function: Any = (
        functional.conv_transpose2d
        if isinstance(layer, nn.ConvTranspose2d)
        else functional.conv_transpose3d
    )
    bias = _rounded(layer.bias, dtype)
    if dtype == torch.float32 and is_enlargement(layer):
        kernel = by_voxel(layer.weight.detach()).contiguous()
        return lambda x: enlarge(with_last(x), kernel, layer.stride, bias)
    weight = _laid_out(layer.weight.detach(), dtype)
    settings = (layer.stride, layer.padding, layer.output_padding)

    def convolve(x: Tensor) -> Tensor:
        x = _laid_out(x, dtype)
        found: Tensor = function(
            x, weight, bias, *settings, layer.groups, layer.dilation
        )
        return found

    return convolve


def _rounded(bias: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    return None if bias is None else bias.detach().to(dtype)


def _laid_out(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the same numbers, the channels of a voxel beside each other."""
    return with_last(x.to(dtype))


def _normalization(
    layer: nn.InstanceNorm2d | nn.InstanceNorm3d, in_place: bool
) -> Callable[[Tensor], Tensor]:
    """Return what gives (B, C, *S) the layer's mean and variance in each channel."""
    plain = layer.forward
    weight, bias = (
        None if scale is None else scale.detach()
        for scale in (layer.weight, layer.bias)
    )

    def normalize(x: Tensor) -> Tensor:
        if len(x) > 1 or math.prod(x.shape[2:]) == 1:
            return plain(x)
        return normalized(with_last(x), weight, bias, layer.eps, in_place)

    return normalize
