"""Names with the same letters in other codes (é as one, or as e and an accent)."""

import json

import numpy as np
from PIL import Image

from autoseg.datasets.read import load_dataset
from autoseg.evaluate.stage import evaluate
from autoseg.fingerprint.check.stage import check

COMPOSED, DECOMPOSED = "Jos\u00e9_{}", "Jose\u0301_{}"
CASES = 4


def data(folder, images=COMPOSED, labels=COMPOSED, **description):
    base = {"channel_names": {"0": "gray"}, "labels": {"background": 0, "cell": 1}}
    folder.mkdir(exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps(base | description))
    random = np.random.default_rng(0)
    for place, name in (("imagesTr", f"{images}_0000.png"), ("labelsTr", labels)):
        (folder / place).mkdir()
        for k in range(CASES):
            picture = random.integers(0, 2, (8, 9), np.uint8)
            file = name.format(k) if "." in name else f"{name.format(k)}.png"
            Image.fromarray(picture).save(folder / place / file)
    return folder


def ids(form):
    return [form.format(k) for k in range(CASES)]


def test_annotations_find_their_images(tmp_path):
    for number, (images, labels) in enumerate(
        [
            (COMPOSED, DECOMPOSED),
            (DECOMPOSED, COMPOSED),
            (COMPOSED, f"{DECOMPOSED}_seg"),
            (DECOMPOSED, f"{COMPOSED}_seg"),
        ]
    ):
        dataset = load_dataset(data(tmp_path / str(number), images, labels))

        assert [case.id for case in dataset.training] == ids(images)
        assert [c.annotation.is_file() for c in dataset.training] == [True] * CASES


def test_dataset_json_means_the_same_cases(tmp_path):
    names = ids(DECOMPOSED)
    dataset = load_dataset(
        data(
            tmp_path,
            splits=[{"train": names[:3], "val": names[3:]}],
            groups=dict(zip(names, "aabb", strict=True)),
            annotated={names[0]: ["cell"], f"{DECOMPOSED.format('')}*": ["cell"]},
        )
    )

    assert dataset.splits == ((tuple(ids(COMPOSED)[:3]), tuple(ids(COMPOSED)[3:])),)
    assert [case.group for case in dataset.training] == list("aabb")
    assert [case.annotated for case in dataset.training] == [("cell",)] * CASES
    assert not [p for p in check(tmp_path) if "unknown" in p.found]


def test_predictions_find_their_annotations(tmp_path):
    truth = data(tmp_path / "truth") / "labelsTr"
    predicted = data(tmp_path / "predicted", labels=DECOMPOSED) / "labelsTr"

    summary = evaluate(predicted, truth, labels={"cell": 1}, output=tmp_path / "out")

    assert sorted(summary.cases) == ids(COMPOSED)
    assert summary.classes["cell"]["dice"].mean == 1


def test_cases_that_look_the_same_are_told(tmp_path):
    data(tmp_path)
    for place in ("imagesTr", "labelsTr"):
        for path in sorted((tmp_path / place).iterdir())[:1]:
            same = path.name.replace("\u00e9", "e\u0301")
            Image.fromarray(np.eye(8, 9, dtype=np.uint8)).save(path.with_name(same))

    found = [p for p in check(tmp_path) if "how accents are stored only" in p.found]

    assert [problem.severity for problem in found] == ["warning"]
    assert len(load_dataset(tmp_path).training) == CASES + 1
