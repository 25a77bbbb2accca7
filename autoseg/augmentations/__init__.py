"""Plug-in folder: every file without a leading underscore is one augmentation."""

from typing import Any

from autoseg.registry import Registry

AUGMENTATIONS: Registry[Any] = Registry("augmentation", __name__, besides=("pipeline",))
