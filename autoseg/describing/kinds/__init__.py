"""Plug-in folder: what dataset.json says of annotations, one file for each kind."""

from autoseg.describing.kinds.base import DescribeKind
from autoseg.registry import Registry

DESCRIBE_KINDS: Registry[type[DescribeKind]] = Registry("describe_kind", __name__)
