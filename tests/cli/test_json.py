"""With --json a program reads one document from every command, whatever happens."""

import json

import pytest

from autoseg.cli import main as _main
from autoseg.cli.main import commands, load_command, main
from autoseg.errors import CaseErrors, PartDone, UsageError
from tests import toy

# Words with which a command fails, and nothing is made.
FAILING = {
    "compare": ["nothing", "here"],
    "demo": ["--folder", "a_file"],
    "doctor": ["--nothing"],
    "evaluate": ["-p", "nothing", "-d", "nothing"],
    "export": ["nothing", "2d", "-o", "m.zip"],
    "import_nnunet": ["nothing", "-o", "m.zip"],
    "init": ["nothing"],
    "merge": ["nothing", "here", "-o", "out"],
    "models": ["show", "nothing"],
    "next": ["nothing", "images", "-o", "out"],
    "predict": ["nothing", "2d", "-i", "in", "-o", "out"],
    "train": ["nothing", "2d", "0"],
}


@pytest.fixture
def command(monkeypatch):
    """Return a function that puts a command ``toy`` with a result in place."""
    import types

    def put(run):
        module = types.ModuleType("toy", "Play.")
        module.run, module.RESULT = run, "what comes"
        module.add_arguments = lambda parser: None
        monkeypatch.setattr(_main, "load_command", lambda name: module)

    return put


def _document(capsys):
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", commands())
def test_a_failure_is_a_document_of_every_command(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_file").write_text("")
    words = [name, *FAILING.get(name, ["nothing"]), "--json"]

    assert load_command(name).RESULT
    try:
        code = main(words)
    except SystemExit as error:  # of the parser
        code = error.code

    said = _document(capsys)["error"]
    assert code == said["exit_code"] and code in (1, 2)
    assert said["kind"] and said["message"]


def test_results_are_what_python_gives(tmp_path, capsys):
    folder = toy.volumes(tmp_path / "Toy", cases=2, test=0)
    where = [str(folder), "--root", str(tmp_path / "root"), "--json"]

    assert main(["fingerprint", *where]) == 0
    (measured,) = _document(capsys)
    assert main(["plan", *where]) == 0
    planned = _document(capsys)
    assert main(["preprocess", *where, "-c", "2d"]) == 0
    (prepared,) = _document(capsys)
    assert main(["slurm", *where]) == 0
    script = _document(capsys)["script"]
    assert main(["merge", str(folder), str(folder), "-o", "x", "--json"]) == 2
    assert "error" in _document(capsys)

    assert measured["num_cases"] == 2 and measured["dataset"] == "Toy"
    assert json.loads(open(planned["file"]).read()) == planned["plan"]
    assert prepared["dataset"] == str(folder)
    assert prepared["folder"] == str(tmp_path / "root" / "preprocessed" / "Toy")
    assert script.startswith("#!/usr/bin/env bash")


def test_cases_that_failed_are_named(command, capsys):
    def run(arguments):
        print("for people")
        raise CaseErrors("preprocess", {"one": UsageError("broken.")}, 3)

    command(run)

    assert main(["toy", "--json"]) == 1
    said = _document(capsys)["error"]
    assert said["failures"] == {"one": "broken."} and said["kind"] == "CaseErrors"


@pytest.mark.parametrize(
    ("raised", "code", "kind"),
    [(KeyboardInterrupt, 130, "Stopped"), (MemoryError, 1, "MemoryError")],
)
def test_what_nobody_asked_for_is_a_document_too(command, capsys, raised, code, kind):
    def run(arguments):
        raise raised

    command(run)

    assert main(["toy", "--json"]) == code
    assert _document(capsys)["error"]["kind"] == kind


def test_a_part_whose_result_another_makes_is_no_failure(command, capsys):
    def run(arguments):
        raise PartDone("part 0 of 2 is done.")

    command(run)

    assert main(["toy", "--json"]) == 0
    assert _document(capsys) == {"message": "part 0 of 2 is done."}


def test_numbers_that_json_lacks_are_spelled_out(command, capsys):
    def run(arguments):
        arguments.result = {"a": float("nan"), "b": (float("inf"), tmp)}

    from pathlib import Path

    tmp = Path("x")
    command(run)

    assert main(["toy", "--json"]) == 0
    assert _document(capsys) == {"a": None, "b": ["Infinity", "x"]}


def test_an_unknown_command_is_a_document(capsys):
    assert main(["trian", "--json"]) == 2
    assert "Did you mean 'train'?" in _document(capsys)["error"]["message"]
