"""Plug-in folder: what `check` looks at in annotations, one file for each kind."""

from autoseg.fingerprint.check.kinds.base import CheckKind
from autoseg.registry import Registry

CHECK_KINDS: Registry[type[CheckKind]] = Registry("check_kind", __name__)
