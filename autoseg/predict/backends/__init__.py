"""Plug-in folder: every public file is one way to compute a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoseg.registry import Registry

if TYPE_CHECKING:
    from autoseg.predict.backends.base import Backend

BACKENDS: Registry[type[Backend]] = Registry("backend", __name__)
