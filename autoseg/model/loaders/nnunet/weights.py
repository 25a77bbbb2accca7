"""nnU-Net's parameter names to ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoseg.errors import ModelError


def rename_weights(weights: Mapping[str, Any], head: str) -> dict[str, Any]:
    """Return a state dict of nnU-Net under the names that our networks use.

    nnU-Net lists most tensors several times: each block again as ``all_modules`` and
    the encoder again inside the decoder. Each is kept once.

    Parameters
    ----------
    weights : mapping of str to Tensor
        ``network_weights`` of a checkpoint.
    head : str
        Name of our network's one head.

    Returns
    -------
    dict of str to Tensor
        As they are; `as_float32` makes them ours.

    Raises
    ------
    ModelError
        If an entry is no dense tensor of real numbers.
    """
    import torch

    renamed = {}
    for name, tensor in weights.items():
        if not (
            isinstance(name, str)
            and isinstance(tensor, torch.Tensor)
            and tensor.layout == torch.strided
            and tensor.device.type == "cpu"
            and not tensor.is_complex()
        ):
            raise ModelError(
                f"its network weights hold {name!r}, which is no tensor of numbers."
            )
        for prefix in ("module.", "_orig_mod."):
            name = name.removeprefix(prefix)
        if ".all_modules." in name or name.startswith("decoder.encoder."):
            continue
        renamed[name] = tensor
    return renamed


def as_float32(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tensors contiguous and in float32; check their shapes first."""
    return {
        name: tensor.detach().float().contiguous() for name, tensor in weights.items()
    }


def check_weights(weights: Mapping[str, Any], network: Any, name: str) -> None:
    """Raise ModelError unless every tensor fits the network in name and shape."""
    wanted = {k: tuple(v.shape) for k, v in network.state_dict().items()}
    found = {k: tuple(v.shape) for k, v in weights.items()}
    problems = [f"  {k} is missing" for k in wanted.keys() - found.keys()]
    problems += [f"  {k} is unknown" for k in found.keys() - wanted.keys()]
    problems += [
        f"  {k} has shape {found[k]}, the plan's network {wanted[k]}"
        for k in wanted.keys() & found.keys()
        if wanted[k] != found[k]
    ]
    if problems:
        shown = "\n".join(sorted(problems)[:12])
        more = f"\n  and {len(problems) - 12} more" if len(problems) > 12 else ""
        raise ModelError(
            f"{name}: the weights do not fit the network of the plan, so it was "
            f"trained with another architecture and cannot run here:\n{shown}{more}"
        )
