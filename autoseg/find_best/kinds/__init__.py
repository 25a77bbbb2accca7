"""Plug-in folder: what is compared and tuned, one file for each kind of annotation."""

from autoseg.find_best.kinds.base import FindBestKind
from autoseg.registry import Registry

FIND_BEST_KINDS: Registry[type[FindBestKind]] = Registry("find_best_kind", __name__)
