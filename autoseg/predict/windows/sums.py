"""Weighted sums of window outputs, for the rows that later windows still touch.

`Sums` is the way we do it, in memory or by `FiledSums` in a file, `ExactSums` the way
that nnU-Net v2 does it, to the bit.

Letters: K outputs, P patch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from autoseg.errors import ModelError
from autoseg.geometry.mapped import filed, let_go
from autoseg.predict.windows.tiling import Grid, importance_map, window_shares

LOOKED_AT = 2**22  # numbers that are looked at at once


class Sums:
    """Mean outputs of the rows in a slab that moves along one axis.

    Each window's output is multiplied by its share of each voxel (`window_shares`)
    before it is added, so that no sum of weights has to be kept, and float16 sums keep
    their precision in the corners, where all weights are tiny.

    Parameters
    ----------
    grid : Grid
        The windows.
    outputs : int
        K.
    dtype : torch.dtype
        Of the sums: float32, or float16 for half the memory.
    device : torch.device
        Where they are.
    """

    def __init__(
        self,
        grid: Grid,
        outputs: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        self.grid = grid
        self.total = torch.zeros((outputs, *grid.slab), dtype=dtype, device=device)
        self._shares = [
            torch.from_numpy(window_shares(size, edge, origins)).to(device)
            for size, edge, origins in zip(
                grid.padded, grid.patch, grid.origins, strict=True
            )
        ]

    @property
    def nbytes(self) -> int:
        """Memory of the sums."""
        return self.total.nbytes

    def add(
        self, outputs: Sequence[torch.Tensor], index: Sequence[int], base: int
    ) -> None:
        """Add one window.

        Parameters
        ----------
        outputs : sequence of tensor, shape (K, *P)
            One for each fold, float32; overwritten.
        index : sequence of int
            Number of the window along each axis.
        base : int
            Row of the padded array that the slab begins with.
        """
        mean = self._shared(outputs, index)
        self.total[(slice(None), *self.place(index, base))].add_(mean)

    def _shared(
        self, outputs: Sequence[torch.Tensor], index: Sequence[int]
    ) -> torch.Tensor:
        """Return the mean over folds, (K, *P), times the window's share of voxels."""
        mean = outputs[0]
        for other in outputs[1:]:
            mean += other
        if len(outputs) > 1:
            mean /= len(outputs)
        mean = mean.to(self.total.device)
        for axis, (shares, i) in enumerate(zip(self._shares, index, strict=True)):
            if len(self.grid.origins[axis]) > 1:
                after = len(self.grid.shape) - 1 - axis
                mean *= shares[i].reshape(-1, *[1] * after)
        return mean

    def finish(self, first: int, last: int) -> torch.Tensor:
        """Return the mean outputs of finished rows of the slab, without padding.

        Parameters
        ----------
        first, last : int
            Rows, counted from the beginning of the slab.

        Returns
        -------
        tensor, shape (K, *rows)
            A view, overwritten by `move_on`.
        """
        return self.inside(self.total, first, last)

    def move_on(self, rows: int) -> None:
        """Forget so many rows and begin the slab with the next one."""
        for output in self.total:
            self.shift(output, rows)

    def let_go(self) -> None:
        """Take sums that are in a file out of memory."""

    def check_finite(self, logits: torch.Tensor) -> None:
        """Raise ModelError if outputs of rows, as of `finish`, are not finite."""
        # Some rows at a time, for comparing takes as much memory as what is compared.
        rows = max(1, LOOKED_AT * len(logits[0]) // max(1, logits[0].numel()))
        for output in logits:
            for part in output.split(rows):
                if not bool(torch.isfinite(part).all()):
                    raise ModelError(
                        "The network's output is not finite. Look for NaN or very "
                        "large numbers in the image; if there are none, the model's "
                        "weights are damaged."
                    )
                self.let_go()

    def place(self, index: Sequence[int], base: int) -> tuple[slice, ...]:
        """Return where a window lies in a slab that begins with row ``base``."""
        firsts = list(self.grid.start(index))
        firsts[self.grid.axis] -= base
        return tuple(
            slice(first, first + edge)
            for first, edge in zip(firsts, self.grid.patch, strict=True)
        )

    def inside(self, slab: torch.Tensor, first: int, last: int) -> torch.Tensor:
        """Return rows of an array like the slab, without padding on the other axes."""
        for axis, size in enumerate(self.grid.shape):
            low = self.grid.padding[axis][0]
            if axis == self.grid.axis:
                low, size = first, last - first
            slab = slab.narrow(axis - len(self.grid.shape), low, size)
        return slab

    def shift(self, slab: torch.Tensor, rows: int) -> None:
        """Move the rows of one slab down and put zeros behind them."""
        if not rows:
            return
        axis, thick = self.grid.axis, slab.shape[self.grid.axis]
        keep = max(0, thick - rows)
        # So many rows at a time do not overlap their new place, and need no copy.
        for low in range(0, keep, max(1, rows)):
            part = min(rows, keep - low)
            slab.narrow(axis, low, part).copy_(slab.narrow(axis, low + rows, part))
        slab.narrow(axis, keep, thick - keep).zero_()


class FiledSums(Sums):
    """Sums in float32 that lie in a file without a name, row behind row.

    Parameters
    ----------
    grid : Grid
        The windows.
    outputs : int
        K.
    """

    def __init__(self, grid: Grid, outputs: int) -> None:
        super().__init__(grid, 0)
        axis = grid.axis
        thick, *across = grid.slab[axis], *grid.slab[:axis], *grid.slab[axis + 1 :]
        self._rows = filed((outputs, thick, *across), np.float32)
        self.total = torch.from_numpy(self._rows).movedim(1, axis + 1)

    def add(
        self, outputs: Sequence[torch.Tensor], index: Sequence[int], base: int
    ) -> None:
        place = self.place(index, base)
        for total, mean in zip(self.total, self._shared(outputs, index), strict=True):
            total[place].add_(mean)
            self.let_go()

    def let_go(self) -> None:
        let_go(self._rows)

    def move_on(self, rows: int) -> None:
        if not rows:
            return
        across = max(1, self._rows[0, 0].size)
        step = max(1, min(rows, LOOKED_AT // across))
        for output in self.total:
            slab = output.movedim(self.grid.axis, 0)
            for low in range(0, len(slab), step):
                part = slab[low : low + step]
                above = slab[low + rows : low + rows + step]
                part[: len(above)].copy_(above)
                part[len(above) :].zero_()
                self.let_go()


class ExactSums(Sums):
    """The sums of nnU-Net v2: float16, one for each fold, and one of the weights.

    Parameters
    ----------
    grid : Grid
        The windows, along the first axis: sums of rounded numbers depend on the order.
    outputs : int
        K.
    folds : int
        Number of networks.
    device : torch.device
        Where they are.
    """

    def __init__(
        self,
        grid: Grid,
        outputs: int,
        folds: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.grid = grid
        shape = (folds, outputs, *grid.slab)
        self.total = torch.zeros(shape, dtype=torch.float16, device=device)
        self._weight = torch.zeros(grid.slab, dtype=torch.float16, device=device)
        importance = torch.from_numpy(importance_map(grid.window).copy()).to(device)
        self._importance = importance[None] if grid.sliced else importance

    @property
    def nbytes(self) -> int:
        return self.total.nbytes + self._weight.nbytes

    def add(
        self, outputs: Sequence[torch.Tensor], index: Sequence[int], base: int
    ) -> None:
        place = self.place(index, base)
        for fold, output in enumerate(outputs):
            output = output.to(self.total.device)
            output *= self._importance
            self.total[fold][(slice(None), *place)] += output
        self._weight[place] += self._importance

    def finish(self, first: int, last: int) -> torch.Tensor:
        weight = self.inside(self._weight, first, last)
        folds = self.inside(self.total, first, last)
        for fold in folds:
            fold /= weight
        mean = folds[0]
        for other in folds[1:]:
            mean += other
        if len(folds) > 1:
            mean /= len(folds)
        return mean

    def move_on(self, rows: int) -> None:
        for output in self.total.flatten(0, 1):
            self.shift(output, rows)
        self.shift(self._weight, rows)
