"""The files of the tree, each read and parsed once for all contracts about it."""

import ast
import functools
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for package in ("autoseg", "planners")
    for path in (ROOT / package).rglob("*.py")
)


def name_of(path: Path) -> str:
    """Return where a file is, from the root of the tree."""
    return path.relative_to(ROOT).as_posix()


@functools.cache
def tree(path: Path) -> ast.Module:
    """Return what a file says; nobody may change it."""
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return all nodes of a file, outer ones first."""
    return tuple(ast.walk(tree(path)))


def forget() -> None:
    """Give the memory back."""
    nodes.cache_clear()
    tree.cache_clear()
