"""Every command in README, docs and help can be typed as it stands there."""

import re
import shlex
from functools import cache
from pathlib import Path

from autoseg.cli.main import commands, load_command, make_parser
from tests.each import each

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCED = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(autoseg [^`\n]+)`")


@cache
def _parser(name):
    return make_parser(name, load_command(name))


def _typed(text):
    """Return the lines of a text that are commands, without remarks and pipes."""
    joined = re.sub(r"\\\n\s*", " ", text)
    found = []
    for line in joined.splitlines():
        line = re.sub(r"^\s*(\$ )?", "", line)
        if line.startswith("autoseg ") and "..." not in line and "[" not in line:
            line = re.sub(r"\s{2,}\S.*$|\s+[>|&] .*$", "", line)
            found.append(shlex.split(line, comments=True)[1:])
    return [words for words in found if words and words[0].isidentifier()]


def _known(words):
    """Return the options of a command line that do not exist."""
    options = _parser(words[0])._option_string_actions
    given = [w.partition("=")[0] for w in words[1:] if re.match(r"--?[a-z]", w)]
    return [word for word in given if word not in options]


@each("page", PAGES, ids=lambda page: page.stem)
def test_commands_of_a_page_can_be_typed(page):
    text = page.read_text(encoding="utf-8")
    wrong = []
    for words in (w for block in FENCED.findall(text) for w in _typed(block)):
        try:
            _parser(words[0]).parse_args(words[1:])
        except (SystemExit, Exception) as error:
            wrong.append((words, error))
    for line in INLINE.findall(FENCED.sub("", text)):
        for words in _typed(line):
            if words[0] in commands() and _known(words):
                wrong.append((words, _known(words)))

    assert wrong == []


@each("name", commands())
def test_examples_of_help_can_be_typed(name):
    lines = _typed(load_command(name).__doc__ or "")
    for words in lines:
        assert vars(_parser(words[0]).parse_args(words[1:]))
    assert all(words[0] in commands() for words in lines)
