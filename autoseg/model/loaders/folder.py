"""The folder that `autoseg train` makes: ``results/DATASET/PLAN/CONFIGURATION``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autoseg.errors import ModelError
from autoseg.model.chosen import only_configuration
from autoseg.model.fields import collect
from autoseg.model.loaders import LOADERS
from autoseg.model.loaders.base import Loader
from autoseg.model.model import Model
from autoseg.model.trained import TrainedFolder
from autoseg.workspace import MODEL_PLAN


@LOADERS.register
class FolderLoader(Loader):
    """Read the folder of a configuration, or one of those in the folder of a plan."""

    reads = f"a folder with {MODEL_PLAN} and folds"

    def is_mine(self, path: Path) -> bool:
        return path.is_dir() and bool(_models(path))

    def load(
        self,
        path: Path,
        *,
        configuration: str | None = None,
        folds: Sequence[str | int] | None = None,
        checkpoint: str = "final",
    ) -> Model:
        inside = _models(path)
        if path not in inside:
            named = [p for p in inside if p.name == configuration]
            if not named:
                wanted = f" of {configuration!r}" if configuration else ""
                raise ModelError(
                    f"{path} is no model{wanted}; it holds several or others. Choose "
                    f"with -c. Models in it: {', '.join(map(str, inside))}."
                )
            path = named[0]
        found = collect(TrainedFolder.find(path, folds, checkpoint))
        return only_configuration(found, configuration)


def _models(path: Path) -> list[Path]:
    """Return the folders of models: this one, or those in it."""
    if (path / MODEL_PLAN).is_file():
        return [path]
    return sorted(plan.parent for plan in path.glob(f"*/{MODEL_PLAN}"))
