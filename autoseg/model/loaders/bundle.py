"""One file that `autoseg export` and `find_best` write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autoseg.model.bundle import is_bundle, read_bundle
from autoseg.model.chosen import only_configuration, only_folds
from autoseg.model.loaders import LOADERS
from autoseg.model.loaders.base import Loader
from autoseg.model.model import Model


@LOADERS.register
class BundleLoader(Loader):
    """Read a bundle: all of its folds, or those that are asked for."""

    reads = "a bundle"

    def is_mine(self, path: Path) -> bool:
        return is_bundle(path)

    def load(
        self,
        path: Path,
        *,
        configuration: str | None = None,
        folds: Sequence[str | int] | None = None,
        checkpoint: str = "final",
    ) -> Model:
        model = only_configuration(read_bundle(path), configuration)
        return only_folds(model, folds)
