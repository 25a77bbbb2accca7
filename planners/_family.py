"""A network and the size that it is planned for, as far as planning goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from autoseg.blueprints.declaration import Declaration
from autoseg.blueprints.drawing import Drawing
from autoseg.errors import UsageError
from autoseg.spec.choice import Choice
from planners._operations import narrowed
from planners.grids.topology import Topology
from planners.network import declared, is_declared

UNETS = ("plain_unet", "residual_unet")
FROM_PATCH = ("dim", "kernels", "strides", "patch")  # options that follow from it


def settable_options(network: str | None) -> dict[str, Any]:
    """Return what a user may set of a network, with its types.

    Parameters
    ----------
    network : str or None
        A declared network; None: one of those that planners plan by themselves.
    """
    names = UNETS if network is None else (network,)
    return {
        name: parameter.annotation
        for kind in map(declared, names)
        for name, parameter in kind.options().items()
        if name not in FROM_PATCH
    }


@dataclass(frozen=True, kw_only=True)
class Family:
    """A network and the size that it is planned for.

    Parameters
    ----------
    network : str
        A declared network, a file in ``autoseg/networks``.
    elements : mapping of int to float
        nnU-Net's reference number of feature map elements, for 2-D and 3-D.
    memory_gb : float
        The device memory that ``elements`` stands for, and the default budget.
    whole_batch : bool
        The estimate that decides about the patch is that of a batch of two, as a share
        of the reference batch (matters in 2-D only).
    cover : float
        Most of the data set's voxels that one batch may hold.
    fixed : mapping of str to JSON value
        Options of the network that the user set.
    other : str or None
        Another network, which is written in torch; its options are those of the U-Net,
        as far as it has them.
    unknown : str or None
        Why nobody knows what that one needs: grid, patch and batch are then those of
        the U-Net.
    divisors, least : tuple of int or None
        What each edge of its patch must be a multiple of, and at least, where that is
        not as in the U-Net.
    operations : float or None
        Multiplications and additions that a pass over a patch takes at most; None: any
        number.
    """

    network: str
    elements: Mapping[int, float]
    memory_gb: float
    whole_batch: bool
    cover: float
    fixed: Mapping[str, Any] = field(default_factory=dict)
    other: str | None = None
    unknown: str | None = None
    divisors: tuple[int, ...] | None = None
    least: tuple[int, ...] | None = None
    operations: float | None = None

    @property
    def declaration(self) -> type[Declaration]:
        """The network."""
        return declared(self.network)

    @property
    def most_stages(self) -> int | None:
        """How many stages there may be, None if any number."""
        if self.other is not None:
            return None
        return self.declaration.most_stages(self.fixed)

    def changed(self, network: str | None, options: Mapping[str, Any]) -> Family:
        """Return the family with another network or other options.

        Raises
        ------
        UsageError
            If the network has no such option.
        """
        if network is not None and not is_declared(network):
            return replace(self, fixed=dict(options), other=network)
        family = self if network is None else replace(self, network=network)
        known = family.declaration.options()
        for name in options:
            if name not in known:
                there = ", ".join(n for n in known if n not in FROM_PATCH)
                raise UsageError(
                    f"{family.network} has no network.{name}; leave it out. It has "
                    f"{there}."
                )
        return replace(family, fixed=dict(options))

    def choice(self, topology: Topology) -> Choice:
        """Return the network of a topology.

        Raises
        ------
        UsageError
            If another network lacks an option that it needs, or has no such option.
        """
        if self.other is None:
            return Choice(name=self.network, options=self.options(topology))
        # Here, because networks import torch, which planning a U-Net does without.
        from autoseg.networks.options import network_faults, options_like

        unet = replace(self, fixed={}, other=None).options(topology)
        options = options_like(self.other, unet, self.fixed)
        made = Choice(name=self.other, options=options)
        faults = network_faults(made)
        if faults:
            raise UsageError(f"--set network={self.other}: {'; '.join(faults)}.")
        return made

    def trained(self, topology: Topology) -> tuple[str, Mapping[str, Any]]:
        """Return name and options of the network whose bytes count."""
        if self.other is None or self.unknown is not None:
            return self.network, self.options(topology)
        chosen = self.choice(topology)
        return chosen.name, chosen.options

    def drawing(self, topology: Topology) -> Drawing:
        """Return the layers on a patch, for an image and a head of one channel."""
        return self.declaration.drawing(
            self.options(topology), topology.patch_size, 1, 1
        )

    def options(self, topology: Topology) -> dict[str, Any]:
        """Return the options of the network of a topology."""
        fixed = self.fixed if self.other is None else {}
        options = self.declaration.plan(topology, fixed)
        if self.operations is None or {"features", "narrow"} & {*fixed}:
            return options
        return narrowed(self.declaration, options, topology, self.operations)
