"""Open a PyTorch checkpoint of another tool without running anything in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from autoseg.errors import ModelError
from autoseg.model.tensors import load_tensors

# Numbers in the training log of nnU-Net are NumPy scalars. These names, and nothing
# else, are allowed beyond what torch allows by itself; each is answered by a function
# of ours that makes numbers and strings only.
_SCALAR_NAMES = ("numpy._core.multiarray.scalar", "numpy.core.multiarray.scalar")
_NUMERIC_KINDS = "biufSU"


class _NumberType:
    """Stands in for a NumPy data type: a name and a byte order, nothing else.

    Parameters
    ----------
    name : str
        As pickles write it, such as ``"f4"``.
    flags : object
        Ignored.
    """

    def __init__(self, name: Any, *flags: Any) -> None:
        self.name = str(name)
        self.order = "="

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">"):
            self.order = state[1]

    def resolve(self) -> np.dtype[Any]:
        """Return the data type; raise ModelError unless it is of plain numbers."""
        dtype = np.dtype(self.name)
        if dtype.kind not in _NUMERIC_KINDS or dtype.hasobject:
            raise ModelError(f"it holds values of type {self.name!r}, not numbers.")
        return dtype.newbyteorder(self.order)  # type: ignore[arg-type]


def _scalar(kind: _NumberType, content: bytes | str = b"") -> Any:
    """Make one number from its bytes."""
    dtype = kind.resolve()
    raw = content.encode("latin1") if isinstance(content, str) else content
    if len(raw) != dtype.itemsize:
        raise ModelError("it holds a damaged number.")
    return np.frombuffer(raw, dtype=dtype)[0].item()


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Turn text into bytes, as old pickles store them."""
    return str(text).encode("latin1" if encoding == "latin1" else "utf-8")


def load_checkpoint(source: Path | bytes, name: str) -> dict[str, Any]:
    """Read a checkpoint with ``weights_only=True`` and a short list of allowed names.

    Parameters
    ----------
    source : Path or bytes
        A ``.pth`` file, or its content.
    name : str
        What to call it in messages.

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
    allowed: list[Any] = [(_scalar, n) for n in _SCALAR_NAMES]
    allowed += [(_NumberType, "numpy.dtype"), (_encode, "_codecs.encode")]
    return load_tensors(source, name, allowed)
