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
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoseg.networks.onednn import last_layout

ROW = 128  # numbers side by side for which torch's loop over channels is fast


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
    for layer in network.modules():
        packed = _packed(layer, dtype)
        if packed is not None:
            layer.forward = packed


def _packed(layer: nn.Module, dtype: torch.dtype) -> Callable[[Tensor], Tensor] | None:
    """Return what computes a layer from now on; None: what did until now."""
    if isinstance(layer, (nn.Conv2d, nn.Conv3d)):
        if isinstance(layer.padding, str) or layer.padding_mode != "zeros":
            return None
        return _convolution(layer, dtype)
    if isinstance(layer, (nn.ConvTranspose2d, nn.ConvTranspose3d)):
        return _transposed(layer, dtype)
    if isinstance(layer, (nn.InstanceNorm2d, nn.InstanceNorm3d)):
        if not layer.track_running_stats:
            return _normalization(layer)
    return None


def _convolution(
    layer: nn.Conv2d | nn.Conv3d, dtype: torch.dtype
) -> Callable[[Tensor], Tensor]:
    settings = (layer.padding, layer.stride, layer.dilation, layer.groups)
    order: Any = torch._C._nn
    order = (
        order.mkldnn_reorder_conv2d_weight
        if isinstance(layer, nn.Conv2d)
        else order.mkldnn_reorder_conv3d_weight
    )
    weight = order(layer.weight.detach().to(dtype).contiguous().to_mkldnn(), *settings)
    bias = _rounded(layer.bias, dtype)

    def convolve(x: Tensor) -> Tensor:
        x = _laid_out(x, dtype)
        found: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x, weight, bias, *settings, "none", [], ""
        )
        return found

    return convolve


def _transposed(
    layer: nn.ConvTranspose2d | nn.ConvTranspose3d, dtype: torch.dtype
) -> Callable[[Tensor], Tensor]:
    function: Any = (
        functional.conv_transpose2d
        if isinstance(layer, nn.ConvTranspose2d)
        else functional.conv_transpose3d
    )
    weight = _laid_out(layer.weight.detach(), dtype)
    bias = _rounded(layer.bias, dtype)
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
    return x.to(dtype).contiguous(memory_format=last_layout(x))


def _normalization(
    layer: nn.InstanceNorm2d | nn.InstanceNorm3d,
) -> Callable[[Tensor], Tensor]:
    """Return what gives (B, C, *S) the layer's mean and variance in each channel.

    torch's own loop wants the voxels of a channel beside each other. Its loop for batch
    norm does not, but is slow for few channels: so voxels are taken in groups, as if
    their channels were different ones, and what is found of them is put together.
    """
    channels, plain = layer.num_features, layer.forward
    most = max(1, ROW // channels)
    weight, bias = (
        None if scale is None else scale.detach().repeat(most)
        for scale in (layer.weight, layer.bias)
    )

    def normalize(x: Tensor) -> Tensor:
        voxels = math.prod(x.shape[2:])
        if len(x) > 1 or voxels == 1:
            return plain(x)
        group = _group(channels, voxels)
        long = group * channels
        rows = x.movedim(1, -1).reshape(-1, long)
        means, variances = torch.zeros(2, long)
        # Momentum 1: nothing of the zeros stays.
        torch.batch_norm_update_stats(rows, means, variances, 1.0)
        variances *= (len(rows) - 1) / len(rows)
        if group > 1:
            between, mean = torch.var_mean(means.view(group, -1), 0, correction=0)
            within = variances.view(group, -1).mean(0)
            means, variances = mean.repeat(group), (within + between).repeat(group)
        found = functional.batch_norm(
            rows,
            means,
            variances,
            None if weight is None else weight[:long],
            None if bias is None else bias[:long],
            eps=layer.eps,
        )
        return found.view(1, *x.shape[2:], channels).movedim(-1, 1)

    return normalize


def _group(channels: int, voxels: int) -> int:
    """Return how many voxels make a row: a power of two that divides their number."""
    group = 1
    while 2 * group * channels <= ROW and voxels % (4 * group) == 0:
        group *= 2
    return group
