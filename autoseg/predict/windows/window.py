"""Sliding-window prediction that hands out finished rows and forgets them.

Only the rows that a later window still touches are kept in memory. They form a slab
along one axis, as thick as a window, which moves along as windows are predicted::

    row 0          base       next base      base + patch
    |--- handed out --|== done ===|== half done ===|--- not begun ---|
                      |<---------- the slab ------>|

Folds and mirrored copies of a window are averaged as soon as they are computed.

Letters: C channels, K outputs of all heads, P patch, S shape of the array, B batch.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from autoseg.errors import UsageError
from autoseg.predict.windows.mirrors import Copies
from autoseg.predict.windows.sums import ExactSums, FiledSums, Sums
from autoseg.predict.windows.tiling import Grid
from autoseg.spec.head import Head

Network = Callable[[torch.Tensor], torch.Tensor]
"""From (B, C, *P) to the logits of all heads, (B, K, *P), float32."""

EXPORTED = 2**24  # voxels of the image's grid that are decided at once


@dataclass(frozen=True, kw_only=True)
class Windows:
    """How to cut an array into windows and put their outputs together.

    Parameters
    ----------
    patch : tuple of int
        Edges of a window. One less than the array has axes: the network is 2-D and
        sees a volume slice by slice along its first axis.
    step_size : float
        Largest distance of neighboring windows in patch edges.
    mirror_axes : tuple of int
        Axes of the patch; every combination of them is flipped, predicted, flipped
        back and averaged.
    opposite : bool
        Of the combinations that of all axes only.
    batch : int
        Windows, mirrored copies counted, that a network gets at once.
    exact : bool
        One window at a time, and ``nnunet_sums``.
    nnunet_sums : bool
        Add as nnU-Net v2 does: along the first axis, in float16, apart for each fold.
        Its rounding decides between labels that are nearly as likely.
    dtype : torch.dtype
        Of the sums, unless they are nnU-Net's: float32, or float16 for half the memory.
    device : str or torch.device
        Where the networks are.
    sums_device : str or torch.device, optional
        Where the sums are; by default there too.
    in_file : bool
        Sums that are not nnU-Net's lie in a nameless file: slower, and of any size.
    exported : int
        Voxels of the image's grid that are decided at once, about.
    heads : tuple of Head
        Which outputs have directions, that mirrors turn; empty: none has.
    doubted : tuple of Head
        All heads, if the disagreement of folds and mirrored copies is to be one more
        output, the last.
    reflected : bool
        What a window sees beyond an array that is smaller is the array mirrored at its
        border, not zeros.
    """

    patch: tuple[int, ...]
    step_size: float = 0.5
    mirror_axes: tuple[int, ...] = ()
    opposite: bool = False
    batch: int = 1
    exact: bool = False
    nnunet_sums: bool = False
    dtype: torch.dtype = torch.float32
    device: torch.device | str = "cpu"
    sums_device: torch.device | str | None = None
    in_file: bool = False
    exported: int = EXPORTED
    heads: tuple[Head, ...] = ()
    doubted: tuple[Head, ...] = ()
    reflected: bool = False

    @property
    def mirrors(self) -> list[tuple[int, ...]]:
        """Combinations of axes that are mirrored; the first mirrors none."""
        axes = [
            axis
            for axis in self.mirror_axes
            if all(head.mirrors_along(axis) for head in self.heads)
        ]
        counts = {0, len(axes)} if self.opposite else range(len(axes) + 1)
        return [
            chosen
            for count in sorted(counts)
            for chosen in itertools.combinations(axes, count)
        ]

    @property
    def together(self) -> int:
        """Windows that are predicted at once, with all their mirrored copies."""
        return max(1, self.batch // len(self.mirrors))

    def chunks(self, grid: Grid, group: range) -> Iterator[list[tuple[int, ...]]]:
        """Yield the numbers of those windows of a group that are predicted at once."""
        indices = grid.indices(group)
        while chunk := list(
            itertools.islice(indices, 1 if self.exact else self.together)
        ):
            yield chunk

    @property
    def as_nnunet(self) -> bool:
        """Whether sums are those of nnU-Net."""
        return self.exact or self.nnunet_sums

    def grid(self, shape: Sequence[int]) -> Grid:
        """Return the windows of an array of this spatial shape."""
        return Grid(
            shape=tuple(shape),
            window=self.patch,
            step_size=self.step_size,
            together=1 if self.exact else self.together,
            first_axis=self.as_nnunet,
        )


@dataclass(frozen=True, kw_only=True)
class Block:
    """Finished rows of the outputs.

    Parameters
    ----------
    axis : int
        Spatial axis that prediction moves along.
    start, stop : int
        Rows along it, in the array's own grid.
    logits : tensor, shape (K, *S) but stop - start along ``axis``
        Mean over windows, mirrors and folds. Overwritten when the next block is asked
        for.
    let_go : callable
        Takes out of memory what was looked at of logits that are in a file.
    """

    axis: int
    start: int
    stop: int
    logits: torch.Tensor
    let_go: Callable[[], None] = lambda: None


def predict_outputs(
    networks: Sequence[Network],
    array: NDArray[np.float32],
    windows: Windows,
    progress: Callable[[int], None] = lambda count: None,
) -> Iterator[Block]:
    """Predict an array window by window and yield its outputs row by row.

    Parameters
    ----------
    networks : sequence of Network
        One for each fold; their outputs are averaged.
    array : ndarray of float32, shape (C, *S)
        A preprocessed image.
    windows : Windows
        How to cut it and put the outputs together.
    progress : callable
        Told how many windows were predicted since it was last called.

    Yields
    ------
    Block
        In order and without gaps; together they cover the array.

    Raises
    ------
    ModelError
        If an output is not finite.

    Notes
    -----
    Peak memory of the sums is ``K * prod(Grid.slab)`` numbers (if nnU-Net's, for each
    fold); it does not depend on the extent of the array along the axis.
    """
    if not networks:
        raise UsageError("There is no network to predict with.")
    grid = windows.grid(array.shape[1:])
    at, low = grid.origins[grid.axis], grid.padding[grid.axis][0]
    end = grid.shape[grid.axis]
    groups = grid.groups
    sums: Sums | None = None
    for group, following in itertools.zip_longest(groups, groups[1:]):
        base = at[group[0]]
        for indices in windows.chunks(grid, group):
            # The networks are called here, in no other frame: few are on the stack.
            with torch.inference_mode():
                copies = _copies(array, windows, grid, indices)
                for network in networks:
                    for part, batch in copies.batches():
                        copies.add(part, network(batch))
                for index, outputs in zip(indices, copies.means(), strict=True):
                    # A slice is a window of one row.
                    outputs = [o[:, None] if grid.sliced else o for o in outputs]
                    sums = sums or _make_sums(grid, windows, outputs)
                    sums.add(outputs, index, base)
                    progress(1)
        done = (at[following[0]] if following else grid.padded[grid.axis]) - base
        start, stop = max(0, base - low), min(end, base + done - low)
        if sums is not None and start < stop:
            logits = sums.finish(start + low - base, stop + low - base)
            sums.check_finite(logits)
            yield Block(
                axis=grid.axis,
                start=start,
                stop=stop,
                logits=logits,
                let_go=sums.let_go,
            )
            sums.move_on(done)


def counted(
    progress: Callable[[int, int], None] | None, total: int
) -> Callable[[int], None]:
    """Return a function that is told steps, and tells how many of all are done."""
    done = 0

    def count(steps: int) -> None:
        nonlocal done
        done += steps
        if progress is not None:
            progress(done, total)

    return count


def _make_sums(grid: Grid, windows: Windows, outputs: Sequence[torch.Tensor]) -> Sums:
    channels, device = len(outputs[0]), windows.sums_device or windows.device
    with torch.inference_mode(False):
        if windows.as_nnunet:
            return ExactSums(grid, channels, len(outputs), device)
        if windows.in_file:
            return FiledSums(grid, channels)
        return Sums(grid, channels, windows.dtype, device)


def _copies(
    array: NDArray[np.float32],
    windows: Windows,
    grid: Grid,
    indices: Sequence[Sequence[int]],
) -> Copies:
    """Return some windows of an array with all their mirrored copies."""
    return Copies(
        [
            _cut(array, grid, index, windows.reflected).to(windows.device)
            for index in indices
        ],
        windows.mirrors,
        1 if windows.exact else windows.batch,
        windows.heads,
        windows.doubted,
    )


def _cut(
    array: NDArray[np.float32], grid: Grid, index: Sequence[int], reflected: bool
) -> torch.Tensor:
    """Return a window's input, (C, *P), filled up where it overhangs the array."""
    window = cut(array, corner_of(grid, index), grid.patch, reflected)
    return window[:, 0] if grid.sliced else window


def corner_of(grid: Grid, index: Sequence[int]) -> tuple[int, ...]:
    """Return the array's voxel that a window begins with; negative: it overhangs."""
    pairs = zip(grid.start(index), grid.padding, strict=True)
    return tuple(first - before for first, (before, _) in pairs)


class Cuttable(Protocol):
    """Gives boxes of an image, (C, *box), by slices, as an array does."""

    @property
    def shape(self) -> tuple[int, ...]:
        """C, and S."""

    def __len__(self) -> int: ...

    def __getitem__(self, places: Any) -> Any: ...


def cut(
    array: Cuttable,
    corner: Sequence[int],
    patch: Sequence[int],
    reflected: bool = False,
) -> torch.Tensor:
    """Return a box of an array, filled up where it overhangs.

    Parameters
    ----------
    array : ndarray of float32, shape (C, *S), or what is cut like one
        A preprocessed image.
    corner : sequence of int, length D
        The voxel that the box begins with; may be outside.
    patch : sequence of int, length D
        Its edges, P.
    reflected : bool
        With what lies inside, mirrored at the array's border as often as it takes;
        else with zeros.

    Returns
    -------
    Tensor of float32, shape (C, *P)
        Shares memory with the array if nothing overhangs.

    Examples
    --------
    >>> cut(np.array([[1, 2, 3]], np.float32), (-2,), (6,), True).tolist()
    [[2.0, 1.0, 1.0, 2.0, 3.0, 3.0]]
    """
    places, inside = [slice(None)], [slice(None)]
    for first, edge, size in zip(corner, patch, array.shape[1:], strict=True):
        low = min(max(0, first), size)
        high = max(low, min(size, first + edge))
        places.append(slice(low, high))
        inside.append(slice(low - first, high - first))
    window = torch.from_numpy(np.asarray(array[tuple(places)]))
    if window.shape[1:] == tuple(patch):
        return window
    if reflected and window.numel():
        around = [(i.start, e - i.stop) for i, e in zip(inside[1:], patch, strict=True)]
        return torch.from_numpy(np.pad(window.numpy(), [(0, 0), *around], "symmetric"))
    padded = torch.zeros((len(array), *patch), dtype=window.dtype)
    padded[tuple(inside)] = window
    return padded
