"""How the weights of the layers of a network start."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from autoseg.blueprints.modules._layers import CONVOLUTIONS, TRANSPOSED, Deconv


def start_weights(network: nn.Module, slope: float) -> None:
    """Draw the weights of all convolutions after He, and set their biases to 0.

    Taps of a kernel that would shift what a level sees start at 0: see `_center`.

    Parameters
    ----------
    network : Module
        Changed in place.
    slope : float
        Of the leaky ReLU.

    References
    ----------
    .. [1] He et al., "Delving deep into rectifiers: surpassing human-level performance
       on ImageNet classification", ICCV 2015. doi:10.1109/ICCV.2015.123
    """
    kinds = (*CONVOLUTIONS.values(), *TRANSPOSED.values(), Deconv)
    for module in network.modules():
        if isinstance(module, kinds):
            for name, parameter in module.named_parameters(recurse=False):
                if parameter.is_meta:  # drawing nothing would import torch._dynamo
                    continue
                if name == "weight":
                    nn.init.kaiming_normal_(parameter, a=slope)
                    _center(module)
                else:
                    nn.init.zeros_(parameter)
        elif type(module) is nn.Linear and not module.weight.is_meta:
            nn.init.trunc_normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


@torch.no_grad()
def _center(module: Any) -> None:
    """Start those taps of a kernel at 0 that reach further to one side than the others.

    With a stride of s, voxel i of the coarse level stands for the s voxels from s i on.
    A kernel of 3 with a stride of 2 is about the first of them: each level is half of
    its voxels off, five of them 16 voxels of the image. A long training moves that
    back; one of some hundred steps writes objects beside where they are
    (docs/why/0012). Without its first tap the kernel is in the middle. The others are
    enlarged, so that the variance stays what He wants.
    """
    front = getattr(module, "front", (0,) * len(module.stride))
    rows = zip(module.kernel_size, module.stride, module.padding, front, strict=True)
    for axis, (kernel, stride, padding, before) in enumerate(rows, start=2):
        early = stride - kernel + 2 * (padding - before)  # late, if below 0
        left = kernel - abs(early)
        if stride == 1 or not early or left < stride or set(module.dilation) != {1}:
            continue
        first = 0 if early > 0 else left
        module.weight.narrow(axis, first, abs(early)).zero_()
        module.weight.mul_(math.sqrt(kernel / left))
