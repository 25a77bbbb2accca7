"""The report shows how a fold's outputs are read as instances."""

import json

from autoseg.report.stage import report
from tests.model.test_decoding import decoding
from tests.report import results_folder


def test_tuned_parameters_stand_in_the_report_with_what_they_gain(tmp_path):
    results_folder.prepare(tmp_path, folds=2, cases=2)
    fold = tmp_path / "results" / "Toy" / "unet" / "3d_fullres" / "fold_0"
    decoding().save(fold / "decoding.json")

    page = report("Toy", tmp_path)

    content = json.loads(page.with_suffix(".json").read_text())
    first, second = content["trained"][0]["folds"]
    assert second["decoding"] is None
    assert first["decoding"]["parameters"][1] == {
        "name": "core",
        "default": 0.5,
        "best": 0.6,
        "tried": [[0.5, 0.5], [0.6, 0.625]],
    }
    html = page.read_text()
    assert html.count("read as instances (border_core)") == 1
    assert "0.5: 0.500, 0.6: 0.625" in html
    assert "0.6000 on cases that had no say: the best are used." in html
