"""Weights that an encoder learned from other pictures, as torchvision and timm have.

A file is read without pickle's code: ``torch.load(weights_only=True)``, or safetensors.
Names are compared as the encoder has them; where they are another library's, tensors
are taken by their order, if every shape is the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from autoseg.errors import TrainingError
from autoseg.train.start.channels import adapted, differs_in_inputs

ENDINGS = (".pt", ".pth", ".bin", ".safetensors")
INSIDE = "encoder."
UNUSED = "num_batches_tracked"
# In front of names, put there by those who trained.
WRAPPED = ("module.", "model.", "backbone.", "encoder.")
# How other libraries name what has another place or shape here.
RENAMED = (
    # Old files of DenseNet.
    (r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2."),
    # ConvNeXt of timm, and of torchvision.
    (r"\.gamma$", ".gamma.weight"),
    (r"^features\.0\.([01])\.", r"stem.\1."),
    (r"^features\.(\d+)\.(\d+)\.layer_scale$", r"stages.\1.blocks.\2.gamma.weight"),
    (r"^features\.(\d+)\.(\d+)\.block\.0\.", r"stages.\1.blocks.\2.conv_dw."),
    (r"^features\.(\d+)\.(\d+)\.block\.2\.", r"stages.\1.blocks.\2.norm."),
    (r"^features\.(\d+)\.(\d+)\.block\.3\.", r"stages.\1.blocks.\2.mlp.fc1."),
    (r"^features\.(\d+)\.(\d+)\.block\.5\.", r"stages.\1.blocks.\2.mlp.fc2."),
    (r"^features\.(\d+)\.([01])\.(?=weight|bias)", r"stages.\1.downsample.\2."),
)


def read_state(path: Path) -> dict[str, Tensor] | None:
    """Return the tensors of a file that is no checkpoint of ours; None: it is none.

    Parameters
    ----------
    path : Path
        Of one of `ENDINGS`.

    Raises
    ------
    TrainingError
        If the file cannot be read without running code that it holds.
    """
    if path.suffix not in ENDINGS or not path.is_file():
        return None
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return dict(load_file(path))
        except (SafetensorError, OSError) as error:
            raise TrainingError(f"{path} cannot be read: {error}.") from None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # zip, pickle and others raise what they like
        if path.suffix == ".pt":
            return None  # a damaged checkpoint has messages of its own
        reason = str(error).splitlines()[0]
        raise TrainingError(
            f"{path} cannot be read as weights alone ({reason}). Save the model's "
            "`state_dict()`, or a .safetensors file."
        ) from None
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content:
        return None
    tensors = {k: v for k, v in content.items() if isinstance(v, Tensor)}
    return tensors if len(tensors) == len(content) else None


def of_classification(weights: Mapping[str, Tensor]) -> bool:
    """Return whether weights are those of an encoder alone: they have no decoder."""
    return not any(name.startswith("decoder") for name in weights) and not any(
        ".seg_layers." in name or "heads" in name for name in weights
    )


def initialize_encoder(
    network: nn.Module, weights: Mapping[str, Tensor], source: str
) -> dict[str, list[str]]:
    """Copy weights into a network's encoder.

    The first kernels are adapted to the image's channels: their sum over the channels
    that they had is spread evenly over those that there are, so that a picture whose
    channels are alike gives what it gave.

    Parameters
    ----------
    network : Module
        With a part ``encoder``; changed in place.
    weights : mapping of str to Tensor
        Of a network for classification.
    source : str
        Where they come from, for messages.

    Returns
    -------
    dict of str to list of str
        Names of tensors, as of `autoseg.train.start.initialize.initialize`.

    Raises
    ------
    TrainingError
        If they are not those of this encoder; with the encoder that they fit.
    """
    own = network.state_dict()
    wanted = {
        name.removeprefix(INSIDE): tensor
        for name, tensor in own.items()
        if name.startswith(INSIDE) and not name.endswith(UNUSED)
    }
    found = matched(wanted, weights)
    if found is None:
        raise TrainingError(_what_it_is(network, weights, source))
    report: dict[str, list[str]] = {"copied": [], "adapted": [], "new": []}
    with torch.no_grad():
        for name, tensor in wanted.items():
            given = found[name]
            same = given.numel() == tensor.numel()
            tensor.copy_(given.view_as(tensor) if same else adapted(given, tensor))
            report["copied" if same else "adapted"].append(INSIDE + name)
    copied = {*report["copied"], *report["adapted"]}
    report["new"] = [name for name in own if name not in copied]
    return report


def matched(
    wanted: Mapping[str, Tensor], weights: Mapping[str, Tensor]
) -> dict[str, Tensor] | None:
    """Return a tensor of a file for each of an encoder's, None if it is another one.

    Parameters
    ----------
    wanted, weights : mapping of str to Tensor
        Of the encoder, and of the file, in their order.
    """
    given = {k: v for k, v in weights.items() if not k.endswith(UNUSED)}
    in_order = dict(zip(wanted, given.values(), strict=False))
    for names in (_unwrapped(given, wanted), _renamed(given), in_order):
        found = {name: names[name] for name in wanted if name in names}
        if len(found) == len(wanted) and _fit(found, wanted):
            return found
    return None


def _fit(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> bool:
    """Return whether all shapes are alike; the first kernels' channels may differ."""
    for place, (name, tensor) in enumerate(wanted.items()):
        given = found[name]
        # A learned scale may have axes for the grid.
        flat = tensor.dim() == 1 and given.numel() == tensor.numel()
        first = place == 0 and differs_in_inputs(given, tensor)
        if not (given.shape == tensor.shape or flat or first):
            return False
    return bool(wanted)


def _unwrapped(
    weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    names = dict(weights)
    for prefix in (*WRAPPED, "features."):
        inside = {k.removeprefix(prefix): v for k, v in names.items()}
        if len(inside.keys() & wanted.keys()) > len(names.keys() & wanted.keys()):
            names = inside
    return _as_here(names, RENAMED[:2])


def _renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    names = _as_here(weights, RENAMED)
    # torchvision counts stages and what is between them together: 1, 2, 3, ...
    counted = {}
    for name, tensor in names.items():
        stage = re.match(r"stages\.(\d+)\.", name)
        if stage:
            name = f"stages.{int(stage[1]) // 2}.{name[stage.end() :]}"
        counted[name] = tensor
    return counted


def _as_here(weights: Mapping[str, Tensor], rules: Any) -> dict[str, Tensor]:
    names = {}
    for name, tensor in weights.items():
        for pattern, place in rules:
            name = re.sub(pattern, place, name)
        names[name] = tensor
    return names


def _what_it_is(network: nn.Module, weights: Mapping[str, Tensor], source: str) -> str:
    """Return what to do with weights that do not fit the encoder."""
    text = f"{source} has not the weights of this network's encoder"
    flat = {v.dim() for k, v in network.state_dict().items() if k.startswith(INSIDE)}
    if 5 in flat:
        return (
            f"{text}: it sees volumes, and they were learned from pictures. They fit "
            "the configuration 2d."
        )
    names = fitting(weights)
    if not names:
        return (
            f"{text}, nor of any that there is. Give a file of torchvision's or timm's "
            "names; docs/networks.md lists the encoders."
        )
    return (
        f"{text}: it fits {' and '.join(names)}. Plan with `--network encoder_unet "
        f"--set network.encoder={names[0]}`, or leave out --init-from."
    )


def fitting(weights: Mapping[str, Tensor]) -> list[str]:
    """Return the names of encoders that weights fit, those that use most of them."""
    from autoseg.blueprints.encoders import ENCODERS
    from autoseg.networks.encoder_unet import EncoderUNet

    options: dict[str, Any] = {"dim": 2, "strides": [[2, 2]] * 5, "dilations": [1] * 5}
    options |= {"norm": "batch", "act": "relu", "bias": False}
    found: dict[str, int] = {}
    for name in ENCODERS:
        with torch.device("meta"):
            made = EncoderUNet(3, {"a": 1}, encoder=name, **options)
        own = {
            key.removeprefix(INSIDE): tensor
            for key, tensor in made.state_dict().items()
            if key.startswith(INSIDE) and not key.endswith(UNUSED)
        }
        if matched(own, weights) is not None:
            found[name] = len(own)
    most = max(found.values(), default=0)
    return [name for name, tensors in found.items() if tensors == most]
