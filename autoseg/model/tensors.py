"""Files of tensors: opened without running anything in them, and how long they are."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autoseg.errors import ModelError, some_of
from autoseg.spec.plan import Plan

LARGEST_NUMBER = 8  # bytes of a weight
HEADER = 2**20  # bytes before the tensors of a file: names and shapes
HEADER_ROW = 2**10  # and for each tensor


def load_tensors(
    source: Path | bytes, name: str, allowed: Sequence[Any] = (), *, mmap: bool = False
) -> dict[str, Any]:
    """Read a file with ``weights_only=True``.

    Parameters
    ----------
    source : Path or bytes
        A file, or its content.
    name : str
        What to call it in messages.
    allowed : sequence
        What it may name beyond what torch allows by itself; see
        `torch.serialization.safe_globals`.
    mmap : bool
        Map tensors from the disk instead of reading them.

    Returns
    -------
    dict
        Tensors and plain values.

    Raises
    ------
    ModelError
        If the file is damaged, or holds anything but tensors and plain values; nothing
        in it has run then.
    """
    import torch

    file: Any = io.BytesIO(source) if isinstance(source, bytes) else str(source)
    try:
        with torch.serialization.safe_globals(list(allowed)):
            content = torch.load(file, map_location="cpu", weights_only=True, mmap=mmap)
    except FileNotFoundError:
        raise ModelError(f"{name} does not exist.") from None
    except ModelError as error:
        raise ModelError(f"{name} is refused: {error}") from None
    except Exception as error:  # torch raises many kinds, by kind of damage
        raise ModelError(_explain(name, source, error)) from None
    if not isinstance(content, dict):
        raise ModelError(f"{name} holds a {type(content).__name__}, not a checkpoint.")
    return content


def check_real(weights: Mapping[str, Any], where: str) -> None:
    """Raise ModelError unless weights are tensors of real and finite numbers."""
    import torch

    for name, tensor in weights.items():
        if not isinstance(tensor, torch.Tensor) or tensor.is_complex():
            raise ModelError(
                f"{where}: {name} is no tensor of real numbers, so it belongs to no "
                "network of autoseg."
            )
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ModelError(
                f"{where}: {name} has values that are NaN or infinite: the weights are "
                "damaged, or their training went astray. Get the model again, or take "
                "an earlier checkpoint."
            )


def check_fits(
    weights: Mapping[str, Any], wanted: Mapping[str, Sequence[int]], where: str
) -> None:
    """Raise ModelError unless weights have the names and shapes of a network.

    Parameters
    ----------
    weights : mapping of str to Tensor
        By name.
    wanted : mapping of str to sequence of int
        Shapes of the network's, by name.
    where : str
        What to call them in the message.
    """
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    faults = [f"{name} is missing" for name in wanted if name not in found]
    faults += [f"{name} is unknown" for name in found if name not in wanted]
    faults += [
        f"{name} has the shape {found[name]}, the network's has {tuple(shape)}"
        for name, shape in wanted.items()
        if name in found and found[name] != tuple(shape)
    ]
    if faults:
        raise ModelError(
            f"{where}: the weights do not fit the network that the plan describes; "
            f"they are not of one training: {some_of(faults, 3, '; ')}."
        )


def _explain(name: str, source: Path | bytes, error: Exception) -> str:
    text = str(error)
    if "Unsupported" in text or "GLOBAL" in text or "weights_only" in text.lower():
        found = text.partition("Unsupported ")[2].split(".  ")[0].split(" was ")[0]
        return (
            f"{name} is refused: beside tensors and numbers it holds something that "
            f"would execute code when opened ({found[:120] or 'unknown'}). Nothing of "
            "it has run. Ask its author for a checkpoint with weights only."
        )
    file: Any = io.BytesIO(source) if isinstance(source, bytes) else source
    if not zipfile.is_zipfile(file):
        return f"{name} is damaged or no PyTorch checkpoint; copy it again."
    first = (text.splitlines() or [type(error).__name__])[0]
    return f"{name} is damaged ({first[:160]}); copy it again."


def shapes_of(plan: Plan, configuration: str) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a network's weights by name; none of them is made.

    Raises
    ------
    PlanError, PluginError
        If the plan does not describe a network.
    """
    import torch

    from autoseg.networks.build import build_network

    with torch.device("meta"):
        tensors = build_network(plan, configuration).state_dict()
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def most_bytes(plan: Plan, configuration: str) -> int:
    """Return how long a file with the weights of a network can be; see `shapes_of`."""
    return most_bytes_of(shapes_of(plan, configuration))


def most_bytes_of(shapes: Mapping[str, Sequence[int]]) -> int:
    """Return how long a file with weights of these shapes can be."""
    numbers = sum(math.prod(shape) for shape in shapes.values())
    return LARGEST_NUMBER * numbers + HEADER_ROW * len(shapes) + HEADER
