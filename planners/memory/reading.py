"""Memory of what reads a network's features: queries, their attention and matching.

Counted is what autograd keeps, as for layers: the features with where they are, once
for each resolution that masks are made in; of each voxel that tells of a mask, what is
known of it and its mask; of each that is looked at, keys, values and places; and of
each object that is matched, its mask's loss.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from planners.setting import LossCost

FLOAT = 4
WIDTH = 64  # of `autoseg.networks._queries`; a test holds these equal
OCTAVES = 5
MOST_TOKENS = 1024
MOST_TOLD = 256
PER_TOKEN = 207  # numbers kept of a voxel that tells of a mask, beside its answer
PER_LOOK = 252  # of one in the round that looks at it: keys, values, places
PER_PAIR = 7  # of a voxel and a query, in that round
PER_QUERY = 1330  # of a query, in each round
PER_OBJECT = 3  # of a voxel and an object that its mask is compared with
ROOM = 1.5  # queries for each object, as `Queries.configure` has it


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A head whose outputs a reader makes of the network's features.

    Parameters
    ----------
    features : int
        Channels that the network gives.
    options : mapping
        Of the reader: ``queries`` and ``blocks``.
    """

    features: int
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def queries(self) -> int:
        """How many there are."""
        return int(self.options["queries"])

    @property
    def blocks(self) -> int:
        """Rounds."""
        return int(self.options["blocks"])

    def parameters(self, dim: int) -> int:
        """Return how many numbers a reader learns, for so many axes."""
        linear = WIDTH * WIDTH + WIDTH
        block = 8 * linear + 2 * (2 * WIDTH * WIDTH) + 3 * WIDTH + 3 * 2 * WIDTH
        into = (self.features + 1) * WIDTH
        if self.blocks:
            into += (2 * OCTAVES * dim + 1) * WIDTH
        answers = 2 * WIDTH + linear + (WIDTH + 1) * (self.features + _own(dim))
        return into + answers + self.blocks * block

    def kept(self, dim: int, voxels: Sequence[int]) -> float:
        """Return the bytes that it keeps of a sample for the backward pass.

        Parameters
        ----------
        dim : int
            Number of spatial axes.
        voxels : sequence of int
            Of each of the network's resolutions, finest first.
        """
        answer = self.features + _own(dim)
        tokens = self._tokens(dim, voxels)
        rounds = max(0, self.blocks - 1)
        kept = answer * (voxels[0] + rounds * voxels[0] * 0.5**dim + tokens[-1])
        kept += tokens[-1] * (PER_TOKEN + answer)
        for number in range(self.blocks):
            count = tokens[number % len(tokens)]
            kept += count * (PER_LOOK + answer + PER_PAIR * self.queries)
        return FLOAT * (kept + self.blocks * self.queries * PER_QUERY)

    def loss(self, dim: int, voxels: Sequence[int]) -> float:
        """Return the bytes of outputs, and of matching and comparing a sample's."""
        told = self._tokens(dim, voxels)[-1]
        finest = voxels[0] * (1 + max(0, self.blocks - 1) * 0.5**dim)
        objects = math.ceil(self.queries / ROOM)
        outputs = self.queries * finest + told**2
        gradient = self.queries * voxels[0]
        saved = finest * (PER_OBJECT * objects + self.queries)
        saved += told * (told + PER_OBJECT * min(told, MOST_TOLD))
        return FLOAT * (outputs + gradient + saved)

    def window(self, voxels: int) -> float:
        """Return the bytes that a window takes beside the network's own."""
        maps = (self.features + self.queries) * voxels
        told = MOST_TOKENS * (MOST_TOKENS + PER_TOKEN)
        looked = self.blocks * MOST_TOKENS * (PER_LOOK + PER_PAIR * self.queries)
        return float(FLOAT * (maps + told + looked))

    def _tokens(self, dim: int, voxels: Sequence[int]) -> list[int]:
        """Return how many voxels of each resolution are looked at, coarsest first."""
        coarse = [count for count in voxels if count < voxels[0]] or [voxels[0]]
        found = []
        for count in reversed(coarse):
            while count > MOST_TOKENS:
                count //= 2**dim
            found.append(count)
        return found


def _own(dim: int) -> int:
    """Return how many numbers say where an object is, its ellipse, and how much."""
    return dim + dim * (dim + 1) // 2 + 1


class Levels(Protocol):
    """What is asked of a `planners.memory.graph.Graph`."""

    dim: int
    voxels: list[int]


class Readings(tuple[Reading, ...]):
    """All heads of a task that are read, and what they take together."""

    __slots__ = ()

    @classmethod
    def of(cls, heads: Sequence[LossCost]) -> Readings:
        """Return those of the heads that a reader makes the outputs of."""
        return cls(
            Reading(features=head.channels, options=head.reader.options)
            for head in heads
            if head.reader is not None
        )

    def parameters(self, dim: int) -> int:
        """Return how many numbers readers learn, for so many axes."""
        return sum(one.parameters(dim) for one in self)

    def kept(self, graph: Levels, levels: Sequence[int]) -> float:
        """Return the bytes kept of a sample; see `Reading.kept`."""
        voxels = [graph.voxels[level] for level in levels]
        return sum(one.kept(graph.dim, voxels) for one in self)

    def loss(self, graph: Levels, levels: Sequence[int]) -> float:
        """Return the bytes of a sample's losses; see `Reading.loss`."""
        voxels = [graph.voxels[level] for level in levels]
        return sum(one.loss(graph.dim, voxels) for one in self)

    def window(self, voxels: int) -> float:
        """Return the bytes that a window takes beside the network's own."""
        return sum(one.window(voxels) for one in self)
