"""Which kind of annotation there is, only tasks and the files of kinds ask.

A stage that differs by kind has one file for each in a folder ``kinds`` (prediction:
``readouts``) and looks it up by `Task.kind`. Everything else asks the task, the
annotation or that file for what it needs. So a new kind is one file in each of these
folders, and nothing else is edited.
"""

import ast
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from autoseg.tasks import TASKS
from tests.contracts.sources import ROOT, SOURCES, name_of, nodes
from tests.each import each

KINDS = {"labels", "instances", "points"}
TASK_NAMES = set(TASKS.names())
TYPES = {
    "Instances",
    "Points",
    "LandmarkTask",
    "InstanceTask",
    "SemanticTask",
    "PointLoss",
}
MAY_ASK = (
    "autoseg/tasks/",
    "autoseg/spec/",
    "autoseg/cli/_demos.py",  # one demo for each task, under its name
)
FOLDERS_OF_KINDS = ("kinds", "readouts")


def _may_ask(path: Path) -> bool:
    folders = path.relative_to(ROOT).parent.parts
    of_a_kind = bool(set(folders) & set(FOLDERS_OF_KINDS))
    return of_a_kind or name_of(path).startswith(MAY_ASK)


def _texts(node: ast.AST) -> set[str]:
    """Return the strings of a constant, or of a literal tuple, list or set."""
    parts = node.elts if isinstance(node, (ast.Tuple, ast.List, ast.Set)) else [node]
    return {
        part.value
        for part in parts
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    }


def _last(node: ast.AST) -> str:
    """Return the last word of ``a.b.c`` or of ``c``; empty for anything else."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _compared(node: ast.Compare) -> str | None:
    """Return what a comparison asks about the kind of a task, or None."""
    sides = [node.left, *node.comparators]
    words, texts = {_last(side) for side in sides}, set().union(*map(_texts, sides))
    if words & {"kind"} and texts & KINDS:
        return "compares a kind"
    if words & {"task", "name"} and texts & TASK_NAMES:
        return "compares the name of a task"
    by_none = any(isinstance(op, (ast.Is, ast.IsNot)) for op in node.ops)
    if by_none and words & {"decode_margin", "pointwise"}:
        return "tells a kind by what it lacks"
    return None


def _called(node: ast.Call) -> str | None:
    name = _last(node.func)
    if name == "isinstance" and len(node.args) == 2:
        if any(_last(part) in TYPES for part in ast.walk(node.args[1])):
            return "asks for the type of an annotation, task or loss"
    if name in ("getattr", "hasattr") and node.args:
        if _last(node.args[0]).endswith("task"):
            return "looks for what a task may lack"
    return None


def _imported(node: ast.AST) -> str | None:
    modules = []
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
        modules = [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
    for module in modules:
        if module.startswith("autoseg.tasks.") and module.split(".")[2] in TASK_NAMES:
            return "imports a task"
    return None


def questions(module: Iterable[ast.AST]) -> list[str]:
    """Return what the nodes of a module ask about kinds, each with its line."""
    found = []
    for node in module:
        said = None
        if isinstance(node, ast.Compare):
            said = _compared(node)
        elif isinstance(node, ast.Call):
            said = _called(node)
        elif isinstance(node, ast.Dict):
            keys = set().union(*(_texts(key) for key in node.keys if key is not None))
            if len(keys & TASK_NAMES) > 1 or len(keys & KINDS) > 1:
                said = "has a dictionary by kind or task"
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            said = _imported(node)
        elif _last(node) == "annotation_kind":
            said = "asks for annotation_kind"
        if said:
            found.append(f"line {node.lineno} {said}")
    return found


@each(
    "text",
    [
        "x = task.kind == 'points'",
        "x = 'labels' != self.task.kind",
        "x = kind in ('labels', 'instances')",
        "x = dataset.task == 'semantic'",
        "x = choice.name in {'instance', 'landmark'}",
        "x = task.decode_margin is not None",
        "x = self.task.pointwise is None",
        "x = isinstance(annotation, Points | Instances)",
        "x = isinstance(annotation, (np.ndarray, points.Points))",
        "x = isinstance(task, LandmarkTask)",
        "x = getattr(job.task, 'classes', ())",
        "x = hasattr(task, 'members')",
        "x = {'semantic': 1, 'landmark': 2}[dataset.task]",
        "from autoseg.tasks.landmark import LandmarkTask",
        "from autoseg.tasks import semantic",
        "import autoseg.tasks.instance.decoding",
        "x = task.annotation_kind",
    ],
)
def test_a_question_is_seen(text):
    assert len(questions(ast.walk(ast.parse(text)))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "x = READOUTS[task.kind](model)",
        "x = op.kind == 'pool'",
        "x = graph.norm == 'instance'",
        "x = point.name == name",
        "x = folder / 'points' == place",
        "x = {'labels': labels, 'image': image}",
        "from autoseg.tasks.base import Task",
        "x = task.classes if task.learns_points else ()",
        "x = isinstance(entry, str)",
        "x = hasattr(torch, 'accelerator')",
    ],
)
def test_other_words_are_no_questions(text):
    assert questions(ast.walk(ast.parse(text))) == []


def test_nobody_else_asks_for_the_kind_of_a_task():
    asking = {
        name_of(path): questions(nodes(path)) for path in SOURCES if not _may_ask(path)
    }
    asking = {name: found for name, found in asking.items() if found}

    assert asking == {}


def test_pages_do_not_ask_either():
    templates = sorted((ROOT / "autoseg").rglob("templates/*.html"))
    asking = [
        f"{name_of(path)}: {found[0]}"
        for path in templates
        for found in re.finditer(r"\btask\b *(==|!=|in ).*", path.read_text())
    ]

    assert templates
    assert asking == []


def test_each_folder_of_kinds_has_the_same_files():
    folders = [
        path.parent
        for name in FOLDERS_OF_KINDS
        for path in (ROOT / "autoseg").rglob(f"{name}/base.py")
    ]
    lacking = {
        name_of(folder): sorted(KINDS - {path.stem for path in folder.glob("*.py")})
        for folder in folders
    }

    assert len(folders) >= 4
    assert not {name: kinds for name, kinds in lacking.items() if kinds}


def test_the_kinds_are_those_of_the_tasks():
    assert {TASKS[name].kind for name in TASKS.names()} == KINDS
