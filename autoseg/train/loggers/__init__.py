"""Plug-in folder: every file without a leading underscore is one logger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoseg.registry import Registry

if TYPE_CHECKING:
    from autoseg.train.loggers.base import Logger

LOGGERS: Registry[type[Logger]] = Registry("logger", __name__)
