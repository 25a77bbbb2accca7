"""Encoders by name, which decoders are put on."""

from __future__ import annotations

from autoseg.blueprints.encoders.base import Encoder
from autoseg.blueprints.encoders.convnext import CONVNEXTS
from autoseg.blueprints.encoders.densenet import DENSENETS
from autoseg.blueprints.encoders.mit import MITS
from autoseg.blueprints.encoders.mobile import MOBILES
from autoseg.blueprints.encoders.resnet import RESNETS
from autoseg.blueprints.encoders.vgg import VGGS
from autoseg.errors import PlanError, did_you_mean

ENCODERS: dict[str, Encoder] = {
    **RESNETS,
    **VGGS,
    **DENSENETS,
    **MOBILES,
    **MITS,
    **CONVNEXTS,
}


def find_encoder(name: str) -> Encoder:
    """Return an encoder by its name.

    Raises
    ------
    PlanError
        If there is none of this name.
    """
    if name not in ENCODERS:
        raise PlanError(
            f"There is no encoder {name!r}.{did_you_mean(name, ENCODERS)} "
            f"There are {', '.join(sorted(ENCODERS))}."
        )
    return ENCODERS[name]
