"""The notebook in docs runs as it stands there, from the first cell to the last."""

import json
from pathlib import Path

import numpy as np

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebook.ipynb"


def test_the_notebook_runs_and_its_last_values_are_tables(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    there: dict[str, object] = {}

    for number, text in enumerate(code):
        exec(compile(text, f"cell {number}", "exec"), there)

    assert list(there["problems"]) == []
    assert len(np.unique(there["found"])) == len(np.unique(there["picture"](0)[1]))
    for name in ("problems", "plan", "summary"):
        assert there[name]._repr_html_().count("<tr>") >= 1
    assert there["plan"].configurations["2d"]
    assert len(there["summary"].cases) == 5
    assert (tmp_path / "autoseg_notebook" / "results" / "Disks").is_dir()
