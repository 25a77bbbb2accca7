"""Layers on rows of tokens: rotations, scales, attention of one row to another.

Legend: C channels, S spatial shape, N tokens, D number of axes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from autoseg.blueprints._windows import Windows
from autoseg.blueprints.tensors import Head, Keeps, Tensor
from autoseg.errors import PlanError

SCANNED = 2**20  # numbers of states that are there at once


class Sequences(Windows):
    """A sheet with layers on rows of tokens."""

    def look(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor | None,
        heads: int,
        *,
        scaled: bool = True,
    ) -> Tensor:
        """Let tokens look at those of another row, or of their own.

        Parameters
        ----------
        query : Tensor
            Of those that look.
        key, value : Tensor
            Of those that are looked at; if the second is None, both are in the first.
        heads : int
            Channels are cut into so many parts, each compared for itself.
        scaled : bool
            What is compared is divided by the root of a head's channels.
        """
        channels = query.channels
        given = key.channels if value is not None else key.channels // 2
        if given != channels or channels % heads:
            raise PlanError(
                f"{channels} channels cannot look at {given} with {heads} heads."
            )
        read = (query, key) if value is None else (query, key, value)
        made = channels if value is None else value.channels
        found = self._add(
            "look",
            read,
            made,
            query.shape,
            multiply_adds=(channels + made) * query.voxels * key.voxels,
            heads=heads,
            scaled=scaled,
        )
        kept, more = [*read, found], 0
        if made != channels:  # queries and keys are filled up with zeros
            kept, more = kept[2:], made * (query.voxels + key.voxels)
        keeps = Keeps(
            tensors=tuple(x.number for x in kept),
            floats=heads * query.voxels,
            numbers=more,
        )
        self.layers[-1] = self.layers[-1]._replace(keeps=keeps)
        return found

    def lend(self, x: Tensor, stride: Sequence[int]) -> Tensor:
        """Return a tensor that is only there for its shape: of a coarser grid.

        It is in `bare`, and no skip.
        """
        stride = self.axes(stride)
        shape = [n // s for n, s in zip(x.shape, stride, strict=True)]
        lent = self._add("avg_pool", (x,), x.channels, shape, stride=stride)
        self.bare.add(lent.number)
        return lent

    def rotate(self, x: Tensor, grid: Tensor, heads: int) -> Tensor:
        """Rotate pairs of channels by how far along the axes a token lies [1]_.

        What two tokens say to each other then depends on where they lie to each other.

        Parameters
        ----------
        x : Tensor
            Queries or keys.
        grid : Tensor
            Lends its shape.
        heads : int
            Each has channels for all axes: a multiple of 2 D.

        References
        ----------
        .. [1] Su et al., "RoFormer: enhanced transformer with rotary position
           embedding", Neurocomputing 568, 2024. arXiv:2104.09864
        """
        if x.channels % (heads * 2 * self.dim) or x.voxels != grid.voxels:
            raise PlanError(
                f"{x.channels} channels cannot be rotated: give a multiple of "
                f"{heads * 2 * self.dim}, twice the axes for each head."
            )
        # The result of a product each with cosines and with sines.
        keeps = Keeps(forward=2 * x.channels * x.voxels)
        keeps = replace(keeps, backward=keeps.forward)
        return self._add(
            "rotate", (x, grid), x.channels, x.shape, keeps=keeps, heads=heads
        )

    def scale(
        self, x: Tensor, *, start: float, alike: bool = False, name: str
    ) -> Tensor:
        """Multiply each channel, or all alike, by a learned number.

        Parameters
        ----------
        x : Tensor
            What is multiplied.
        start : float
            The number before it learns.
        alike : bool
            One number for all channels.
        name : str
            Of the module.
        """
        size = x.channels * x.voxels
        return self._add(
            "scale",
            (x,),
            x.channels,
            x.shape,
            name,
            parameters=1 if alike else x.channels,
            keeps=Keeps(tensors=(x.number,), backward=size),
            start=start,
            size=1 if alike else x.channels,
            axes=0 if alike or len(x.shape) == 1 else len(x.shape),
        )

    def between_channels(self, x: Tensor) -> Tensor:
        """Give each channel a mixture of all, most of those that are least like it.

        As position attention, with the roles of channels and voxels changed [1]_.

        References
        ----------
        .. [1] Fu et al., "Dual attention network for scene segmentation", CVPR 2019.
           arXiv:1809.02983
        """
        size, pairs = x.channels * x.voxels, x.channels**2
        return self._add(
            "between_channels",
            (x,),
            x.channels,
            x.shape,
            multiply_adds=2 * pairs * x.voxels,
            keeps=Keeps(tensors=(x.number,), floats=2 * pairs, backward=2 * size),
        )

    def among_channels(self, x: Tensor, kernel: int, *, name: str) -> Tensor:
        """Convolve over neighboring channels of a single voxel, without a bias.

        Parameters
        ----------
        x : Tensor
            What an average over all voxels gives.
        kernel : int
            How many channels one is made of; odd.
        name : str
            Of the module.
        """
        if x.voxels != 1 or kernel % 2 == 0:
            raise PlanError(f"{name}: {x.voxels} voxels, and a kernel of {kernel}.")
        return self._add(
            "among_channels",
            (x,),
            x.channels,
            x.shape,
            name,
            parameters=kernel,
            multiply_adds=kernel * x.channels,
            keeps=Keeps(tensors=(x.number,)),
            neighbors=kernel,
        )

    def causal(self, x: Tensor, kernel: int, *, name: str) -> Tensor:
        """Convolve each channel along tokens, over those before and the token itself.

        Parameters
        ----------
        x : Tensor
            The tokens.
        kernel : int
            How many.
        name : str
            Of the module.
        """
        size = x.channels * x.voxels
        return self._add(
            "causal",
            (x,),
            x.channels,
            x.shape,
            name,
            parameters=x.channels * (kernel + 1),
            multiply_adds=kernel * size,
            keeps=Keeps(tensors=(x.number,), backward=2 * size),
            before=kernel,
            width=x.channels,
        )

    def scan(
        self, x: Tensor, steps: Tensor, given: Tensor, taken: Tensor, *, name: str
    ) -> Tensor:
        """Let a state follow the tokens, and read it off at each (`_scan.Scan`).

        Parameters
        ----------
        x, steps : Tensor
            What comes in, and how far each token moves the state.
        given, taken : Tensor
            How a token enters the state, and how it is read off; their channels are the
            numbers of a state.
        name : str
            Of the module.
        """
        states = given.channels
        if steps.channels != x.channels or taken.channels != states:
            raise PlanError(
                f"{name}: {steps.channels} steps for {x.channels} channels."
            )
        read = x, steps, given, taken
        length = math.isqrt(x.voxels - 1) + 1
        # The last piece is filled up; beside the states of a piece, three are there.
        filled = -(-x.voxels // length) * length
        some = min(SCANNED, x.channels * states * x.voxels)
        more = 3 * some // length
        return self._add(
            "scan",
            read,
            x.channels,
            x.shape,
            name,
            parameters=x.channels * (states + 1),
            multiply_adds=3 * x.channels * states * filled,
            keeps=Keeps(
                tensors=tuple(y.number for y in read),
                forward=2 * some + more,
                backward=4 * some + more,
            ),
            width=x.channels,
            states=states,
        )

    def steps(self, x: Tensor, channels: int, *, name: str) -> Tensor:
        """Make the steps of a state: a matrix whose bias starts them."""
        weights = x.channels * channels
        return self._add(
            "steps",
            (x,),
            channels,
            x.shape,
            name,
            weights=weights,
            parameters=weights + channels,
            multiply_adds=weights * x.voxels,
            keeps=Keeps(tensors=(x.number,)),
        )

    def apart(self, x: Tensor, parts: int) -> Tensor:
        """Cut channels into parts that are rows of tokens of their own."""
        if x.channels % parts:
            raise PlanError(f"{x.channels} channels cannot be cut into {parts}.")
        shape = (x.voxels * parts,)
        return self._add(
            "apart", (x,), x.channels // parts, shape, keeps=Keeps(), parts=parts
        )

    def together(self, x: Tensor, parts: int) -> Tensor:
        """Undo `apart`."""
        shape = (x.voxels // parts,)
        return self._add(
            "together", (x,), x.channels * parts, shape, keeps=Keeps(), parts=parts
        )

    def enlarging_head(self, x: Tensor, stride: Sequence[int], *, name: str) -> Tensor:
        """Make logits of features by a transposed convolution."""
        logits = self.deconv(x, self.outputs, stride, name=name)
        self.layers[-1] = self.layers[-1]._replace(kind="head")
        self.heads.append(Head(x.number, self.layers[-1]))
        return logits
