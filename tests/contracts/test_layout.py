"""Rules about the tree itself."""

import ast
import configparser
import warnings
from collections import Counter
from pathlib import Path

import pytest

from autoseg.augmentations import AUGMENTATIONS
from autoseg.cli import COMMANDS
from autoseg.datasets.kinds import DATASET_KINDS
from autoseg.evaluate.kinds import EVALUATE_KINDS
from autoseg.find_best.kinds import FIND_BEST_KINDS
from autoseg.fingerprint.check.kinds import CHECK_KINDS
from autoseg.formats import FORMATS
from autoseg.instancefiles.readers import INSTANCEFILES
from autoseg.losses import LOSSES
from autoseg.model.loaders import LOADERS
from autoseg.networks import NETWORKS
from autoseg.normalizers import NORMALIZERS
from autoseg.pointfiles import POINTFILES
from autoseg.predict.backends import BACKENDS
from autoseg.predict.readouts import READOUTS
from autoseg.report.kinds import REPORT_KINDS
from autoseg.representations import REPRESENTATIONS
from autoseg.tasks import TASKS
from autoseg.train.after.kinds import AFTER_KINDS
from autoseg.train.loggers import LOGGERS
from autoseg.train.teach.kinds import TEACH_KINDS
from planners import PLANNERS
from tests.contracts.sources import ROOT, SOURCES, name_of, nodes, tree

REGISTRIES = (
    AFTER_KINDS,
    AUGMENTATIONS,
    BACKENDS,
    CHECK_KINDS,
    COMMANDS,
    DATASET_KINDS,
    EVALUATE_KINDS,
    FIND_BEST_KINDS,
    FORMATS,
    LOADERS,
    LOGGERS,
    INSTANCEFILES,
    LOSSES,
    NETWORKS,
    NORMALIZERS,
    PLANNERS,
    POINTFILES,
    READOUTS,
    REPORT_KINDS,
    REPRESENTATIONS,
    TASKS,
    TEACH_KINDS,
)
PLUGINS = [(registry, name) for registry in REGISTRIES for name in registry.names()]
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))


def _files(registry, name: str) -> list[Path]:
    """Return the files of a plug-in: one, or those of its folder."""
    place = ROOT / registry.package.replace(".", "/") / name
    return sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]


def test_each_plugin_has_a_test_of_its_own():
    lacking = []
    for registry, name in PLUGINS:
        folder = registry.package.removeprefix("autoseg.").replace(".", "/")
        test = ROOT / "tests" / folder / f"test_{name}.py"
        if not test.is_file():
            lacking.append(name_of(test))

    assert PLUGINS and not lacking, "\n".join(lacking)


def test_each_plugin_stands_alone():
    leaning = []
    for registry, name in PLUGINS:
        siblings = {f"{registry.package}.{other}" for other in registry.names()}
        siblings -= {f"{registry.package}.{name}"}
        leaning += [
            f"{name_of(path)} imports {node.module}"
            for path in _files(registry, name)
            for node in nodes(path)
            if isinstance(node, ast.ImportFrom) and node.module
            if any(f"{node.module}.".startswith(f"{one}.") for one in siblings)
        ]

    assert PLUGINS and not leaning, "\n".join(leaning)


def test_each_module_says_what_it_is():
    assert not [name_of(path) for path in SOURCES if not ast.get_docstring(tree(path))]


def _functions(path: Path):
    for node in nodes(path):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def _lines_of_code(function) -> int:
    docstring = ast.get_docstring(function, clean=False) or ""
    return function.end_lineno - function.lineno + 1 - len(docstring.splitlines())


def test_no_function_is_longer_than_sixty_lines():
    assert not [
        f"{name_of(path)}:{node.lineno} {node.name}"
        for path in SOURCES
        for node in _functions(path)
        if _lines_of_code(node) > 60
    ]


LENGTH = 350  # lines: a file that is longer has mostly two ideas in it
MOST_LONG_FILES = 5
MOST_FILES = 15  # in a folder, plug-ins and __init__.py not counted


def _long_files(lines: int) -> dict[str, int]:
    counts = {name_of(path): path.read_text().count("\n") for path in SOURCES}
    return {name: count for name, count in counts.items() if count > lines}


def test_few_files_are_long():
    found = _long_files(LENGTH)

    assert len(found) <= MOST_LONG_FILES, found


@pytest.mark.filterwarnings("default")
def test_files_over_four_hundred_lines_are_told_of():
    found = _long_files(400)
    if found:
        warnings.warn(f"very long files: {found}", stacklevel=1)

    assert set(found) <= set(_long_files(LENGTH))


def test_no_folder_is_full():
    plugins = {file for plugin in PLUGINS for file in _files(*plugin)}
    counts = Counter(
        name_of(path.parent)
        for path in SOURCES
        if path.name != "__init__.py" and path not in plugins
    )

    full = {name for name, count in counts.items() if count > MOST_FILES}
    assert not full


def _private(module: str) -> str | None:
    """Return the package that a module with an underscore belongs to, or None."""
    parts = module.split(".")
    for place, part in enumerate(parts):
        if part.startswith("_") and not part.startswith("__"):
            file = ROOT.joinpath(*parts[: place + 1])
            if file.is_dir() or file.with_suffix(".py").is_file():
                return ".".join(parts[:place])
    return None


def test_nobody_imports_a_private_module_of_another_package():
    found = []
    for path in SOURCES:
        package = name_of(path.parent).replace("/", ".")
        for node in nodes(path):
            if not isinstance(node, ast.ImportFrom) or node.module is None:
                continue
            for module in (f"{node.module}.{alias.name}" for alias in node.names):
                home = _private(module)
                if home and not f"{package}.".startswith(f"{home}."):
                    found.append(f"{name_of(path)} imports {module}")

    assert not found


# Each names what it imports by what a user or a folder says, never a fixed module; the
# nest of workers imports ahead what the work that comes will import by itself.
BY_STRING = {
    "autoseg/__init__.py",
    "autoseg/_stage.py",
    "autoseg/cli/_demos.py",
    "autoseg/executors/nest.py",
    "autoseg/registry.py",
}


def test_only_what_finds_plugins_imports_by_a_string():
    found = {
        name_of(path)
        for path in SOURCES
        for node in nodes(path)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] in ("import_module", "__import__")
    }

    assert found == BY_STRING


def test_what_is_no_module_is_packed_too():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    packed = {
        file
        for package, patterns in setup["options.package_data"].items()
        for pattern in patterns.split()
        for file in ROOT.joinpath(*package.split(".")).glob(pattern)
    }
    there = {
        path
        for package in ("autoseg", "planners")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }

    assert ROOT / "autoseg" / "report" / "page" / "templates" / "report.html" in there
    assert sorted(map(name_of, there - packed)) == []


def test_users_never_meet_an_assertion():
    assert not [
        f"{name_of(path)}:{node.lineno}"
        for path in SOURCES
        for node in nodes(path)
        if isinstance(node, ast.Assert)
    ]


def test_every_test_can_fail():
    def checks(function) -> bool:
        words = ast.dump(function)
        return any(isinstance(node, ast.Assert) for node in ast.walk(function)) or any(
            word in words for word in ("assert", "raises", "warns")
        )

    assert not [
        f"{name_of(path)}:{node.lineno} {node.name}"
        for path in TESTS
        for node in _functions(path)
        if node.name.startswith("test") and not checks(node)
    ]


UNSAFE = ("pickle", "marshal", "shelve", "dill")


def test_no_pickle_and_no_code_from_a_file():
    found = []
    for path in SOURCES:
        for node in nodes(path):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
                found += [f"{name_of(path)} imports {n}" for n in names if n in UNSAFE]
            if isinstance(node, ast.ImportFrom) and node.module in UNSAFE:
                found.append(f"{name_of(path)} imports from {node.module}")
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                if name in ("eval", "exec", "os.system"):
                    found.append(f"{name_of(path)}:{node.lineno} calls {name}")
                keywords = {k.arg: ast.unparse(k.value) for k in node.keywords}
                if name == "torch.load" and keywords.get("weights_only") != "True":
                    found.append(f"{name_of(path)}:{node.lineno} loads unsafely")
                if keywords.get("allow_pickle") == "True":
                    found.append(f"{name_of(path)}:{node.lineno} allows pickles")

    assert not found


def test_tensors_are_written_by_torch_not_by_numpy():
    """NumPy's writer of safetensors scrambles arrays that are not in C order."""
    assert not [
        name_of(path) for path in SOURCES if "safetensors.numpy" in path.read_text()
    ]
