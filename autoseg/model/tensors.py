"""Files of tensors: opened without running anything in them, and how long they are."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autoseg.errors import ModelError
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
    """Raise ModelError unless weights are tensors of real numbers."""
    import torch

    for name, tensor in weights.items():
        if not isinstance(tensor, torch.Tensor) or tensor.is_complex():
            raise ModelError(
                f"{where}: {name} is no tensor of real numbers, so it belongs to no "
                "network of autoseg."
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


def most_bytes(plan: Plan, configuration: str) -> int:
    """Return how long a file with the weights of a network can be.

    Raises
    ------
    PlanError, PluginError
        If the plan does not describe a network.
    """
    import torch

    from autoseg.networks.build import build_network

    with torch.device("meta"):
        tensors = build_network(plan, configuration).state_dict().values()
    numbers = sum(tensor.numel() for tensor in tensors)
    result: int = LARGEST_NUMBER * numbers + HEADER_ROW * len(tensors) + HEADER
    return result
