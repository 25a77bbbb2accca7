"""What is installed is what is used, and what is used is installed."""

import ast
import configparser
import re
import sys
from importlib.metadata import packages_distributions

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
    return {re.split(r"[\s<>=!~\[;]", row.strip())[0].lower() for row in rows}


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


def _distributions(modules):
    known = {**UNINSTALLED, **packages_distributions()}
    return {d.lower().replace("_", "-") for m in modules for d in known.get(m, [m])}


def test_every_dependency_is_imported_by_the_product_and_nothing_else_is():
    config = _config()
    required = {
        n.replace("_", "-") for n in _names(config["options"]["install_requires"])
    }
    extras = config["options.extras_require"]
    optional = {n for key in extras if key != "test" for n in _names(extras[key])}

    used = _distributions(_imported())

    assert required <= used
    assert used - required <= {n.replace("_", "-") for n in optional}
