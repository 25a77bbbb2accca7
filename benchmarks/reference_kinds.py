"""What `network_references.py` compares with MONAI's and nnU-Net's networks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

Rules = Sequence[tuple[str, str | Callable[[re.Match[str]], str]]]


@dataclass(frozen=True)
class Weights:
    """Where the reference has our weights: expressions, each with what replaces it."""

    rules: Rules = ()
    change: Callable[[str, Tensor], Tensor] = lambda name, value: value
    idle: Callable[[str], bool] = lambda name: False  # theirs, which nothing uses

    def name(self, ours: str) -> str:
        """Return the reference's name."""
        for expression, instead in self.rules:
            ours = re.sub(expression, instead, ours)
        return ours


@dataclass(frozen=True)
class Compared:
    """A network of ours, and what makes its reference."""

    title: str
    network: str
    options: Mapping[str, Any]
    reference: Callable[[], nn.Module]
    shape: tuple[int, ...]  # channels and image
    mend: Callable[[nn.Module], None] = lambda theirs: None
    order: Callable[[str], Any] = lambda name: 0  # of our layers, before their use
    weights: Weights | None = None  # None: in the order of use


def _block(match: re.Match[str], *rest: str) -> str:
    return ".".join([f"swinViT.layers{int(match[1]) + 1}", *rest])


SWIN_UNETR: Rules = (
    (r"tokens\.embed", "swinViT.patch_embed.proj"),
    (
        r"stages\.(\d+)\.convolve\.",
        lambda m: f"swinViT.layers{int(m[1]) + 1}c.0.layer.",
    ),
    (r"stages\.(\d+)\.(\d+)\.norm", lambda m: _block(m, "0.blocks", m[2], "norm")),
    (r"stages\.(\d+)\.(\d+)\.qkv", lambda m: _block(m, "0.blocks", m[2], "attn.qkv")),
    (
        r"stages\.(\d+)\.(\d+)\.project",
        lambda m: _block(m, "0.blocks", m[2], "attn.proj"),
    ),
    (
        r"stages\.(\d+)\.(\d+)\.offsets\.weight",
        lambda m: _block(m, "0.blocks", m[2], "attn.relative_position_bias_table"),
    ),
    (
        r"stages\.(\d+)\.(\d+)\.mlp(\d)",
        lambda m: _block(m, "0.blocks", m[2], f"mlp.linear{m[3]}"),
    ),
    (r"stages\.(\d+)\.norm", lambda m: _block(m, "0.downsample.norm")),
    (r"stages\.(\d+)\.reduce", lambda m: _block(m, "0.downsample.reduction")),
    (
        r"skips\.(\d)\.",
        lambda m: f"encoder{10 if m[1] == '5' else int(m[1]) + 1}.layer.",
    ),
    (r"decoder\.head", "out.conv.conv"),
    (r"decoder\.(\d)\.up", lambda m: f"decoder{int(m[1]) + 1}.transp_conv.conv"),
    (
        r"decoder\.(\d)\.(?=conv|short)",
        lambda m: f"decoder{int(m[1]) + 1}.conv_block.",
    ),
    (r"\.(conv\d)\.conv\.weight$", r".\1.conv.weight"),
    (r"\.shortcut\.conv\.", ".conv3.conv."),
)
PRIMUS: Rules = (
    (r"^layers\.(\d+)\.", r"eva.blocks.\1."),
    (r"\.query", ".attn.q_proj"),
    (r"\.key", ".attn.k_proj"),
    (r"\.value", ".attn.v_proj"),
    (r"\.inner", ".attn.norm"),
    (r"\.project", ".attn.proj"),
    (r"\.scale(\d)\.weight", r".gamma_\1"),
    (r"\.mlp_gate", ".mlp.fc1_g"),
    (r"\.mlp1", ".mlp.fc1_x"),
    (r"\.mlp2", ".mlp.fc2"),
    (r"\.mlp_norm", ".mlp.norm"),
    (r"^position\.weight", "eva.pos_embed"),
    (r"^norm", "eva.norm"),
    (r"^decoder\.(\d)\.up", r"up_projection.decode.\1.0"),
    (r"^decoder\.(\d)\.norm", r"up_projection.decode.\1.1"),
    (r"^head", "up_projection.decode.2"),
    (r"^before\.0\.", r"down_projection.stem."),
    (r"^before\.(\d)\.", lambda m: f"down_projection.stages.{int(m[1]) - 1}."),
    (r"^skips\.(\d)\.embed", r"down_projection.proj_to_tokens.\1"),
    (r"^skips\.(\d)\.scale\.weight", r"down_projection.scale_proj_to_tokens.\1"),
)


def in_place(name: str, value: Tensor) -> Tensor:
    """Return weights that merge tokens, for the order in which ours stand."""
    if not name.endswith("reduction.weight") and "downsample.norm" not in name:
        return value
    return value.unflatten(-1, (2, 2, -1)).transpose(-3, -2).flatten(-3)


def a_layer_earlier(theirs: nn.Module) -> None:
    """Read tokens off after layers 3, 6 and 9, as the paper has it.

    The reference counts layers from 0 there, and reads them off after 4, 7 and 10.
    """
    vit: Any = theirs.vit
    forward = vit.forward

    def read_off(image: Tensor) -> tuple[Tensor, list[Tensor]]:
        last, after = forward(image)
        return last, [after[0], *after]

    vit.forward = read_off


def row(dim: int, features: Sequence[int], kernel: int = 3, **more: Any) -> Any:
    """Return options of a network by stages; each halves all axes."""
    count = len(features)
    return {
        "dim": dim,
        "features": list(features),
        "kernels": [[kernel] * dim] * count,
        "strides": [[1] * dim] + [[2] * dim] * (count - 1),
        **more,
    }


def of_monai() -> Iterator[Compared]:
    """Yield networks of MONAI."""
    from monai.networks.nets import UNETR, DynUNet, SwinUNETR, VNet

    def swin(dim: int, **more: Any) -> nn.Module:
        more |= {"feature_size": 12, "spatial_dims": dim, "downsample": "mergingv2"}
        made: nn.Module = SwinUNETR(1, 2, **more)
        return made

    for dim, second, window, shape in (
        (2, False, 7, (96, 128)),
        (2, True, 7, (96, 128)),
        (3, False, 2, (32, 64, 32)),
        (3, True, 2, (32, 64, 32)),
    ):
        yield Compared(
            f"MONAI SwinUNETR, {dim}-D{', second version' * second}",
            "swin_unetr",
            {
                "dim": dim,
                "features": 12,
                "strides": [[1] * dim] + [[2] * dim] * 5,
                "affine": False,
                "convolve": second,
                "window": window,
            },
            lambda d=dim, v=second, w=window: swin(d, use_v2=v, window_size=w),
            (1, *shape),
            weights=Weights(SWIN_UNETR, in_place if dim == 2 else Weights.change),
        )
    for shape in ((64, 96), (32, 48, 32)):
        dim = len(shape)
        yield Compared(
            f"MONAI UNETR, {dim}-D",
            "unetr",
            {
                "dim": dim,
                "patch": list(shape),
                "strides": [[1] * dim] + [[2] * dim] * 4,
                "features": [8, 16, 32, 64],
                "hidden": 48,
                "mlp": 96,
                "attention": 4,
                "affine": False,
            },
            lambda shape=shape, dim=dim: UNETR(
                1, 2, shape, 8, 48, 96, 4, spatial_dims=dim
            ),
            (1, *shape),
            mend=a_layer_earlier,
        )
    for dim in (2, 3):
        yield Compared(
            f"MONAI VNet, {dim}-D",
            "vnet",
            row(
                dim,
                [16, 32, 64, 128, 256],
                5,
                bias=False,
                act="elu",
                norm="batch",
                convs_encoder=[1, 1, 2, 3, 2],
                convs_decoder=[2, 2, 1, 1],
            ),
            lambda dim=dim: VNet(dim, 1, 2),
            (1, 16, 32, 16) if dim == 3 else (1, 32, 48),
        )
        yield Compared(
            f"MONAI DynUNet, {dim}-D",
            "plain_unet",
            row(
                dim,
                [8, 16, 32],
                bias=False,
                convs_encoder=[2] * 3,
                convs_decoder=[2] * 2,
            ),
            lambda dim=dim: DynUNet(
                dim,
                1,
                2,
                [3] * 3,
                [1, 2, 2],
                [2, 2],
                filters=[8, 16, 32],
                norm_name=("INSTANCE", {"affine": True}),
            ),
            (1, *(16, 24, 16)[:dim]),
        )


def of_nnunet() -> Iterator[Compared]:
    """Yield networks of nnU-Net's package of architectures."""
    from dynamic_network_architectures.architectures import primus, unet

    for dim in (2, 3):
        shared = {
            "input_channels": 1,
            "n_stages": 3,
            "features_per_stage": [8, 16, 24],
            "conv_op": getattr(nn, f"Conv{dim}d"),
            "kernel_sizes": 3,
            "strides": [1, 2, 2],
            "num_classes": 2,
            "n_conv_per_stage_decoder": 2,
            "conv_bias": True,
            "norm_op": getattr(nn, f"InstanceNorm{dim}d"),
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "nonlin": nn.LeakyReLU,
            "nonlin_kwargs": {"inplace": True},
            "deep_supervision": False,
        }
        for title, network, counts, own in (
            ("PlainConvUNet", "plain_unet", "n_conv_per_stage", "convs_encoder"),
            ("ResidualEncoderUNet", "residual_unet", "n_blocks_per_stage", "blocks"),
        ):
            given = {**shared, counts: 2}
            yield Compared(
                f"nnU-Net {title}, {dim}-D",
                network,
                row(dim, [8, 16, 24], convs_decoder=[2] * 2, **{own: [2] * 3}),
                lambda title=title, given=given: getattr(unet, title)(**given),
                (1, *(16, 24, 16)[:dim]),
                weights=Weights(),
            )
    for version, name in ((1, "Primus"), (2, "PrimusV2"), (3, "PrimusV3")):
        embed = "down_projection." + ("proj" if version == 1 else "final_proj")
        yield Compared(
            f"nnU-Net {name}",
            "primus",
            {
                "dim": 3,
                "patch": [16, 24, 16],
                "strides": [[1] * 3] + [[2] * 3] * 3,
                "hidden": 24,
                "attention": 2,
                "layers": 2,
                "version": version,
            },
            lambda name=name: getattr(primus, name)(
                1,
                24,
                (8, 8, 8),
                2,
                eva_depth=2,
                eva_numheads=2,
                input_shape=(16, 24, 16),
                init_values=0.1,
                scale_attn_inner=True,
            ),
            (1, 16, 24, 16),
            weights=Weights((*PRIMUS, (r"^embed", embed))),
        )
