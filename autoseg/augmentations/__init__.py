"""Plug-in folder: every file without a leading underscore is one augmentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoseg.registry import Registry

if TYPE_CHECKING:
    from autoseg.augmentations.base import Augmentation

AUGMENTATIONS: Registry[type[Augmentation]] = Registry(
    "augmentation", __name__, besides=("pipeline",)
)
