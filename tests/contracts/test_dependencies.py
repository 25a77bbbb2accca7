"""What is installed is what is used, and what is used is installed."""

import ast
import configparser
import re
import sys
from importlib.metadata import PackageNotFoundError, distribution

from tests.contracts.sources import ROOT, SOURCES, nodes

OWN = {"autoseg", "planners"}
# Where an extra is not installed, and its module has another name.
UNINSTALLED = {"mlflow": ["mlflow-skinny"]}


def _config():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config


def _names(text):
    rows = [row for row in text.splitlines() if row.strip()]
    names = (re.split(r"[\s<>=!~\[;]", row.strip())[0].lower() for row in rows)
    return {name.replace("_", "-") for name in names}


def _imported():
    """Return the top-level modules that autoseg and planners import, type hints not."""
    found = set()
    for path in SOURCES:
        for node in nodes(path):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(str(node.module).partition(".")[0])
    return found - set(sys.stdlib_module_names) - OWN


def _modules(name):
    """Return the top-level modules of a distribution; none if it is not installed."""
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return set()
    declared = (found.read_text("top_level.txt") or "").split()
    files = found.files or [] if not declared else []
    return {*declared, *(file.parts[0].removesuffix(".py") for file in files)}


def _distributions(modules, named):
    """Return who of those named holds the modules; one of nobody is called like it.

    To ask every distribution that is installed takes seconds.
    """
    known = {module: [name] for module, [name] in UNINSTALLED.items()}
    for name in named:
        for module in _modules(name):
            known.setdefault(module, []).append(name)
    return {
        name
        for module in modules
        for name in known.get(module, [module.replace("_", "-")])
    }


def test_every_dependency_is_imported_by_the_product_and_nothing_else_is():
    config = _config()
    required = _names(config["options"]["install_requires"])
    extras = config["options.extras_require"]
    optional = {n for key in extras if key != "test" for n in _names(extras[key])}

    used = _distributions(_imported(), required | optional)

    assert required <= used
    assert used - required <= optional
