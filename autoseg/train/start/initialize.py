"""Start from the weights of another model, as far as they fit.

Legend: C channels of the image, K channels of the heads.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from autoseg.errors import TrainingError
from autoseg.train.start.channels import (
    adapted,
    by_name,
    differs_in_inputs,
    like_kernel,
    rows_by_name,
)
from autoseg.train.start.encoder_weights import initialize_encoder, of_classification
from autoseg.train.start.origin import Origin, read_origin

logger = logging.getLogger(__name__)

IN_DECODER = re.compile(r"(decoder\.(?:stages|transpconvs|seg_layers)\.)(\d+)")


def read_weights(source: str | Path) -> dict[str, Tensor]:
    """Return the weights of a checkpoint or model; see `read_origin`."""
    return dict(read_origin(source).weights)


def hash_weights(weights: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of names and values, for the record of a run."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].float().numpy().tobytes())
    return digest.hexdigest()


def initialize(
    network: nn.Module,
    origin: Mapping[str, Tensor] | Origin,
    source: str,
    channels: Sequence[str] = (),
    outputs: Sequence[str] = (),
) -> dict[str, list[str]]:
    """Copy weights into a network, as far as they fit.

    Kernels for other image channels are taken by the names of these; a channel that
    the other network did not have gets the mean of all of theirs, and where no name is
    the same, the sum of the kernels is spread evenly. Of outputs, those of the same
    name are taken. Kernels that are 1 long along an axis, and 2-D ones, fit longer
    ones: `autoseg.train.start.channels.like_kernel`. Weights of an encoder alone go
    into the network's encoder, all or none.

    Parameters
    ----------
    network : Module
        Changed in place.
    origin : Origin, or mapping of str to Tensor
        Weights of another network.
    source : str
        Where they come from, for messages.
    channels, outputs : sequence of str
        What the network's image channels and outputs are called, if that is known.

    Returns
    -------
    dict of str to list of str
        Names of tensors: ``"copied"``, ``"adapted"``, and ``"new"`` for those that
        stay as they were made.

    Raises
    ------
    TrainingError
        If not half of the network's tensors fit: then it is another architecture.
    """
    found = origin if isinstance(origin, Origin) else Origin(origin)
    own = network.state_dict()
    weights = in_depth(found.weights, own)
    report: dict[str, list[str]] = {"copied": [], "adapted": [], "new": []}
    if not found.core and of_classification(weights):
        report = initialize_encoder(network, weights, source)
        _tell(report, source)
        return report
    fit = _Fit(found, tuple(channels), tuple(outputs), _first_kernel(own))
    with torch.no_grad():
        for name, tensor in own.items():
            given = weights.get(name)
            made = None if given is None else fit(name, given, tensor)
            if made is None:
                report["new"].append(name)
                continue
            tensor.copy_(made)
            report["copied" if made is given else "adapted"].append(name)
    _check_enough(report, found.core, source)
    _tell(report, source)
    return report


def _check_enough(report: Mapping[str, list[str]], core: str, source: str) -> None:
    """Raise TrainingError if less than half of what has to fit does."""
    taken = [*report["copied"], *report["adapted"]]
    fitting = sum(name.startswith(core) for name in taken)
    count = fitting + sum(name.startswith(core) for name in report["new"])
    if count and fitting >= count / 2:
        return
    what = f"the network's {core.strip('.')}" if core else "the network"
    way = "Use the plan of that model"
    if core:
        way = "nnssl's weights fit `--network residual_unet`, with its features"
    raise TrainingError(
        f"Only {fitting} of {count} tensors of {what} fit the weights of {source}: it "
        f"is another architecture. {way}, or leave out --init-from."
    )


def in_depth(
    weights: Mapping[str, Tensor], own: Mapping[str, Tensor]
) -> Mapping[str, Tensor]:
    """Return weights with the stages of a decoder counted as in another network.

    A decoder's stages are numbered from the deepest, and what two of different depth
    have in common are the finest.

    Parameters
    ----------
    weights, own : mapping of str to Tensor
        That there are, and that are wanted.
    """
    theirs, ours = _stages(weights), _stages(own)
    if not theirs or not ours or theirs == ours:
        return weights
    moved = {}
    for name, tensor in weights.items():
        part = IN_DECODER.match(name)
        if part is None:
            moved[name] = tensor
            continue
        stage = int(part[2]) + ours - theirs
        if stage >= 0:
            moved[f"{part[1]}{stage}{name[part.end() :]}"] = tensor
    return moved


def _stages(weights: Mapping[str, Tensor]) -> int:
    """Return how many stages a decoder has; 0: it has none that are numbered so."""
    found = (IN_DECODER.match(name) for name in weights)
    return max((int(part[2]) + 1 for part in found if part), default=0)


def _first_kernel(own: Mapping[str, Tensor]) -> str:
    """Return the name of the kernels that see the image."""
    return next((name for name, tensor in own.items() if tensor.dim() > 2), "")


@dataclass(frozen=True)
class _Fit:
    """Makes a tensor of another network's fit, or returns None."""

    origin: Origin
    channels: tuple[str, ...]
    outputs: tuple[str, ...]
    first: str

    def __call__(self, name: str, given: Tensor, wanted: Tensor) -> Tensor | None:
        theirs, ours = self.origin.outputs, self.outputs
        last = theirs and ours and _is_output(name)
        if last and len(given) == len(theirs) and len(wanted) == len(ours):
            if theirs != ours and given.shape[1:] == wanted.shape[1:]:
                made, taken = rows_by_name(given, wanted, theirs, ours)
                return made if taken else None
        image = self.origin.channels and self.channels and name == self.first
        if image and self.origin.channels != self.channels:
            if differs_in_inputs(given, wanted):
                return by_name(given, wanted, self.origin.channels, self.channels)
        if given.shape == wanted.shape:
            return given
        if differs_in_inputs(given, wanted) and name == self.first:
            return adapted(given, wanted)
        return like_kernel(given, wanted) if wanted.dim() > 2 else None


def _is_output(name: str) -> bool:
    return ".seg_layers." in name or "heads" in name


def _tell(report: Mapping[str, list[str]], source: str) -> None:
    logger.info(
        "From %s: %d tensors copied, %d adapted (image channels, classes or sizes of "
        "kernels), %d new%s.",
        source,
        len(report["copied"]),
        len(report["adapted"]),
        len(report["new"]),
        f" ({', '.join(report['new'][:4])}...)" if report["new"] else "",
    )
