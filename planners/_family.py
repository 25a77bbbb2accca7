"""What the kinds of U-Net differ in, as far as planning goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from autoseg.errors import UsageError
from autoseg.spec.choice import Choice
from planners._topology import Topology

FEATURES = 32  # of the first stage; doubled with each stage
MOST_FEATURES = {2: 512, 3: 320}
CONVS = 2  # of a plain stage, on the way down and on the way up
BLOCKS = (1, 3, 4, 6)  # residual blocks of the first stages; then as the last
PER_STAGE = ("features", "convs_encoder", "blocks")
KNOWN = ("plain_unet", "residual_unet")  # networks that these rules are for


@dataclass(frozen=True, kw_only=True)
class Family:
    """One kind of U-Net and the size it is planned for.

    Parameters
    ----------
    residual : bool
        Residual blocks on the way down, one convolution on the way up.
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
        Another network, of which nobody knows what it needs: grid, patch and batch are
        those of the U-Net, and so are its options as far as it has them.
    """

    residual: bool
    elements: Mapping[int, float]
    memory_gb: float
    whole_batch: bool
    cover: float
    fixed: Mapping[str, Any] = field(default_factory=dict)
    other: str | None = None

    @property
    def network(self) -> str:
        """The U-Net that is counted with, a file in ``autoseg/networks``."""
        return "residual_unet" if self.residual else "plain_unet"

    @property
    def most_stages(self) -> int | None:
        """How many stages there may be, None if any number."""
        if self.other is not None:
            return None
        lengths = [len(self.fixed[key]) for key in PER_STAGE if key in self.fixed]
        if "convs_decoder" in self.fixed:
            lengths.append(len(self.fixed["convs_decoder"]) + 1)
        return min(lengths, default=None)

    def changed(self, network: str | None, options: Mapping[str, Any]) -> Family:
        """Return the family with another network or other options.

        Raises
        ------
        UsageError
            If the network has no such option.
        """
        if network is not None and network not in KNOWN:
            return replace(self, fixed=dict(options), other=network)
        residual = self.residual if network is None else network == "residual_unet"
        wrong = "convs_encoder" if residual else "blocks"
        if wrong in options:
            kind = "residual_unet" if residual else "plain_unet"
            raise UsageError(f"{kind} has no network.{wrong}; leave it out.")
        return replace(self, residual=residual, fixed=dict(options))

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

    def options(self, topology: Topology) -> dict[str, Any]:
        """Return the options of the network of a topology."""
        dim, stages = len(topology.patch_size), topology.stages
        options: dict[str, Any] = {
            "dim": dim,
            "features": [
                min(FEATURES * 2**stage, MOST_FEATURES[dim]) for stage in range(stages)
            ],
            "kernels": list(map(list, topology.kernels)),
            "strides": list(map(list, topology.strides)),
        }
        if self.residual:
            options["blocks"] = [
                BLOCKS[min(stage, len(BLOCKS) - 1)] for stage in range(stages)
            ]
            options["convs_decoder"] = [1] * (stages - 1)
        else:
            options["convs_encoder"] = [CONVS] * stages
            options["convs_decoder"] = [CONVS] * (stages - 1)
        for key, value in self.fixed.items() if self.other is None else ():
            if key == "head_stage":
                value = min(value, stages - 2)
                if value < 1:
                    continue
            if key in PER_STAGE:
                value = value[:stages]
            elif key == "convs_decoder":
                value = value[: stages - 1]
            options[key] = value
        return options
