"""Outputs of networks beside those of installed references, with the same weights.

Weights go from the reference to our network by name, or layer by layer in the order in
which both work through them; then both get the same random images::

    python benchmarks/network_references.py

The environment needs MONAI 1.6.1, dynamic-network-architectures 0.4.4 and
segmentation-models-pytorch 0.6.0 (the last two with torchvision and timm); references
that are not installed are left out, with a word. Decoders and encoders as the
references have them by default, the others small; dropout asleep. Prints the largest
difference beside the outputs' standard deviation, and ends with 1 if one is above 1e-4.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from reference_kinds import Compared, Weights, of_monai, of_nnunet
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from autoseg.networks import NETWORKS

EPS = 1e-5
LARGEST = 1e-4  # of the outputs' standard deviation


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


def of_smp() -> Iterator[Compared]:
    """Yield decoders and encoders of segmentation-models-pytorch."""
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
    # Not counts of batches, nor places in a window.
    return {name: value for name, value in held.items() if value.is_floating_point()}


def signature(module: nn.Module) -> list[tuple[str, tuple[int, ...]]]:
    """Return names and shapes, by which layers are held to be the same.

    A learned position may have an edge of 1 for the batch.
    """
    held = own(module).items()
    found = sorted((name, tuple(value.squeeze(0).shape)) for name, value in held)
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
                found = held[name] if len(held) > 1 else next(iter(held.values()))
                value.copy_(found.view_as(value))
    return lonely + [f"theirs: {type(m).__name__} {signature(m)}" for m in waiting]


def copy_by_name(ours: nn.Module, theirs: nn.Module, weights: Weights) -> list[str]:
    """Copy weights by name; return which of theirs our network has none of."""
    held, left = theirs.state_dict(), {id(p): n for n, p in theirs.named_parameters()}
    of = dict(theirs.named_parameters())
    with torch.no_grad():
        for name, value in ours.state_dict().items():
            there = weights.name(name)
            value.copy_(weights.change(there, held[there]).view_as(value))
            left.pop(id(of.get(there)), None)
    return [f"theirs: {name}" for name in left.values() if not weights.idle(name)]


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
        if isinstance(module, _BatchNorm):
            module.eps = EPS  # some encoders have 0.001, as `network.eps` can say
    channels, *_ = one.shape
    ours = NETWORKS[one.network](channels, {"classes": 2}, False, **one.options).eval()
    if one.weights is not None:
        left = copy_by_name(ours, theirs, one.weights)
    else:
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
    for references in (of_smp, of_monai, of_nnunet):
        try:
            rows = list(references())
        except ImportError as error:
            print(
                f"left out, since {error.name} is not installed: {references.__doc__}"
            )
            continue
        for one in rows:
            if arguments.only in one.title:
                largest, deviation, left = difference(one)
                worst = max(worst, largest / deviation)
                print(f"{one.title:38} {largest:.1e} of {deviation:.2g}", flush=True)
                for line in left:
                    print(f"    {line}")
    return int(worst > LARGEST)


if __name__ == "__main__":
    sys.exit(main())
