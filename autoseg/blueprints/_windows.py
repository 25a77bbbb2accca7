"""Layers of tokens that stand on a grid: windows, and attention inside of them.

Legend: C channels, S spatial shape, N tokens, D number of axes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from autoseg.blueprints._learned import Learned
from autoseg.blueprints.tensors import Keeps, Tensor
from autoseg.errors import PlanError

ATTENDED = 2**22  # numbers of attention that are there at once


class Windows(Learned):
    """A sheet with layers that cut grids into windows and blocks."""

    def windows(self, x: Tensor, grid: Tensor, window: int, shift: bool) -> Tensor:
        """Sort tokens by the window of the grid that they are in.

        Parameters
        ----------
        x : Tensor
            A token for each voxel of the grid.
        grid : Tensor
            Lends its shape.
        window : int
            Edge of a window; where the grid is shorter, the grid's. Zeros are added
            where windows do not divide the grid.
        shift : bool
            Roll the grid by half a window first, along axes longer than a window.
        """
        if x.voxels != grid.voxels:
            raise PlanError(f"{x.voxels} tokens do not stand on a grid of {grid.shape}")
        edges, _ = window_of(grid.shape, window, shift)
        padded = math.prod(padded_to(grid.shape, edges))
        more = x.channels * padded
        return self._add(
            "windows",
            (x, grid),
            x.channels,
            (padded,),
            keeps=Keeps(forward=more, backward=more),
            window=window,
            shift=shift,
        )

    def unwindows(self, x: Tensor, grid: Tensor, window: int, shift: bool) -> Tensor:
        """Put tokens back in the order before `windows`, without those added."""
        more = x.channels * x.voxels
        return self._add(
            "unwindows",
            (x, grid),
            x.channels,
            (grid.voxels,),
            keeps=Keeps(forward=more, backward=more),
            window=window,
            shift=shift,
        )

    def window_attention(
        self,
        x: Tensor,
        grid: Tensor,
        window: int,
        shift: bool,
        heads: int,
        *,
        name: str,
    ) -> Tensor:
        """Let the tokens of each window look at each other.

        How much a token sees of another also depends on where it lies to it, by a
        learned number for each head. Tokens that only a rolled grid brings together do
        not see each other.

        Parameters
        ----------
        x : Tensor
            Query, key and value of each token in a row, 3 C channels, as `windows`
            sorts them.
        grid, window, shift
            As given to `windows`.
        heads : int
            C is cut into so many parts, each compared for itself.
        name : str
            Of the module.
        """
        channels = self._attended(x, heads)
        edges, _ = window_of(grid.shape, window, shift)
        tokens = math.prod(edges)
        # What is compared is computed again in the backward pass, some windows at once.
        most = min(x.voxels // tokens, attended_at_once(heads, tokens))
        pairs, rows = most * heads * tokens**2, most * tokens * channels
        return self._add(
            "window_attention",
            (x, grid),
            channels,
            x.shape,
            name,
            parameters=heads * (2 * window - 1) ** self.dim,
            multiply_adds=2 * channels * x.voxels * tokens,
            keeps=Keeps(
                tensors=(x.number,),
                forward=2 * pairs + 5 * rows,
                backward=3 * pairs + 12 * rows,
            ),
            window=window,
            shift=shift,
            heads=heads,
            dim=self.dim,
        )

    def routed(
        self,
        asked: Tensor,
        value: Tensor,
        grid: Tensor,
        window: int,
        most: int,
        heads: int,
    ) -> Tensor:
        """Let the tokens of each window look at those of the windows most like it [1]_.

        Which windows these are is decided by the means of queries and keys, without a
        gradient.

        Parameters
        ----------
        asked, value : Tensor
            Query and key of each token in a row, 2 C channels, and its value, as
            `windows` sorts them.
        grid, window
            As given to `windows`, without a shift.
        most : int
            How many windows are looked at.
        heads : int
            C is cut into so many parts, each compared for itself.

        References
        ----------
        .. [1] Zhu et al., "BiFormer: vision transformer with bi-level routing
           attention", CVPR 2023. arXiv:2303.08810
        """
        channels = value.channels
        if asked.channels != 2 * channels or channels % heads:
            raise PlanError(
                f"{asked.channels} channels are no queries and keys for {channels} of "
                f"{heads} heads."
            )
        edges, _ = window_of(grid.shape, window, False)
        tokens = math.prod(edges)
        count = value.voxels // tokens
        seen = min(most, count)
        gathered = 2 * channels * seen * value.voxels
        found = self._add(
            "routed",
            (asked, value, grid),
            channels,
            value.shape,
            multiply_adds=2 * channels * value.voxels * tokens * seen,
            window=window,
            most=most,
            heads=heads,
        )
        keeps = Keeps(
            tensors=(asked.number, found.number),
            numbers=gathered,
            floats=heads * value.voxels + 2 * count * seen,
            backward=gathered + 3 * channels * value.voxels,
        )
        self.layers[-1] = self.layers[-1]._replace(keeps=keeps)
        return found

    def merge(self, x: Tensor, stride: int | Sequence[int]) -> Tensor:
        """Stack the channels of each block of voxels: (C, *S) to (C n, *S / stride)."""
        stride = self.axes(stride)
        shape = [n // s for n, s in zip(x.shape, stride, strict=True)]
        if any(n % s for n, s in zip(x.shape, stride, strict=True)):
            raise PlanError(f"Blocks of {stride} do not divide a grid of {x.shape}.")
        channels = x.channels * math.prod(stride)
        return self._add("merge", (x,), channels, shape, keeps=Keeps(), stride=stride)

    def expand(self, x: Tensor, stride: int | Sequence[int]) -> Tensor:
        """Undo `merge`: the channels of a voxel become those of a block."""
        stride = self.axes(stride)
        channels, rest = divmod(x.channels, math.prod(stride))
        if rest:
            raise PlanError(f"{x.channels} channels make no blocks of {stride}.")
        shape = [n * s for n, s in zip(x.shape, stride, strict=True)]
        return self._add("expand", (x,), channels, shape, keeps=Keeps(), stride=stride)

    def _attended(self, x: Tensor, heads: int) -> int:
        """Return the channels that are looked at by so many heads."""
        channels, rest = divmod(x.channels, 3)
        if rest or channels % heads:
            raise PlanError(
                f"{x.channels} channels are no queries, keys and values of {heads} "
                "heads; give a multiple of three times the heads."
            )
        return channels


def window_of(
    grid: Sequence[int], window: int, shift: bool
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the edges of windows on a grid, and by how much they are shifted.

    Examples
    --------
    >>> window_of((4, 16), 7, True)
    ((4, 7), (0, 3))
    """
    edges = tuple(min(window, n) for n in grid)
    by = tuple(window // 2 if shift and n > window else 0 for n in grid)
    return edges, by


def padded_to(grid: Sequence[int], edges: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of a grid that windows divide.

    Examples
    --------
    >>> padded_to((4, 16), (4, 7))
    (4, 21)
    """
    return tuple(math.ceil(n / e) * e for n, e in zip(grid, edges, strict=True))


def attended_at_once(heads: int, tokens: int) -> int:
    """Return how many windows' attention is computed at once."""
    return max(1, ATTENDED // (heads * tokens**2))
