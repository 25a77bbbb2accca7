import json
import re

import numpy as np
import pytest

from autoseg.errors import PlanError, UsageError
from autoseg.report.page.curves import thinned
from autoseg.report.stage import report
from tests.report import browser, results_folder


def test_a_curve_is_thinned_to_evenly_spread_points_with_its_ends():
    places, values = thinned(np.arange(1001), np.arange(1001) * 2.0, 11)
    assert places.tolist() == list(range(0, 1001, 100))
    assert values.tolist() == [2.0 * place for place in places]
    assert thinned(np.arange(3), np.arange(3), 11)[0].tolist() == [0, 1, 2]
    assert len(thinned(np.empty(0), np.empty(0), 11)[0]) == 0


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A data set with two trained folds, and the page about it."""
    root = tmp_path_factory.mktemp("root")
    results_folder.prepare(root)
    page = report("Toy", root)
    return page, json.loads(page.with_suffix(".json").read_text())


def test_a_part_of_what_is_trained_has_a_page_of_its_own(written):
    page, whole = written
    root = page.parents[2]

    part = report("Toy", root, configuration="3d_fullres", fold=1, pictures=False)

    said = json.loads(part.with_suffix(".json").read_text())
    assert part.name == "report_3d_fullres_fold_1.html" and part.parent == page.parent
    (one,) = said["trained"]
    assert [fold["fold"] for fold in one["folds"]] == ["1"]
    assert {fold["fold"] for fold in whole["trained"][0]["folds"]} == {"0", "1"}
    for wrong, match in (
        ({"configuration": "3d_fulres"}, "Did you mean '3d_fullres'"),
        ({"configuration": "3d_fullres", "fold": 7}, "Fold 7 .* is not trained"),
        ({"fold": 1}, "Name the configuration"),
    ):
        with pytest.raises(UsageError, match=match):
            report("Toy", root, **wrong)


def test_the_page_needs_no_other_file(written):
    page, _ = written
    html = page.read_text()

    outside = re.findall(r'(?:src|href)="(?!data:|#)([^"]*)"', html)

    assert page.name == "report.html"
    assert outside == []
    assert "://" not in re.sub(r'"data:[^"]*"', "", html)


def test_the_numbers_are_those_of_data_and_results(written):
    _, content = written
    (trained,) = content["trained"]
    spacing = content["data"]["spacing"]["median"]

    assert content["data"]["training_cases"] == results_folder.CASES
    assert spacing == pytest.approx([2.0, 1.0, 0.75])
    assert content["plans"][0]["configurations"]["3d_fullres"]["patch_size"]
    assert content["plans"][0]["decisions"][0]["because"]
    assert trained["configuration"] == "3d_fullres"
    assert [fold["fold"] for fold in trained["folds"]] == ["0", "1"]
    assert trained["folds"][0]["waiting_for_loader"] == pytest.approx(0.05)
    assert trained["folds"][0]["seconds"] == 80.0


def test_every_case_counts_once_with_the_fold_that_had_not_seen_it(written):
    page, content = written
    (trained,) = content["trained"]

    folds = {row["case"]: row["fold"] for row in trained["cases"]}

    assert folds == {f"case_{i:02d}": str(i % 2) for i in range(results_folder.CASES)}
    assert f"Of {results_folder.CASES} cases only, these intervals" in page.read_text()
    assert trained["scores"]["cases"] == results_folder.CASES


def test_cases_stand_from_the_best_to_the_worst(written):
    _, content = written
    rows = content["trained"][0]["cases"]

    # Predictions are moved by as many voxels as the case's number.
    assert rows[0]["case"] == "case_00" and rows[0]["mean"] == 1.0
    means = [row["mean"] for row in rows]
    assert means == sorted(means, reverse=True) and means[-1] < 0.9


def test_best_median_and_worst_are_shown_with_all_classes_named(written):
    page, content = written
    html = page.read_text()
    rows = content["trained"][0]["cases"]

    for tag, row in (("best", rows[0]), ("worst", rows[-1])):
        assert f'alt="{tag} case {row["case"]}"' in html
    assert html.count('<img src="data:image/png;base64,') == 6  # and three examples


def test_it_opens_in_a_browser_without_an_error(written, tmp_path):
    from PIL import Image

    page, _ = written

    console = browser.picture(page, tmp_path / "page.png")

    assert console == []
    with Image.open(tmp_path / "page.png") as picture:
        assert np.asarray(picture).std() > 20


def test_it_is_dark_where_the_browser_is_and_fits_a_narrow_window(written, tmp_path):
    from PIL import Image

    page, _ = written

    bright = {}
    for dark in (False, True):
        path = tmp_path / f"{dark}.png"
        assert browser.picture(page, path, width=500, height=1500, dark=dark) == []
        with Image.open(path) as picture:
            bright[dark] = np.asarray(picture.convert("L"))[300:].mean()
    assert bright[True] < 70 < 180 < bright[False]

    # Whatever is wider than the window moves inside its own box.
    script = (
        "<script>document.title = String(document.documentElement.scrollWidth > "
        "innerWidth)</script></body>"
    )
    measured = tmp_path / "measured.html"
    measured.write_text(page.read_text().replace("</body>", script))
    dom, _ = browser.run(measured, "--dump-dom", "--window-size=500,900")
    assert "<title>false</title>" in dom


def test_a_click_on_a_heading_sorts_the_cases(written, tmp_path):
    page, content = written
    clicked = tmp_path / "clicked.html"
    # The same page with two clicks at its end: best first, then worst first.
    script = (
        '<script>const h = document.querySelectorAll("#cases-1 th")[3];'
        "h.click(); h.click();</script></body>"
    )
    clicked.write_text(page.read_text().replace("</body>", script))

    dom, said = browser.run(clicked, "--dump-dom")
    table = dom[dom.index('id="cases-1"') :]
    rows = re.findall(r'<tr data-kind="mean"><td>(\w+)</td>', table)

    best_first = [row["case"] for row in content["trained"][0]["cases"]]
    assert browser.console(said) == []
    assert rows == best_first


def test_before_training_the_page_is_about_data_and_plan(tmp_path):
    results_folder.prepare(tmp_path, folds=0, cases=2)

    page = report("Toy", tmp_path, pictures=False)

    content = json.loads(page.with_suffix(".json").read_text())
    assert content["trained"] == [] and content["plans"]
    assert "Best, median" not in page.read_text()


def test_without_a_fingerprint_it_says_what_to_run(tmp_path):
    from tests import toy

    toy.volumes(tmp_path / "raw" / "Toy", cases=2, test=0)

    with pytest.raises(PlanError, match="autoseg fingerprint"):
        report("Toy", tmp_path)


def test_what_went_wrong_is_listed(tmp_path):
    folder = results_folder.prepare(tmp_path, folds=1, cases=3)
    place = results_folder.write_fold(
        tmp_path, folder, "1", ["case_02"], worse=10
    )  # moved so far that nothing overlaps
    (place / "checkpoint_final.pt").unlink()

    page = report("Toy", tmp_path, pictures=False, output=tmp_path / "page.html")

    kinds = {
        (failure["kind"], failure["where"])
        for failure in json.loads(page.with_suffix(".json").read_text())["failures"]
    }
    assert ("training", "unet / 3d_fullres, fold 1") in kinds
    assert ("off", "case_02") in kinds
    assert page == tmp_path / "page.html"


def test_one_fold_of_a_cross_validation_is_not_told_as_all_of_it(tmp_path):
    results_folder.prepare(tmp_path, folds=1, cases=4)
    ids = [f"case_{number:02d}" for number in range(4)]
    splits = [{"train": [i for i in ids if i != out], "val": [out]} for out in ids]
    place = tmp_path / "preprocessed" / "Toy" / "splits.json"
    place.write_text(json.dumps(splits))

    page = report("Toy", tmp_path, pictures=False)

    html = page.read_text()
    content = json.loads(page.with_suffix(".json").read_text())
    assert content["trained"][0]["not_begun"] == ["1", "2", "3"]
    assert "1 of 4" in html and "1 of 1" not in html
    assert "every fold is trained" not in html
    assert "unet / 3d_fullres, fold 1, 2, 3" in {
        failure["where"] for failure in content["failures"]
    }


def test_names_from_a_data_set_cannot_become_part_of_the_page(tmp_path):
    label = "<script>alert(1)</script>"
    results_folder.prepare(
        tmp_path, folds=1, cases=2, labels={"background": 0, label: 1, "two": 2}
    )

    html = report("Toy", tmp_path, pictures=False).read_text()

    assert label not in html and "&lt;script&gt;alert(1)" in html


def test_predictions_without_annotation_have_volumes_and_warnings(tmp_path):
    from tests import toy

    results_folder.prepare(tmp_path, folds=0, cases=2)
    labels = toy.labels_of(0)
    for case, spacing in (("usual", toy.SPACING), ("coarse", (20.0, 10.0, 7.5))):
        image = toy.image_of(labels, 0)
        toy.write_nifti(tmp_path / "im" / f"{case}_0000.nii.gz", image, spacing)
        toy.write_nifti(tmp_path / "out" / f"{case}.nii.gz", labels, spacing)

    page = report(
        "Toy", tmp_path, pictures=False, predictions=tmp_path / "out",
        images=tmp_path / "im",
    )  # fmt: skip

    found = json.loads(page.with_suffix(".json").read_text())["predictions"]
    rows = {row["case"]: row for row in found["cases"]}
    assert found["warned"] == 1 and rows["usual"]["warnings"] == []
    assert "spacing" in rows["coarse"]["warnings"][0]
    expected = (labels == 1).sum() * 2.0 * 1.0 * 0.75
    assert rows["usual"]["volumes"]["one"] == pytest.approx(expected)
    assert "unlike the training data" in page.read_text()


def test_predictions_of_odd_intensity_or_without_a_usual_class_are_named(tmp_path):
    from tests import toy

    results_folder.prepare(tmp_path, folds=0, cases=3)
    labels = toy.labels_of(0)
    # Class one has intensities around 150, class two around 250; noise of 10.
    for case, image, found in (
        ("usual", toy.image_of(labels, 0), labels),
        ("bright", toy.image_of(labels, 0) + 150, labels),  # still overlaps
        ("lost", toy.image_of(labels, 0), np.where(labels == 2, 0, labels)),
    ):
        toy.write_nifti(tmp_path / "im" / f"{case}_0000.nii.gz", image)
        toy.write_nifti(tmp_path / "out" / f"{case}.nii.gz", found)

    page = report("Toy", tmp_path, predictions=tmp_path / "out", images=tmp_path / "im")

    content = json.loads(page.with_suffix(".json").read_text())
    rows = {r["case"]: r["warnings"] for r in content["predictions"]["cases"]}
    assert rows["usual"] == []
    assert len(rows["bright"]) == 1 and "has the median" in rows["bright"][0]
    assert rows["lost"] == ["two was not found; it is in 3 of 3 training cases."]
    pictures = re.findall(r'alt="prediction of case (\w+)"', page.read_text())
    assert pictures == ["bright", "lost", "usual"]  # odd ones first


def test_a_table_of_cases_has_the_measures_that_cases_have():
    from autoseg.report.page.sections import _of_cases

    cases = [{"classes": {"cell": {"ap_50": 0.5, "map": 0.4, "pq": 0.3}}}]
    shown = ["map_pooled", "ap_50_pooled", "map", "pq_pooled", "count_error_pooled"]

    assert _of_cases(cases, shown) == ["map", "ap_50", "pq"]


def test_landmarks_far_off_and_instances_not_found_are_failures():
    from autoseg.report.page.trained import _class_failures

    far = {"nme": 0.3, "mre": 31.0, "tp": 1.0, "fp": 0.0, "fn": 0.0}
    near = far | {"nme": 0.01, "mre": 1.0}
    lost = {"predicted": 0.0, "reference": 5.0, "ap_50": 0.0}
    poor = {"predicted": 9.0, "reference": 5.0, "ap_50": 0.05}
    scores = {"tip": far, "root": near, "cell": lost, "debris": poor}

    found = _class_failures("a", scores, "unet / 2d, fold 0", "mm")

    assert [row["kind"] for row in found] == ["off", "missed", "off"]
    assert "31 mm" in found[0]["what"] and "cell" in found[1]["what"]


@pytest.mark.parametrize(
    ("annotation", "tile"),
    [
        ({"classes": {"nucleus": 12}, "diameter": {"p50": 3.0}}, "instances"),
        ({"landmarks": ["tip"], "status": {"tip": {"present": 3}}}, "landmarks"),
        ({"classes": {"liver": {"objects": 3}}}, "classes"),
    ],
)
def test_every_task_says_how_much_there_is_to_find(annotation, tile):
    from autoseg.report.page.content import _classes, _landmarks, _objects
    from autoseg.report.page.sections import _what

    data = {"classes": _classes(annotation), "objects": _objects(annotation),
            "landmarks": _landmarks(annotation)}  # fmt: skip

    assert _what(data)["name"] == tile
    assert _what(data)["value"] in ("12", "1")


def test_what_find_best_chose_is_shown_until_something_is_trained_again(tmp_path):
    import os
    import time

    from autoseg.find_best.selection import Scored, Selection
    from autoseg.find_best.step import Step
    from autoseg.find_best.table import Gain

    results_folder.prepare(tmp_path, folds=1, cases=2)
    gain = Gain(mean=0.02, low=0.01, high=0.03)
    scored = Scored(name="unet / 3d_fullres", mean=0.8, low=0.7, high=0.9)
    step = Step(name="components", of="two", value="largest component", gain=gain,
                kept=True)  # fmt: skip
    file = tmp_path / "results" / "Toy" / "best" / "model.json"
    Selection(
        dataset="Toy", by="dice", unit="mm", cases=2, chosen=scored.name,
        models=(scored,), final=scored, steps=(step,),
    ).save(file)  # fmt: skip

    def opened(shift):
        os.utime(file, (time.time() + shift,) * 2)
        page = report("Toy", tmp_path, pictures=False)
        content = json.loads(page.with_suffix(".json").read_text())
        return page.read_text(), content["selection"]

    html, found = opened(10)
    assert not found["outdated"] and "outdated" not in html
    assert "largest component" in html and "+0.0200" in html
    html, found = opened(-3600)
    assert found["outdated"] and "run <code>autoseg find_best</code> again" in html


def test_a_number_leads_to_its_cases_and_a_case_to_its_picture(written):
    page, content = written
    html = page.read_text()
    shown = {row["case"] for row in content["trained"][0]["cases"]}

    assert 'href="#cases-1" data-kind="class one" data-by="dice"' in html
    linked = set(re.findall(r'href="#picture-(\w+)"', html))
    assert linked and linked <= shown
    assert all(f'id="picture-{case}"' in html for case in linked)


def test_what_was_taken_for_what_is_told_of_all_held_out_cases(written):
    _, content = written
    found = content["trained"][0]["confusion"]

    assert found["names"] == ["one", "two", "background"]
    assert found["cases"] == results_folder.CASES
    voxels = sum(map(sum, found["counts"]))
    assert voxels == results_folder.CASES * 12 * 20 * 24


def test_slices_scroll_and_the_page_reloads_only_while_something_is_trained(
    written, tmp_path
):
    from autoseg.lock import locked
    from autoseg.train.setup.job import lock_of

    page, _ = written
    html = page.read_text()
    assert html.count('class="plane"') == 3 * 6
    assert html.count('type="range"') == 3 * 6
    assert "data-reload" not in html.split("<script>")[0]
    folder = results_folder.prepare(tmp_path, folds=1, cases=2)
    place = results_folder.write_fold(tmp_path, folder, "1", ["case_01"])
    (place / "checkpoint_final.pt").unlink()

    with locked(lock_of(place)):
        html = report("Toy", tmp_path, pictures=False).read_text()

    assert '<body data-reload="60">' in html
