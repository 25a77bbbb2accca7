"""Models that nnU-Net v2 trained, run as they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autoseg.model.loaders import LOADERS
from autoseg.model.loaders.base import Loader
from autoseg.model.loaders.nnunet.read import is_nnunet, load_nnunet
from autoseg.model.model import Model


@LOADERS.register
class NNUNetLoader(Loader):
    """Read a model folder, a results folder or an exported zip."""

    reads = "a model of nnU-Net v2"

    def is_mine(self, path: Path) -> bool:
        return is_nnunet(path)

    def load(
        self,
        path: Path,
        *,
        configuration: str | None = None,
        folds: Sequence[str | int] | None = None,
        checkpoint: str = "final",
    ) -> Model:
        return load_nnunet(
            path, configuration=configuration, folds=folds, checkpoint=checkpoint
        )
