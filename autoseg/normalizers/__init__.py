"""Plug-in folder: every file without a leading underscore is one normalizer."""

from typing import Any

from autoseg.registry import Registry

NORMALIZERS: Registry[Any] = Registry("normalizer", __name__)
