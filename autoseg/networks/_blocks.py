"""Parts that the U-Nets share: convolution blocks, the decoder, and how weights start.

Names of modules are those of nnU-Net's networks, so that its weights load as they are;
see `autoseg.networks.plain_unet`.

Legend: B batch, C channels, K channels of a head, S spatial shape, D number of axes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoseg.errors import PlanError
from autoseg.networks.base import LateLogits, Network, Outputs

CONVOLUTIONS: dict[int, type[nn.Module]] = {2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED: dict[int, type[nn.Module]] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
POOLS: dict[int, type[nn.Module]] = {2: nn.AvgPool2d, 3: nn.AvgPool3d}


class _InstanceNorm(nn.modules.instancenorm._InstanceNorm):
    """Instance norm that trains one sample without copying it.

    torch's own brings images to channels first and so the next layer back again, which
    is an eighth of a training step on a CPU. For one sample, batch norm computes the
    same numbers in whatever layout they are.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.training and len(x) == 1:
            return functional.batch_norm(
                x, None, None, self.weight, self.bias, training=True, eps=self.eps
            )
        return super().forward(x)


class _InstanceNorm2d(_InstanceNorm, nn.InstanceNorm2d):
    pass


class _InstanceNorm3d(_InstanceNorm, nn.InstanceNorm3d):
    pass


NORMS: dict[tuple[str, int], type[nn.Module]] = {
    ("instance", 2): _InstanceNorm2d,
    ("instance", 3): _InstanceNorm3d,
    ("batch", 2): nn.BatchNorm2d,
    ("batch", 3): nn.BatchNorm3d,
}


@dataclass(frozen=True, kw_only=True)
class Layers:
    """Which layers a network is made of.

    Parameters
    ----------
    dim : int
        Number of spatial axes, 2 or 3.
    norm : str
        ``"instance"`` or ``"batch"``, with a learned scale and shift.
    bias : bool
        Convolutions have a bias.
    eps : float
        Added to the variance by the norm.
    slope : float
        Of the leaky ReLU below 0.
    """

    dim: int
    norm: str = "instance"
    bias: bool = True
    eps: float = 1e-5
    slope: float = 0.01

    def __post_init__(self) -> None:
        if (self.norm, self.dim) not in NORMS:
            raise PlanError(
                f"A network has dim {self.dim} and norm {self.norm!r}; dim must be 2 "
                "or 3, norm 'instance' or 'batch'."
            )

    def convolution(
        self, c_in: int, c_out: int, kernel: Sequence[int], stride: Sequence[int]
    ) -> nn.Module:
        """Return a convolution that keeps the size but for the stride."""
        padding = tuple((size - 1) // 2 for size in kernel)
        return CONVOLUTIONS[self.dim](
            c_in, c_out, tuple(kernel), tuple(stride), padding, bias=self.bias
        )

    def normalization(self, channels: int) -> nn.Module:
        """Return a normalization layer."""
        return NORMS[self.norm, self.dim](channels, eps=self.eps, affine=True)

    def activation(self) -> nn.Module:
        """Return a leaky ReLU that works in place."""
        return nn.LeakyReLU(self.slope, inplace=True)


class ConvBlock(nn.Module):
    """Convolution, normalization and, if asked for, activation."""

    def __init__(
        self,
        layers: Layers,
        channels: tuple[int, int],
        kernel: Sequence[int],
        stride: Sequence[int],
        activate: bool = True,
    ) -> None:
        super().__init__()
        self.conv = layers.convolution(*channels, kernel, stride)
        self.norm = layers.normalization(channels[1])
        self.activate = layers.activation() if activate else None

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C_out, *S / stride) for (B, C_in, *S)."""
        x = self.norm(self.conv(x))
        return x if self.activate is None else self.activate(x)


class ConvStack(nn.Module):
    """Several `ConvBlock` in a row; only the first has a stride."""

    def __init__(
        self,
        layers: Layers,
        channels: tuple[int, int],
        kernel: Sequence[int],
        stride: Sequence[int],
        count: int,
    ) -> None:
        super().__init__()
        c_in, c_out = channels
        blocks = [ConvBlock(layers, (c_in, c_out), kernel, stride)]
        ones = (1,) * layers.dim
        blocks += [
            ConvBlock(layers, (c_out, c_out), kernel, ones) for _ in range(count - 1)
        ]
        self.convs = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C_out, *S / stride) for (B, C_in, *S)."""
        result: Tensor = self.convs(x)
        return result


class Decoder(nn.Module):
    """From the deepest features up to the resolution of the image.

    Level 0 is the one above the deepest, and the last one has the resolution of the
    encoder's stage ``head_stage``: of stage 0, that of the image. All heads are one 1x1
    convolution on each level, whose channels are the heads' in order: so one head of K
    channels has nnU-Net's names and shapes.
    """

    def __init__(
        self,
        layers: Layers,
        features: Sequence[int],
        kernels: Sequence[Sequence[int]],
        strides: Sequence[Sequence[int]],
        convs: Sequence[int],
        outputs: int,
        head_stage: int = 0,
    ) -> None:
        super().__init__()
        transposed, stages, heads = [], [], []
        ones = (1,) * layers.dim
        for level in range(len(features) - 1 - head_stage):
            below, here = features[-level - 1], features[-level - 2]
            step = tuple(strides[-level - 1])
            transposed.append(
                TRANSPOSED[layers.dim](below, here, step, step, bias=layers.bias)
            )
            kernel = kernels[-level - 2]
            stages.append(
                ConvStack(layers, (2 * here, here), kernel, ones, convs[level])
            )
            heads.append(CONVOLUTIONS[layers.dim](here, outputs, 1, bias=True))
        self.transpconvs = nn.ModuleList(transposed)
        self.stages = nn.ModuleList(stages)
        self.seg_layers = nn.ModuleList(heads)

    def forward(
        self, skips: Sequence[Tensor], all_levels: bool, features: bool = False
    ) -> list[Tensor]:
        """Return logits (B, sum of K, *S) of all levels or of the last, finest first.

        Parameters
        ----------
        skips : sequence of Tensor
            Output of each stage of the encoder, the image's resolution first.
        all_levels : bool
            Give the coarser levels too.
        features : bool
            Give the features (B, F, *S) that the finest logits are made of instead.
        """
        x = skips[-1]
        found = []
        last = len(self.stages) - 1
        for level, (up, stage, head) in enumerate(
            zip(self.transpconvs, self.stages, self.seg_layers, strict=True)
        ):
            x = stage(torch.cat((up(x), skips[-level - 2]), dim=1))
            if features and level == last:
                found.append(x)
            elif all_levels or level == last:
                found.append(head(x))
        return found[::-1]


class UNet(Network):
    """What the two U-Nets have in common: an encoder, `Decoder` and heads.

    Parameters
    ----------
    encoder : Module
        Gives a list with the output of each stage.
    decoder : Decoder
        With as many levels as the encoder has stages, but one.
    heads : mapping of str to int
        Channels by head.
    strides : sequence of sequence of int, shape (stages, D)
        For the message when an image does not fit.
    deep_supervision : bool
        Give all levels.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: Decoder,
        heads: Mapping[str, int],
        strides: Sequence[Sequence[int]],
        deep_supervision: bool,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.heads = dict(heads)
        self.divisor = _divisor(strides)
        self.deep_supervision = deep_supervision

    def start_head(self, name: str, bias: float) -> None:
        start = sum(list(self.heads.values())[: list(self.heads).index(name)])
        with torch.no_grad():
            last: Any = self.decoder.seg_layers[-1]
            last.bias[start : start + self.heads[name]] = bias

    def last_parameters(self) -> Sequence[nn.Parameter]:
        return list(self.decoder.seg_layers.parameters())

    def forward(self, image: Tensor) -> Outputs:
        shape = image.shape[2:]
        if len(shape) != len(self.divisor) or any(
            size % step for size, step in zip(shape, self.divisor, strict=True)
        ):
            raise PlanError(
                f"The network got an image of shape {tuple(shape)}, which must be a "
                f"multiple of {self.divisor}, the product of its strides. Pad it."
            )
        sizes, names = list(self.heads.values()), list(self.heads)
        if self.late:
            features = self.decoder(self.encoder(image), False, features=True)[0]
            last: Any = self.decoder.seg_layers[-1]
            weights = last.weight.split(sizes), last.bias.split(sizes)
            return {
                name: LateLogits(features, weight, bias)
                for name, weight, bias in zip(names, *weights, strict=True)
            }
        levels = self.decoder(self.encoder(image), self.deep_supervision)
        parts = [level.split(sizes, dim=1) for level in levels]
        if self.deep_supervision:
            return {name: [part[i] for part in parts] for i, name in enumerate(names)}
        return dict(zip(names, parts[0], strict=True))


def _divisor(strides: Sequence[Sequence[int]]) -> tuple[int, ...]:
    total = [1] * len(strides[0])
    for stride in strides:
        total = [a * b for a, b in zip(total, stride, strict=True)]
    return tuple(total)


def check_head_stage(head_stage: int, stages: int) -> None:
    """Raise PlanError unless a decoder can end at a stage of the encoder.

    Parameters
    ----------
    head_stage : int
        The stage whose resolution outputs have.
    stages : int
        Of the encoder.
    """
    if not isinstance(head_stage, int) or not 0 <= head_stage <= stages - 2:
        raise PlanError(
            f"options of the network: head_stage is {head_stage!r}; with {stages} "
            f"stages it can be 0 to {stages - 2}."
        )


def check_lengths(dim: int, features: Sequence[int], **lists: Sequence[Any]) -> None:
    """Raise PlanError unless every list has an entry for each stage.

    Parameters
    ----------
    dim : int
        Number of spatial axes; entries that are lists must be as long.
    features : sequence of int
        One entry for each stage.
    **lists : sequence
        Options by name. ``convs_decoder`` has one entry less than there are stages.
    """
    stages = len(features)
    problems = []
    if stages < 2:
        problems.append(f"features has {stages} entries; a U-Net needs 2 or more")
    for name, values in lists.items():
        wanted = stages - 1 if name == "convs_decoder" else stages
        if len(values) != wanted:
            problems.append(f"{name} has {len(values)} entries instead of {wanted}")
        for value in values:
            if isinstance(value, (list, tuple)) and len(value) != dim:
                problems.append(f"{name} has the entry {value}, not one of {dim} axes")
    if any(step != 1 for step in lists["strides"][0]):
        problems.append(f"strides begin with {lists['strides'][0]} instead of ones")
    if problems:
        raise PlanError("options of the network: " + "; ".join(problems) + ".")


def start_weights(network: nn.Module, slope: float) -> None:
    """Draw the weights of all convolutions after He, and set their biases to 0.

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
    kinds = (*CONVOLUTIONS.values(), *TRANSPOSED.values())
    for module in network.modules():
        if isinstance(module, kinds):
            for name, parameter in module.named_parameters(recurse=False):
                if parameter.is_meta:  # drawing nothing would import torch._dynamo
                    continue
                if name == "weight":
                    nn.init.kaiming_normal_(parameter, a=slope)
                else:
                    nn.init.zeros_(parameter)
