"""Where the windows of a sliding-window prediction are, and how much each voxel counts.

Arithmetic only. The rules are those of nnU-Net v2 [1]_, so that its models give the
same predictions here.

Letters: D axes, S shape of the array, P patch.

References
----------
.. [1] Isensee et al., nnU-Net: a self-configuring method for deep learning-based
   biomedical image segmentation. Nature Methods 18, 203-211 (2021).
   doi:10.1038/s41592-020-01008-z
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import UsageError

# Of a patch's edges, how wide windows may become, and what part of all voxels must be
# saved so: on images of 520 x 696 pixels, mean AP is .774 with windows of 320 x 448 and
# .775 with those of the patch, 256 x 256; on the whole image .772.
WIDEST, SAVING = 1.75, 0.15
SIGMA = 1 / 8  # of the importance map, in patch edges
PEAK = 10.0  # of the importance map: keeps float16 far from its smallest numbers


def window_origins(size: int, patch: int, step_size: float = 0.5) -> tuple[int, ...]:
    """Return where windows start along one axis.

    There are ``ceil((size - patch) / (patch * step_size)) + 1`` of them, evenly spread
    from one border to the other and rounded to voxels, halves to the even one.

    Parameters
    ----------
    size : int
        Voxels along the axis, at least ``patch``.
    patch : int
        Edge of a window along it.
    step_size : float
        Largest distance of neighboring windows in patch edges, over 0 up to 1.

    Returns
    -------
    tuple of int
        First voxel of each window, ascending; the first is 0, the last
        ``size - patch``.

    Examples
    --------
    >>> window_origins(110, 64)
    (0, 23, 46)
    """
    if not 0 < step_size <= 1:
        raise UsageError(f"The step size is {step_size}; it must be over 0, up to 1.")
    if size < patch:
        raise UsageError(f"{size} voxels hold no window of {patch}; pad them first.")
    count = math.ceil((size - patch) / (patch * step_size)) + 1
    if count == 1:
        return (0,)
    distance = (size - patch) / (count - 1)
    return tuple(round(distance * i) for i in range(count))


def widen(
    patch: Sequence[int],
    shape: Sequence[int],
    divisor: Sequence[int],
    step_size: float = 0.5,
    widest: float = WIDEST,
    reflected: bool = False,
) -> tuple[int, ...]:
    """Return edges of windows that cover an array with clearly fewer voxels, if any do.

    Windows are evenly spread: where an axis is a little too long for some of them, one
    more makes all overlap by far more than they must. A little wider ones need no
    more. None reaches beyond the array, where there is nothing that a network knows,
    unless it is mirrored there: then by less than `divisor`.

    Parameters
    ----------
    patch : sequence of int, length D
        Edges that the network was trained with, and the least.
    shape : sequence of int, length D
        Of the array.
    divisor : sequence of int, length D
        Edges must be multiples of these.
    step_size : float
        See `window_origins`.
    widest : float
        How many times as long as in training an edge may be.
    reflected : bool
        Windows see the array mirrored at its borders; see `Windows.reflected`.

    Returns
    -------
    tuple of int, length D
        ``patch``, where that would not save at least `SAVING` of the voxels.

    Examples
    --------
    Two windows of 320 do what takes three of 256, and two of 448 what takes four:

    >>> widen((256, 256), (520, 696), (64, 64), 0.75)
    (320, 448)

    One window that reaches a little beyond the image, instead of four:

    >>> widen((256, 256), (360, 360), (64, 64), 0.75, reflected=True)
    (384, 384)
    """

    def covered(edge: int, size: int) -> int:
        return edge * len(window_origins(max(size, edge), edge, step_size))

    wide = []
    for edge, size, step in zip(patch, shape, divisor, strict=True):
        end = math.ceil(size / step) * step if reflected else size
        most = int(min(end, widest * edge))
        edges = [edge, *range(edge + step, most + 1, step)]
        wide.append(min(edges, key=lambda e: covered(e, size)))
    before, after = (
        math.prod(covered(edge, size) for edge, size in zip(edges, shape, strict=True))
        for edges in (patch, wide)
    )
    return tuple(wide if after <= (1 - SAVING) * before else patch)


def padding(shape: Sequence[int], patch: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Return the voxels to add before and after each axis so that a window fits.

    Where their number is odd, the extra voxel goes to the high side.

    Parameters
    ----------
    shape : sequence of int, length D
        Voxels of the array.
    patch : sequence of int, length D
        Voxels of a window.

    Returns
    -------
    tuple of (int, int), length D
        Zeros on the low and on the high side.

    Examples
    --------
    >>> padding((30, 5), (16, 10))
    ((0, 0), (2, 3))
    """
    missing = [max(0, p - s) for s, p in zip(shape, patch, strict=True)]
    return tuple((m // 2, m - m // 2) for m in missing)


@lru_cache(maxsize=8)
def importance_map(patch: tuple[int, ...]) -> NDArray[np.float16]:
    """Return how much each voxel of a window counts: a Gaussian around its center.

    Its standard deviation is an eighth of the patch along each axis and its peak 10.
    What is zero in float16 is raised to the smallest other value, so that every voxel
    has some weight.

    Parameters
    ----------
    patch : tuple of int, length D
        Voxels of a window.

    Returns
    -------
    ndarray of float16, shape of the patch
        Read-only, for it is shared.
    """
    from scipy.ndimage import gaussian_filter

    impulse = np.zeros(patch)
    impulse[tuple(edge // 2 for edge in patch)] = 1
    weights = gaussian_filter(
        impulse, [edge * SIGMA for edge in patch], mode="constant", cval=0
    )
    weights /= weights.max() / PEAK
    # By way of float32, for that is how torch rounds: one unit of difference here, in
    # a few voxels, would be one in every output.
    rounded = weights.astype(np.float32).astype(np.float16)
    rounded[rounded == 0] = rounded[rounded > 0].min()
    rounded.flags.writeable = False
    result: NDArray[np.float16] = rounded
    return result


def window_shares(size: int, patch: int, origins: Sequence[int]) -> NDArray[np.float32]:
    """Return what part of each voxel's output comes from which window, along one axis.

    The Gaussian of `importance_map` is a product over the axes, and so is the sum of
    all windows' Gaussians, for windows stand on a grid. A window's share of a voxel's
    output is therefore the product of its shares along the axes.

    Parameters
    ----------
    size : int
        Voxels along the axis.
    patch : int
        Edge of a window along it.
    origins : sequence of int, length N
        As from `window_origins`.

    Returns
    -------
    ndarray of float32, shape (N, patch)
        Between 0 and 1; the shares of a voxel sum to 1.

    Examples
    --------
    >>> window_shares(4, 4, (0,))
    array([[1., 1., 1., 1.]], dtype=float32)
    """
    distance = (np.arange(patch) - patch // 2) / max(patch * SIGMA, 1e-9)
    weights = np.exp(-0.5 * distance**2)
    total = np.zeros(size)
    for origin in origins:
        total[origin : origin + patch] += weights
    shares = [weights / total[origin : origin + patch] for origin in origins]
    return np.stack(shares).astype(np.float32)


@dataclass(frozen=True)
class Grid:
    """The windows of one array, and the order in which they are predicted.

    Parameters
    ----------
    shape : tuple of int, length D
        Of the array.
    window : tuple of int, length D or D - 1
        Edges of a window. One less than the array has axes: a 2-D window that sees a
        volume slice by slice along its first axis.
    step_size : float
        Largest distance of neighboring windows in patch edges.
    together : int
        Windows that should be predicted at once, where there are that many.
    first_axis : bool
        Go through the windows along the first axis, as nnU-Net does; otherwise along
        the axis where the slab that is kept in memory is smallest.

    Attributes
    ----------
    patch : tuple of int, length D
        ``window``, with an edge of 1 along the slices.
    padding : tuple of (int, int), length D
        Zeros around the array, so that a window fits.
    padded : tuple of int, length D
        Shape with them. Origins count from their first voxel.
    origins : tuple of tuple of int
        First voxels of the windows along each axis.
    axis : int
        Along which prediction moves on.
    """

    shape: tuple[int, ...]
    window: tuple[int, ...]
    step_size: float = 0.5
    together: int = 1
    first_axis: bool = False
    patch: tuple[int, ...] = field(init=False)
    padding: tuple[tuple[int, int], ...] = field(init=False)
    padded: tuple[int, ...] = field(init=False)
    origins: tuple[tuple[int, ...], ...] = field(init=False)
    axis: int = field(init=False)

    def __post_init__(self) -> None:
        missing = len(self.shape) - len(self.window)
        if missing not in (0, 1):
            raise UsageError(
                f"A window {self.window} does not fit an array {self.shape}: it needs "
                "as many axes, or one less to go through a volume slice by slice."
            )
        patch = (1,) * missing + tuple(self.window)
        around = padding(self.shape, patch)
        padded = tuple(s + sum(p) for s, p in zip(self.shape, around, strict=True))
        origins = tuple(
            window_origins(size, edge, self.step_size)
            for size, edge in zip(padded[missing:], self.window, strict=True)
        )
        if missing:
            origins = (tuple(range(padded[0])), *origins)
        parts = [edge / size for edge, size in zip(patch, padded, strict=True)]
        axis = 0 if self.first_axis else parts.index(min(parts))
        for name, value in (
            ("patch", patch),
            ("padding", around),
            ("padded", padded),
            ("origins", origins),
            ("axis", axis),
        ):
            object.__setattr__(self, name, value)

    @property
    def sliced(self) -> bool:
        """Whether windows are slices of a volume."""
        return len(self.window) < len(self.shape)

    @property
    def count(self) -> int:
        """Number of windows."""
        return math.prod(len(origins) for origins in self.origins)

    @property
    def groups(self) -> list[range]:
        """Windows along ``axis`` that are predicted together, by number, in order."""
        steps = len(self.origins[self.axis])
        rows = max(1, self.together * steps // self.count)
        return [range(i, min(i + rows, steps)) for i in range(0, steps, rows)]

    @property
    def slab(self) -> tuple[int, ...]:
        """Shape of what has to be kept in memory."""
        at = self.origins[self.axis]
        thick = max(at[g[-1]] - at[g[0]] for g in self.groups) + self.patch[self.axis]
        return (*self.padded[: self.axis], thick, *self.padded[self.axis + 1 :])

    def indices(self, group: range) -> Iterator[tuple[int, ...]]:
        """Yield the windows of a group: the number of each along each axis."""
        ranges = [range(len(origins)) for origins in self.origins]
        others = ranges[: self.axis] + ranges[self.axis + 1 :]
        for i, *rest in itertools.product(group, *others):
            yield (*rest[: self.axis], i, *rest[self.axis :])

    def start(self, index: Sequence[int]) -> tuple[int, ...]:
        """Return the first voxel of a window in the padded array."""
        return tuple(o[i] for o, i in zip(self.origins, index, strict=True))
