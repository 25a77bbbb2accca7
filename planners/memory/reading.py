"""Memory of what reads a network's features: queries and regions.

Counted is what autograd keeps, as for layers: the features with where they are, once
for each resolution that masks are made in; of each voxel that tells of a mask, what is
known of it and its mask; of each that is looked at, keys, values and places; and of
each object that is matched, its mask's loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
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
POINTS = {2: 24, 3: 10}  # of an object along each axis: `autoseg.losses._told`
PER_POINT = 57  # numbers kept of one: eight masks that are compared
ROOM = 1.5  # maps for each object, as representations are configured
PER_TOLD = 400  # voxels for each object that voxels tell of, where it is crowded
PER_COMPARED = 60_000  # numbers kept of such an object: eight masks at its points
REGION = 32  # channels of a region: `autoseg.networks._regions`


class Reader(Protocol):
    """What makes the outputs of a head of the network's features."""

    def parameters(self, dim: int) -> int:
        """Return how many numbers it learns, for so many axes."""

    def kept(self, dim: int, voxels: Sequence[int]) -> float:
        """Return the bytes that it keeps of a sample for the backward pass.

        Parameters
        ----------
        dim : int
            Number of spatial axes.
        voxels : sequence of int
            Of each of the network's resolutions, finest first.
        """

    def loss(self, dim: int, voxels: Sequence[int]) -> float:
        """Return the bytes of outputs, and of comparing a sample's."""

    def window(self, voxels: int) -> float:
        """Return the bytes that a window takes beside the network's own."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Queries; or locations, which are queries without a round.

    Parameters
    ----------
    features : int
        Channels that the network gives.
    options : mapping
        Of the reader: ``queries``, ``blocks`` and ``fine``, or ``locations``.
    """

    features: int
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def queries(self) -> int:
        """How many there are."""
        return int(self.options.get("queries", self.options.get("locations", 0)))

    @property
    def blocks(self) -> int:
        """Rounds."""
        return int(self.options.get("blocks", 0))

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
        outputs = self.queries * finest
        gradient = self.queries * voxels[0]
        saved = finest * (PER_OBJECT * objects + self.queries)
        if self.options.get("fine"):
            answer = self.features + _own(dim) + 1
            outputs += answer * (2 * told + voxels[0])
            saved += 2 * answer * told
            saved += PER_POINT * POINTS[dim] ** dim * min(objects, told)
        else:
            outputs += told**2
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


@dataclass(frozen=True, kw_only=True)
class Regions:
    """Regions about boxes, and the masks in them.

    Parameters
    ----------
    features : int
        Channels that the network gives.
    options : mapping
        Of the reader: ``regions`` and ``edge``.
    """

    features: int
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def regions(self) -> int:
        """How many there are."""
        return int(self.options["regions"])

    def parameters(self, dim: int) -> int:
        """Return how many numbers it learns, for so many axes."""
        taps: int = 3**dim
        first = (self.features * taps + 1) * REGION
        second = (REGION * taps + 1) * REGION
        return first + second + (self.features + 1) * REGION + REGION + 1

    def kept(self, dim: int, voxels: Sequence[int]) -> float:
        """Return the bytes that it keeps of a sample; see `Reader`."""
        points: int = int(self.options["edge"]) ** dim
        seen = points * (self.features + dim + 2 * REGION + 1)
        return FLOAT * self.regions * (seen + dim * voxels[0] + self.features)

    def loss(self, dim: int, voxels: Sequence[int]) -> float:
        """Return the bytes of outputs, and of comparing a sample's."""
        objects = math.ceil(self.regions / ROOM)
        each = 3 * self.regions + PER_OBJECT * objects  # output, its gradient, a copy
        return float(FLOAT * voxels[0] * each)

    def window(self, voxels: int) -> float:
        """Return the bytes that a window takes beside the network's own."""
        alike = 8 * MOST_TOKENS**2  # pairs of boxes: corners, and what they share
        return float(FLOAT * (4 * self.regions * voxels + alike))


@dataclass(frozen=True, kw_only=True)
class Tellers:
    """Voxels that tell of their objects.

    Parameters
    ----------
    features : int
        Channels that the network gives.
    options : mapping
        Of the reader: ``told`` and ``maps``.
    """

    features: int
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def outputs(self) -> int:
        """Channels of the outputs."""
        return 1 + int(self.options["told"]) + int(self.options.get("maps", 0))

    def parameters(self, dim: int) -> int:
        """Return how many numbers it learns, for so many axes."""
        told = int(self.options["told"])
        fine = (self.features + 1) * (self.outputs - told)
        into = (self.features + 1) * WIDTH + 2 * WIDTH
        return fine + into + (WIDTH + 1) * WIDTH + (WIDTH + 1) * told

    def kept(self, dim: int, voxels: Sequence[int]) -> float:
        """Return the bytes that it keeps of a sample; see `Reader`."""
        coarse = [count for count in voxels if count < voxels[0]] or [voxels[0]]
        count = coarse[0]
        while count > MOST_TOKENS:
            count //= 2**dim
        grown = sum(other != count for other in coarse)
        return float(FLOAT * count * (3 * WIDTH + 2 + grown * self.features))

    def loss(self, dim: int, voxels: Sequence[int]) -> float:
        """Return the bytes of outputs, and of comparing a sample's."""
        objects = math.ceil(voxels[0] / PER_TOLD)
        return float(FLOAT * (3 * self.outputs * voxels[0] + objects * PER_COMPARED))

    def window(self, voxels: int) -> float:
        """Return the bytes that a window takes beside the network's own."""
        return float(FLOAT * (2 * self.outputs * voxels + MOST_TOKENS * 4 * WIDTH))


KINDS: Mapping[str, Callable[..., Reader]] = {
    "queries": Reading,
    "locations": Reading,
    "regions": Regions,
    "tellers": Tellers,
}
"""By the name of the reader, as `autoseg.networks._reading` has them."""


def _own(dim: int) -> int:
    """Return how many numbers say where an object is, its ellipse, and how much."""
    return dim + dim * (dim + 1) // 2 + 1


class Levels(Protocol):
    """What is asked of a `planners.memory.graph.Graph`."""

    dim: int
    voxels: list[int]


class Readings(tuple[Reader, ...]):
    """All heads of a task that are read, and what they take together."""

    __slots__ = ()

    @classmethod
    def of(cls, heads: Sequence[LossCost]) -> Readings:
        """Return those of the heads that a reader makes the outputs of."""
        return cls(
            KINDS[head.reader.name](features=head.channels, options=head.reader.options)
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
