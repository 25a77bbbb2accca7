"""Contract of the scripts in benchmarks/: they run where they are, long after writing.

No test runs them, since they take minutes to hours. What they take from the project
moves meanwhile, and a script that cannot be imported would be found on the day when
its figure is wanted.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path

from tests.each import each

FOLDER = Path(__file__).parents[2] / "benchmarks"
SCRIPTS = sorted(FOLDER.glob("*.py"))
OURS = ("autoseg", "planners", "tests")


def _imported(script: Path) -> Iterator[tuple[str, str]]:
    """Yield module and name of each ``from module import name``, in functions too."""
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield node.module, alias.name


def _names(script: Path) -> set[str]:
    """Return what a script defines at its top."""
    found: set[str] = set()
    for node in ast.parse(script.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            each = (inner for target in targets for inner in ast.walk(target))
            found |= {target.id for target in each if isinstance(target, ast.Name)}
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
    return found


def _is_there(module: str, name: str) -> bool:
    """Return whether a module of the project, or a script beside it, has a name."""
    if module.partition(".")[0] in OURS:
        found = importlib.import_module(module)
        return hasattr(found, name) or _submodule(module, name)
    beside = FOLDER / f"{module}.py"
    return not beside.is_file() or name in _names(beside)


def _submodule(module: str, name: str) -> bool:
    try:
        return importlib.util.find_spec(f"{module}.{name}") is not None
    except ModuleNotFoundError:
        return False


@each("script", SCRIPTS, ids=lambda script: script.stem)
def test_all_that_a_benchmark_imports_from_the_project_is_there(script):
    missing = [
        f"from {module} import {name}"
        for module, name in _imported(script)
        if not _is_there(module, name)
    ]
    assert not missing


def test_names_that_are_not_there_are_found(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from autoseg.workspace import Workspace, Nothing\n"
        "from networks import run, some\n"
        "def later():\n    from planners.setting import Setting, Never\n"
    )
    found = [(m, n) for m, n in _imported(script) if not _is_there(m, n)]
    assert found == [
        ("autoseg.workspace", "Nothing"),
        ("networks", "some"),
        ("planners.setting", "Never"),
    ]
