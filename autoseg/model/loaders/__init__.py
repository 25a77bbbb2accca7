"""Plug-in folder: every file without a leading underscore reads models of one kind."""

from autoseg.model.loaders.base import Loader
from autoseg.registry import Registry

LOADERS: Registry[type[Loader]] = Registry("loader", __name__)
