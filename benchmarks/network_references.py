"""Outputs of networks beside those of installed references, with the same weights.

Weights go from the reference to our network layer by layer, in the order in which both
work through them; then both get the same random images::

    python benchmarks/network_references.py

The environment needs MONAI 1.6.1 and segmentation-models-pytorch 0.6.0 (with
torchvision and timm); references that are not installed are left out, with a word.
Networks as the references have them by default, dropout asleep. Prints the largest
difference beside the outputs' standard deviation, and ends with 1 if one is above 1e-4.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from autoseg.networks import NETWORKS

EPS = 1e-5
LARGEST = 1e-4  # of the outputs' standard deviation


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


def encoded(strided: int, reductions: int = 5, **more: Any) -> dict[str, Any]:
    """Return options of a decoder on an encoder: batch norm and ReLU."""
    dilated = reductions - strided
    return {
        "dim": 2,
        "strides": [[2, 2]] * strided + [[1, 1]] * dilated,
        "dilations": [1] * strided + [2 ** (n + 1) for n in range(dilated)],
        "norm": "batch",
        "act": "relu",
        "bias": False,
        **more,
    }


DECODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "Unet": ("encoder_unet", encoded(5)),
    "UnetPlusPlus": ("encoder_unetpp", encoded(5)),
    "FPN": ("fpn", encoded(5)),
    "PSPNet": ("pspnet", encoded(3, 3)),
    "Linknet": ("linknet", encoded(5)),
    "PAN": ("pan", encoded(4, pools=[[2, 2]] * 3)),
    "MAnet": ("manet", encoded(5)),
    "DeepLabV3": ("deeplabv3", encoded(3)),
    "DeepLabV3Plus": ("deeplabv3plus", encoded(4)),
}
# Names of encoders: ours, and the reference's.
ENCODERS = {
    "resnet18": "resnet18",
    "resnet50": "resnet50",
    "resnext50_32x4d": "resnext50_32x4d",
    "seresnet50": "tu-seresnet50",
    "vgg16_bn": "vgg16_bn",
    "densenet121": "densenet121",
    "mobilenet_v2": "mobilenet_v2",
    "mobilenet_v3_small": "tu-mobilenetv3_small_100",
    "efficientnet_b0": "timm-efficientnet-b0",
    "convnext_tiny": "tu-convnext_tiny",
    "mit_b0": "mit_b0",
}


def norms_of_one_value(*paths: str) -> Callable[[nn.Module], None]:
    """Let the norm of a value pooled over the image be over its channels, as ours is.

    The reference's batch norm has as many values there as samples; with one sample it
    cannot train at all.
    """

    def mend(theirs: nn.Module) -> None:
        for path in paths:
            parent, _, name = path.rpartition(".")
            channels = theirs.get_submodule(path).num_features
            setattr(theirs.get_submodule(parent), name, nn.GroupNorm(1, channels))

    return mend


def without_center(theirs: nn.Module) -> None:
    """Take out two convolutions at the bottom, which the reference has for VGG only."""
    theirs.decoder.center = nn.Identity()


def positions_in_place(theirs: nn.Module) -> None:
    """Put what position attention says of a voxel back to that voxel.

    The reference reads positions by channels as channels by positions.
    """
    block = theirs.decoder.center

    def forward(x: Tensor) -> Tensor:
        key, query, value = (
            convolve(x).flatten(2)
            for convolve in (block.top_conv, block.center_conv, block.bottom_conv)
        )
        products = torch.einsum("bci,bcj->bij", query, key)
        seen = products.flatten(1).softmax(1).view_as(products)
        found = torch.einsum("bij,bcj->bci", seen, value).view_as(x)
        return block.out_conv(x + found)

    block.forward = forward


def nodes(name: str) -> tuple[int, int]:
    """Return where a node of U-Net++ stands, coarse ones first in each column."""
    parts = name.split(".")
    if parts[:2] != ["decoder", "nodes"] or parts[2] == "image":
        return (99, 0) if name.startswith("decoder") else (0, 0)
    return int(parts[3]), -int(parts[2])


MENDED: dict[str, dict[str, Any]] = {
    "UnetPlusPlus": {"order": nodes},
    "MAnet": {"mend": positions_in_place},
    "PAN": {
        "mend": norms_of_one_value(
            "decoder.fpa.branch1.1.bn",
            *(f"decoder.gau{n}.conv1.1.bn" for n in (1, 2, 3)),
        )
    },
    "DeepLabV3": {"mend": norms_of_one_value("decoder.aspp.convs.4.2")},
    "DeepLabV3Plus": {"mend": norms_of_one_value("decoder.aspp.0.convs.4.2")},
}


def compared() -> Iterator[Compared]:
    """Yield everything that is compared."""
    import segmentation_models_pytorch as smp

    def of(kind: str, encoder: str) -> Callable[[], nn.Module]:
        return lambda: getattr(smp, kind)(encoder, encoder_weights=None, classes=2)

    for kind, (network, options) in DECODERS.items():
        yield Compared(
            f"smp {kind}, resnet50",
            network,
            {**options, "encoder": "resnet50"},
            of(kind, "resnet50"),
            (3, 128, 160),
            **MENDED.get(kind, {}),
        )
    for ours, theirs in ENCODERS.items():
        yield Compared(
            f"smp Unet, {theirs}",
            "encoder_unet",
            encoded(5, encoder=ours),
            of("Unet", theirs),
            (3, 64, 96),
            mend=without_center,
        )


def leaves(network: nn.Module, image: Tensor) -> list[nn.Module]:
    """Return modules that hold numbers themselves, in the order of their first use."""
    found: list[nn.Module] = []
    hooks = [
        module.register_forward_hook(
            lambda module, *_: None if module in found else found.append(module)
        )
        for module in network.modules()
        if own(module)
    ]
    with torch.no_grad():
        network(image)
    for hook in hooks:
        hook.remove()
    return found


def own(module: nn.Module) -> dict[str, Tensor]:
    """Return parameters and statistics that a module holds itself."""
    held = dict(module.named_parameters(recurse=False))
    held |= dict(module.named_buffers(recurse=False))
    return {name: value for name, value in held.items() if "num_batches" not in name}


def signature(module: nn.Module) -> list[tuple[str, tuple[int, ...]]]:
    """Return names and shapes, by which layers are held to be the same."""
    found = sorted((name, tuple(value.shape)) for name, value in own(module).items())
    return [("weight", found[0][1])] if len(found) == 1 else found


def copy_weights(
    ours: nn.Module, theirs: nn.Module, image: Tensor, order: Callable[[str], Any]
) -> list[str]:
    """Copy weights in the order of their use; return what found no partner."""
    names = {module: name for name, module in ours.named_modules()}
    waiting, lonely = leaves(theirs, image), []
    for module in sorted(leaves(ours, image), key=lambda m: order(names[m])):
        wanted = signature(module)
        partner = next((m for m in waiting if signature(m) == wanted), None)
        if partner is None:
            lonely.append(f"{names[module]} {wanted}")
            continue
        waiting.remove(partner)
        held = own(partner)
        with torch.no_grad():
            for name, value in own(module).items():
                value.copy_(held[name] if len(held) > 1 else next(iter(held.values())))
    return lonely + [f"theirs: {type(m).__name__} {signature(m)}" for m in waiting]


def difference(one: Compared) -> tuple[float, float, Sequence[str]]:
    """Return the largest difference, the deviation of outputs, and what was left."""
    torch.manual_seed(0)
    theirs = one.reference()
    one.mend(theirs)
    image = torch.randn(2, *one.shape)
    theirs.train()
    with torch.no_grad():
        for value in theirs.parameters():
            # Zeros and ones at the start hide what is not the same.
            if value.dim() == 1:
                value.add_(0.2 * torch.rand_like(value))
        for _ in range(5):  # norms learn what they see
            theirs(image)
    theirs.eval()
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = EPS  # some encoders have 0.001, as `network.eps` can say
    channels, *_ = one.shape
    ours = NETWORKS[one.network](channels, {"classes": 2}, False, **one.options).eval()
    left = copy_weights(ours, theirs, image, one.order)
    with torch.no_grad():
        wanted, found = theirs(image), ours(image)["classes"]
    return float((wanted - found).abs().max()), float(wanted.std()), left


def main() -> int:
    """Compare all, and print a line each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="part of a title")
    arguments = parser.parse_args()
    worst = 0.0
    for one in compared():
        if arguments.only in one.title:
            largest, deviation, left = difference(one)
            worst = max(worst, largest / deviation)
            print(f"{one.title:32} {largest:.1e} of {deviation:.2g}", flush=True)
            for line in left:
                print(f"    {line}")
    return int(worst > LARGEST)


if __name__ == "__main__":
    sys.exit(main())
