"""What the axes of a TIFF file are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autoseg.errors import FormatError


@dataclass(frozen=True)
class Layout:
    """Which axis of a TIFF's array is what.

    Parameters
    ----------
    channel : int or None
        The axis of channels.
    space : tuple of int, length D
        The spatial axes, slowest first.
    """

    channel: int | None
    space: tuple[int, ...]


def find_layout(
    axes: str,
    shape: Sequence[int],
    channels: int | None,
    path: Path,
    said: bool = False,
) -> Layout:
    """Tell channels from slices.

    Parameters
    ----------
    axes : str
        A letter for each axis, as tifffile gives them: X, Y, Z, C channel, S sample of
        a color, and others that say little.
    shape : sequence of int
        Length of each axis.
    channels : int or None
        How many channels are expected: decides where the letters do not.
    path : Path
        The file, for messages.
    said : bool
        Whether the file itself gives the letters: then they hold, whatever is expected.

    Returns
    -------
    Layout
        Axes of length 1 other than Y and X are in neither part.

    Raises
    ------
    FormatError
        If there are more axes than these, or the file says that one is time.
    """
    if "Y" not in axes or "X" not in axes:
        raise FormatError(f"{path} has the axes {axes}; autoseg needs Y and X.")
    y, x = axes.index("Y"), axes.index("X")
    rest = [i for i in range(len(axes)) if i not in (y, x) and shape[i] > 1]
    channel = _named_channel(axes, rest)
    if said:
        _must_be_space([i for i in rest if i != channel], axes, shape, path)
    elif channels is not None and rest:
        fitting = [i for i in rest if shape[i] == channels]
        if channels == 1:
            # A stack saved without a word about its axes is often taken for channels:
            # by ImageJ always, by tifffile if it has three or four slices.
            if channel is not None and rest == [channel] and channel < y:
                channel = None
        elif fitting and channel not in fitting:
            channel = fitting[0]
        elif channel is None and shape[x] == channels:
            # Channels last, which the letters know nothing of: (Y, X, C) as "QYX".
            return _checked(Layout(x, (*rest, y)), axes, shape, path)
    rest = [i for i in rest if i != channel]
    return _checked(Layout(channel, (*rest, y, x)), axes, shape, path)


def _named_channel(axes: str, rest: Sequence[int]) -> int | None:
    by_letter = {axes[i]: i for i in reversed(rest)}
    return by_letter.get("S", by_letter.get("C"))


def _must_be_space(
    rest: Sequence[int], axes: str, shape: Sequence[int], path: Path
) -> None:
    """Refuse axes that a file says are neither channels nor space."""
    times = [shape[i] for i in rest if axes[i] == "T"]
    if times:
        raise FormatError(
            f"{path} says that it holds {times[0]} time points (axes {axes} of lengths "
            f"{tuple(shape)}). Save each time point as its own file."
        )
    others = [axes[i] for i in rest if axes[i] != "Z"]
    if others:
        raise FormatError(
            f"{path} says that it has the axes {axes} of lengths {tuple(shape)}; "
            f"autoseg knows no axis {' or '.join(others)} beside Z, Y, X and channels. "
            "Save each of its images as its own file."
        )


def _checked(layout: Layout, axes: str, shape: Sequence[int], path: Path) -> Layout:
    if not 2 <= len(layout.space) <= 3:
        raise FormatError(
            f"{path} has the axes {axes} of lengths {tuple(shape)}; autoseg reads two "
            "or three spatial axes and channels. Save each time point as its own file, "
            "and name the channels in dataset.json."
        )
    return layout
