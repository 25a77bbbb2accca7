"""What `check` says of classes that are annotated in some cases only."""

import json

import numpy as np
from PIL import Image

from autoseg.fingerprint.check.stage import examine


def _problems(folder, labels=None, maps=None, **described):
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for number in range(4):
        image = random.integers(1, 255, (20, 20), np.uint8)
        Image.fromarray(image).save(folder / f"imagesTr/c{number}_0000.png")
        drawn = np.zeros((20, 20), np.uint8)
        drawn[2:6, 2 + number : 8], drawn[12:16, 3:6] = maps or (1, 2)
        Image.fromarray(drawn).save(folder / f"labelsTr/c{number}.png")
    text = {
        "channel_names": ["a"],
        "labels": labels or {"background": 0, "one": 1, "two": 2},
        **described,
    }
    (folder / "dataset.json").write_text(json.dumps(text))
    found = examine(folder, workers=1).problems
    return [(p.severity, p.file.name, p.found) for p in found]


def test_it_says_how_many_cases_speak_of_each_class(tmp_path):
    said = {"c0": ["one", "two"], "c[12]": ["two"]}

    problems = _problems(tmp_path, annotated=said, maps=(0, 2))

    assert [p for p in problems if "speak" in p[2] or "Of 4 cases" in p[2]] == [
        (
            "note",
            "dataset.json",
            "Of 4 cases, 1 are annotated in full; one in 2, two in 4.",
        )
    ]


def test_it_finds_patterns_and_names_that_fit_nothing(tmp_path):
    problems = _problems(tmp_path, annotated={"d*": ["one"], "c1": ["tow"]})

    errors = [p[2] for p in problems if p[0] == "error"]
    assert any("'tow', which is no class. Did you mean 'two'?" in e for e in errors)
    assert any("`annotated` has 'd*', which is no case" in e for e in errors)


def test_it_finds_what_was_drawn_of_classes_that_are_said_not_to_be(tmp_path):
    problems = _problems(tmp_path, annotated={"c3": ["one"]})

    (stray,) = [p for p in problems if p[0] == "warning"]
    # 4 x 3 voxels of class two in that file
    assert stray[1] == "c3.png" and "12 voxels of 'two'" in stray[2]


def test_it_finds_instances_of_classes_that_are_said_not_to_be(tmp_path):
    (tmp_path / "labelsTr").mkdir()
    for number in range(4):
        classes = json.dumps({"instances": {"1": 1, "2": 2}})
        (tmp_path / f"labelsTr/c{number}.json").write_text(classes)

    problems = _problems(
        tmp_path,
        labels={"a": 1, "b": 2},
        task="instance",
        annotated={"c3": ["a"]},
        label_ending=".png",
    )

    (stray,) = [p for p in problems if p[0] == "warning"]
    assert stray[1] == "c3.png" and "1 instance of 'b'" in stray[2]


def test_it_says_how_much_of_label_maps_is_annotated(tmp_path):
    labels = {"background": 0, "one": 1, "ignore": 2}

    problems = _problems(tmp_path, labels=labels)

    # 12 of 400 voxels are ignored in each
    said = "In 4 of 4 cases not every voxel is annotated: of those, 97 % on average"
    assert any(p[2].startswith(said) for p in problems)
