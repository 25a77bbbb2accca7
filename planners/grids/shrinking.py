"""How a patch gets smaller, as little as its network's strides allow each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from planners.grids.topology import Topology

TopologyOf = Callable[[Sequence[float]], Topology]


def shrinking(
    first: Topology, topology_of: TopologyOf, median: Sequence[float], least: int
) -> Iterator[Topology]:
    """Yield the topologies of smaller and smaller patches.

    Parameters
    ----------
    first : Topology
        Yielded first.
    topology_of : callable
        From a shape to the topology of a patch that is at least as large.
    median : sequence of float, length D
        Shape of the median case. The axis that is longest beside it gets shorter.
    least : int
        No edge gets shorter than that.

    Yields
    ------
    Topology
        Until no axis can get shorter.
    """
    topology: Topology | None = first
    while topology is not None:
        yield topology
        topology = _shrink(topology, topology_of, median, least)


def _shrink(
    topology: Topology, topology_of: TopologyOf, median: Sequence[float], least: int
) -> Topology | None:
    """Return the next smaller patch, None if there is none."""
    patch = topology.patch_size
    ratios = [edge / most for edge, most in zip(patch, median, strict=True)]
    # Of equally long axes the last one; one that is as short as can be, never.
    order = sorted(range(len(patch)), key=lambda a: (ratios[a], a), reverse=True)
    for axis in order:
        smaller = _shrink_axis(topology, topology_of, axis, least)
        if smaller is not None:
            return smaller
    return None


def _shrink_axis(
    topology: Topology, topology_of: TopologyOf, axis: int, least: int
) -> Topology | None:
    patch = topology.patch_size
    step = topology.divisors[axis]
    while patch[axis] - step > 0:
        # Shorter by one step, the axis may be halved less often: a smaller step does.
        trial = topology_of(_shorter(patch, axis, step))
        needed = trial.divisors[axis]
        smaller = trial
        if needed != step:
            smaller = topology_of(_shorter(patch, axis, needed))
        if smaller.patch_size[axis] < least:
            return None
        if smaller.patch_size[axis] < patch[axis]:
            return smaller
        step += topology.divisors[axis]
    return None


def _shorter(patch: Sequence[int], axis: int, step: int) -> tuple[int, ...]:
    return tuple(n - step if a == axis else n for a, n in enumerate(patch))
