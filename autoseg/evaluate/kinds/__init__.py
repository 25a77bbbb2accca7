"""Plug-in folder: how predictions are scored, one file for each kind of annotation."""

from autoseg.evaluate.kinds.base import EvaluateKind
from autoseg.registry import Registry

EVALUATE_KINDS: Registry[type[EvaluateKind]] = Registry("evaluate_kind", __name__)
