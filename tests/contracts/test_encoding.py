"""Text is UTF-8 wherever autoseg runs: no file is opened in the locale's encoding."""

import ast
import os
import subprocess
import sys

from tests.contracts.sources import ROOT, SOURCES, name_of, nodes
from tests.each import each


def _opens_text(call: ast.Call) -> bool:
    """Return whether a call opens a file as text, as far as that can be seen."""
    function = call.func
    if isinstance(function, ast.Attribute) and function.attr in (
        "read_text",
        "write_text",
    ):
        # A text that is read with a text in the brackets states its encoding, or is a
        # file of a distribution, which importlib decodes.
        named = function.attr == "read_text" and bool(call.args)
        return not named
    mode = next((k.value for k in call.keywords if k.arg == "mode"), None)
    if isinstance(function, ast.Name) and function.id == "open":
        mode = mode or (call.args[1] if len(call.args) > 1 else ast.Constant("r"))
    elif isinstance(function, ast.Attribute) and function.attr in ("open", "fdopen"):
        places = call.args[1:] if function.attr == "fdopen" else call.args
        mode = places[0] if places else None
    else:
        return False
    said = mode.value if isinstance(mode, ast.Constant) else None
    return isinstance(said, str) and 0 < len(said) <= 2 and not set(said) - set("rwax+")


@each(
    "line, text",
    [
        ("path.read_text()", True),
        ("path.write_text(words)", True),
        ("open(path)", True),
        ("open(path, 'w')", True),
        ("path.open('a')", True),
        ("os.fdopen(number, 'w')", True),
        ("path.open('rb')", False),
        ("path.read_text('utf-8')", False),
        ("distribution.read_text('top_level.txt')", False),
        ("open(path, mode='wb')", False),
        ("Image.open(path)", False),
        ("store.open(case)", False),
    ],
)
def test_calls_that_open_text_are_seen(line, text):
    assert _opens_text(ast.parse(line).body[0].value) is text


def test_every_text_file_has_a_stated_encoding():
    found = [
        f"{name_of(path)}:{node.lineno} {ast.unparse(node)[:60]}"
        for path in SOURCES
        for node in nodes(path)
        if isinstance(node, ast.Call)
        and _opens_text(node)
        and not any(keyword.arg == "encoding" for keyword in node.keywords)
    ]

    assert not found


SCRIPT = """
import locale, sys
from pathlib import Path
from autoseg.spec.json import dumps, load_object, write_text
assert locale.getpreferredencoding(False).upper() != "UTF-8"
path = Path(sys.argv[1])
write_text(path, dumps({"labels": {"f\\u00fcsse": 1, "\\u0141ydka": 2}}))
assert load_object(path)["labels"] == {"f\\u00fcsse": 1, "\\u0141ydka": 2}
"""


def test_json_is_the_same_where_the_locale_knows_ascii_only(tmp_path):
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"}
    environment["PYTHONCOERCECLOCALE"] = "0"
    path = tmp_path / "labels.json"

    subprocess.run(
        [sys.executable, "-c", SCRIPT, path], env=environment, check=True, cwd=ROOT
    )

    assert "f\u00fcsse" in path.read_text(encoding="utf-8")
