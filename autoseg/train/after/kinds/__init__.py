"""Plug-in folder: what follows a fold's training, one file for each kind."""

from autoseg.registry import Registry
from autoseg.train.after.kinds.base import AfterKind

AFTER_KINDS: Registry[type[AfterKind]] = Registry(
    "after_kind", __name__, besides=("confidence", "decoding", "tuning")
)
