"""Plug-in folder: every file without a leading underscore is one normalizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoseg.registry import Registry

if TYPE_CHECKING:
    from autoseg.normalizers.base import Normalizer

NORMALIZERS: Registry[type[Normalizer]] = Registry("normalizer", __name__)
