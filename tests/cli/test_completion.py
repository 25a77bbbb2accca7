"""Tab: what a shell is told of the commands."""

import shutil
import subprocess
import sys

import pytest

from autoseg.cli.main import commands, main


def _script(shell, capsys):
    assert main(["--print-completion", shell]) == 0
    return capsys.readouterr().out


def test_bash_completes_commands_options_and_choices(capsys, tmp_path):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash here")
    path = tmp_path / "autoseg.bash"
    path.write_text(_script("bash", capsys))

    def offered(*words):
        given = " ".join(f"'{w}'" for w in ("autoseg", *words))
        ask = (
            f"source {path}; COMP_WORDS=({given}); COMP_CWORD={len(words)}; "
            "_shtab_autoseg; printf '%s\\n' \"${COMPREPLY[@]}\""
        )
        done = subprocess.run([bash, "-c", ask], capture_output=True, text=True)
        assert not done.stderr
        return set(done.stdout.split())

    assert set(commands()) <= offered("")
    assert offered("plan_and_p") == {"plan_and_preprocess"}
    assert "--time-budget" in offered("train", "--time")
    assert offered("demo", "--task", "") == {"instance", "landmark", "semantic"}


def test_zsh_has_a_script_of_its_own(capsys):
    assert _script("zsh", capsys).startswith("#compdef autoseg")


def test_an_unknown_shell_is_answered_with_those_there_are(capsys):
    assert main(["--print-completion", "bahs"]) == 2

    assert "Did you mean 'bash'?" in capsys.readouterr().err


def test_without_its_package_the_extra_is_named(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)

    assert main(["--print-completion", "bash"]) == 2

    assert "autoseg[completion]" in capsys.readouterr().err
