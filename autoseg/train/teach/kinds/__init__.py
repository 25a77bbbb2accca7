"""Plug-in folder: what of a prediction is sure enough to learn from, by kind."""

from autoseg.registry import Registry
from autoseg.train.teach.kinds.base import TeachKind

TEACH_KINDS: Registry[type[TeachKind]] = Registry("teach_kind", __name__)
