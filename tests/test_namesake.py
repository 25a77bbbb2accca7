"""Another package with one of our names is named, not reported as a bug of ours."""

import subprocess
import sys
from pathlib import Path

import pytest

import autoseg
from autoseg.namesake import namesake

ROOT = Path(autoseg.__file__).parents[1]


@pytest.fixture
def other(tmp_path):
    """A folder with somebody else's package called planners, as pip leaves it."""
    (tmp_path / "planners").mkdir()
    (tmp_path / "planners" / "__init__.py").write_text("to_do = ['groceries']\n")
    info = tmp_path / "planners-0.13.4.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: planners\nVersion: 0.13.4\n")
    (info / "top_level.txt").write_text("planners\n")
    return tmp_path


def _run(code, first):
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {[*first]}; {code}"],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_command_says_whose_package_hides_ours_in_one_sentence(other):
    code = "from autoseg.cli.main import main; sys.exit(main(['plan', 'DATASET']))"

    done = _run(code, [str(other), str(ROOT)])

    assert done.returncode == 2
    assert "another package called 'planners' (of planners 0.13.4)" in done.stderr
    assert str(other / "planners") in done.stderr
    assert "Traceback" not in done.stderr


def test_a_script_is_told_the_same(other):
    done = _run("import autoseg; autoseg.plan", [str(other), str(ROOT)])

    assert "another package called 'planners' (of planners 0.13.4)" in done.stderr


def test_other_failures_to_import_are_not_put_on_a_namesake():
    import planners

    broken = ImportError("cannot import name 'x' from 'planners'", name="planners")
    missing = ImportError("No module named 'gone'", name="gone")

    assert hasattr(planners, "PLANNERS")
    assert namesake(broken) is None
    assert namesake(missing) is None
