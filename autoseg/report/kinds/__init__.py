"""Plug-in folder: what a report shows of annotations, one file for each kind."""

from autoseg.registry import Registry
from autoseg.report.kinds.base import ReportKind

REPORT_KINDS: Registry[type[ReportKind]] = Registry("report_kind", __name__)
