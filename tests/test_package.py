"""What is handed on is complete, and says the same everywhere."""

import configparser
import re
from pathlib import Path

import pytest

import autoseg

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def config():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config


def test_version_and_licence_are_the_same_in_every_file(config):
    citation = (ROOT / "CITATION.cff").read_text()
    pixi = (ROOT / "pixi.toml").read_text()

    assert config["metadata"]["version"] == autoseg.__version__
    assert f"version: {autoseg.__version__}\n" in citation
    assert f'version = "{autoseg.__version__}"' in pixi
    assert f"license: {config['metadata']['license']}\n" in citation
    assert "Apache License" in (ROOT / "LICENSE").read_text()[:200]


def test_every_page_of_the_documentation_is_in_the_sites_menu():
    menu = (ROOT / "mkdocs.yml").read_text()
    pages = {page.name for page in (ROOT / "docs").glob("*.md")}

    assert pages == set(re.findall(r"[\w-]+\.md", menu))


def test_every_extra_stands_on_the_page_about_installing(config):
    page = (ROOT / "docs" / "install.md").read_text()

    for extra in config["options.extras_require"]:
        assert f"| `{extra}` |" in page


def test_constraints_name_one_version_for_each_python_that_is_promised(config):
    promised = re.findall(r"Python :: (3\.\d+)", config["metadata"]["classifiers"])
    rows = (ROOT / "constraints.txt").read_text().split("\n")
    names = {re.split("==", row)[0] for row in rows if row}

    assert promised[0] == config["options"]["python_requires"].removeprefix(">=")
    for python in promised:
        minor = int(python.split(".")[1])
        for name in names:
            matching = [
                row
                for row in rows
                if row.startswith(f"{name}==")
                and ('>= "3.11"' not in row or minor >= 11)
                and ('< "3.11"' not in row or minor < 11)
            ]
            assert len(matching) == 1, (python, name)
