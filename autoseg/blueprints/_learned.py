"""Layers that learn: convolutions, norms and heads.

Legend: C channels, S spatial shape, N tokens, D number of axes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from autoseg.blueprints._sheet import Sheet
from autoseg.blueprints.tensors import Head, Keeps, Tensor
from autoseg.errors import PlanError

NORMS = ("instance", "batch", "group", "layer", "channel")


class Learned(Sheet):
    """A sheet with layers that have weights."""

    def conv(
        self,
        x: Tensor,
        channels: int,
        kernel: int | Sequence[int] = 3,
        stride: int | Sequence[int] = 1,
        *,
        groups: int = 1,
        dilation: int | Sequence[int] = 1,
        bias: bool = True,
        standardized: bool = False,
        name: str,
    ) -> Tensor:
        """Convolve, padded so that only the stride changes the size.

        Parameters
        ----------
        x : Tensor
            What is convolved.
        channels : int
            Of the result.
        kernel, stride, dilation : int or sequence of int, length D
            An even kernel is not padded.
        groups : int
            Channels are cut into so many groups; as many as there are: depthwise.
        bias : bool
            Add a learned number to each channel.
        standardized : bool
            Kernels are brought to mean 0 and deviation 1 for each channel of the
            result, before they are used [1]_; has no bias.
        name : str
            Of the module.

        References
        ----------
        .. [1] Qiao et al., "Micro-batch training with batch-channel normalization and
           weight standardization", 2019. arXiv:1903.10520
        """
        kernel, stride, dilation = map(self.axes, (kernel, stride, dilation))
        padding = tuple(
            d * (k - 1) // 2 if k % 2 else 0
            for k, d in zip(kernel, dilation, strict=True)
        )
        shape = [
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, k, s, d, p in zip(
                x.shape, kernel, stride, dilation, padding, strict=True
            )
        ]
        weights = _grouped(x, channels, groups, name) * math.prod(kernel)
        more: dict[str, Any] = {"standardized": True} if standardized else {}
        return self._add(
            "conv",
            (x,),
            channels,
            shape,
            name,
            weights=weights,
            parameters=weights + channels * bias,
            multiply_adds=weights * math.prod(shape),
            kernel=kernel,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            bias=bias,
            **more,
        )

    def deconv(
        self,
        x: Tensor,
        channels: int,
        stride: int | Sequence[int],
        kernel: int | Sequence[int] | None = None,
        *,
        groups: int = 1,
        bias: bool = True,
        name: str,
    ) -> Tensor:
        """Convolve transposed: each voxel becomes as many as the stride says.

        Parameters
        ----------
        x : Tensor
            What is enlarged.
        channels : int
            Of the result.
        stride : int or sequence of int, length D
            How many times larger the result is.
        kernel : int or sequence of int, optional
            By default the stride. Larger ones overlap their neighbors. Where kernel and
            stride are not both even or both odd, the kernel must be odd, and zeros in
            front of the first voxel make the result as large as the stride says.
        groups, bias, name
            As for `conv`.
        """
        stride = self.axes(stride)
        kernel = stride if kernel is None else self.axes(kernel)
        pairs = list(zip(kernel, stride, strict=True))
        if any((k - s) % 2 and k % 2 == 0 for k, s in pairs):
            raise PlanError(f"{name}: a kernel of {kernel} must be odd, or {stride}.")
        padding = tuple(k // 2 if (k - s) % 2 else max(k - s, 0) // 2 for k, s in pairs)
        front = tuple(s - 1 if (k - s) % 2 else max(s - k, 0) for k, s in pairs)
        weights = _grouped(x, channels, groups, name) * math.prod(kernel)
        shape = [n * s for n, s in zip(x.shape, stride, strict=True)]
        return self._add(
            "deconv",
            (x,),
            channels,
            shape,
            name,
            weights=weights,
            parameters=weights + channels * bias,
            multiply_adds=weights * x.voxels,
            kernel=kernel,
            stride=stride,
            padding=padding,
            front=front,
            groups=groups,
            bias=bias,
        )

    def norm(
        self,
        x: Tensor,
        kind: str = "instance",
        *,
        eps: float = 1e-5,
        groups: int = 1,
        affine: bool = True,
        name: str,
    ) -> Tensor:
        """Normalize, with a learned scale and shift of each channel.

        Parameters
        ----------
        x : Tensor
            What is normalized.
        kind : str
            ``"instance"``, ``"batch"``, ``"group"``, ``"layer"``: over the channels of
            each token, or ``"channel"``: over those of each voxel.
        eps : float
            Added to the variance.
        groups : int
            Of channels that are normalized together, for ``"group"``.
        affine : bool
            Learn scale and shift.
        name : str
            Of the module.
        """
        if kind not in NORMS:
            raise PlanError(f"There is no norm {kind!r}; there are {', '.join(NORMS)}.")
        if kind == "instance" and x.voxels < 2:
            raise PlanError(
                "Instance norm cannot normalize a single voxel: the image is too small "
                "for this network, or a pooled branch needs another norm."
            )
        options: dict[str, Any] = {"groups": groups} if kind == "group" else {}
        size = x.channels * x.voxels  # copied with the channels of a voxel side by side
        keeps = Keeps(
            tensors=(x.number,), floats=2 * x.voxels, forward=size, backward=size
        )
        return self._add(
            "norm",
            (x,),
            x.channels,
            x.shape,
            name,
            parameters=2 * x.channels * affine,
            keeps=keeps if kind == "channel" else None,
            norm=kind,
            eps=eps,
            affine=affine,
            **options,
        )

    def head(
        self,
        x: Tensor,
        kernel: int | Sequence[int] = 1,
        *,
        plus: Tensor | None = None,
        by: Tensor | None = None,
        like: Tensor | None = None,
        mode: str = "linear",
        name: str,
    ) -> Tensor:
        """Make logits of features: a convolution with bias.

        Parameters
        ----------
        x : Tensor
            The features.
        kernel : int or sequence of int, length D
            Of the convolution.
        plus : Tensor, optional
            What is added to the convolution's result.
        by : Tensor, optional
            A gate of each output, of one voxel, which the logits are multiplied by.
        like : Tensor, optional
            Whose shape the logits are interpolated to afterwards.
        mode : str
            How, see `Drawing.resize`.
        name : str
            Of the module.
        """
        logits = self.conv(x, self.outputs, kernel, name=name)
        made = self.layers[-1]._replace(kind="head")
        self.layers[-1] = made
        if plus is not None:
            logits = self._add("add", (logits, plus), logits.channels, logits.shape)
        if by is not None:
            logits = self._add("gate", (logits, by), logits.channels, logits.shape)
        if like is not None and like.shape != logits.shape:
            logits = self.resize(logits, like, mode)
        after = logits.number if logits.number != made.outputs[0] else None
        self.heads.append(Head(x.number, made, after))
        return logits

    def supervise(self, logits: Tensor) -> None:
        """Let logits that other layers read be an output of deep supervision, too.

        A convolution to all outputs made them, the last layer that was drawn.
        """
        made = self.layers[-1]
        if made.outputs != (logits.number,) or logits.channels != self.outputs:
            raise PlanError(f"{made.name} is drawn last, and makes no logits.")
        self.heads.append(Head(made.inputs[0], made))

    def resize(self, x: Tensor, like: Tensor, mode: str = "linear") -> Tensor:
        """Interpolate to the shape of another tensor.

        Parameters
        ----------
        x, like : Tensor
            What is interpolated, and whose shape it gets.
        mode : str
            ``"linear"``, ``"nearest"``, or ``"corners"``: linear, so that the outermost
            voxels of both stand on each other.
        """
        return self._add("resize", (x, like), x.channels, like.shape, mode=mode)


def _grouped(x: Tensor, channels: int, groups: int, name: str) -> int:
    """Return inputs times outputs of a convolution whose channels are in groups."""
    if x.channels % groups or channels % groups:
        raise PlanError(
            f"{name}: {x.channels} and {channels} channels cannot be cut into {groups} "
            "groups."
        )
    return x.channels * channels // groups
