"""What ``import autoseg`` offers, and that offering it costs nothing."""

import subprocess
import sys

import autoseg


def test_every_public_name_can_be_used():
    assert all(callable(getattr(autoseg, n)) for n in autoseg.__all__ if n[0] != "_")


def test_import_autoseg_imports_neither_torch_nor_numpy():
    code = "import sys, autoseg; print({'torch', 'numpy'} & set(sys.modules))"

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert out.stdout.strip() == "set()", out.stderr


def test_a_stage_is_called_like_its_function():
    from autoseg.evaluate import stage

    seen = []
    original, stage.evaluate = stage.evaluate, lambda *a, **k: seen.append((a, k))
    try:
        autoseg.evaluate("predictions", labels=[1])
    finally:
        stage.evaluate = original

    assert seen == [(("predictions",), {"labels": [1]})]
