"""The data sets that people copy to start are good ones."""

from pathlib import Path

import pytest

from autoseg.datasets.annotations import read_annotation
from autoseg.datasets.read import load_dataset
from autoseg.fingerprint.check.stage import check
from autoseg.tasks import TASKS

FOLDER = Path(__file__).parents[1] / "datasets_template"
TEMPLATES = sorted(path.parent for path in FOLDER.glob("*/dataset.json"))


def test_there_is_one_for_semantic_segmentation():
    assert FOLDER / "semantic" in TEMPLATES


def test_there_is_one_for_instances_with_classes():
    template = FOLDER / "instance"
    dataset = load_dataset(template)
    task = TASKS["instance"](**TASKS["instance"].from_dataset(dataset))

    kinds = set()
    for case in dataset.training:
        found, _ = read_annotation(case.annotation, dataset, task)
        kinds |= set(found.classes.values())

    assert template in TEMPLATES
    assert kinds == {1, 2}  # cell and debris, from CASE.json


def test_there_is_one_for_landmarks():
    assert FOLDER / "landmark" in TEMPLATES


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_check_finds_nothing_wrong(template):
    assert check(template) == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_it_is_complete_and_small(template):
    dataset = load_dataset(template)
    files = [path for path in template.rglob("*") if path.is_file()]

    assert (template / "README.md").is_file()
    assert len(dataset.training) >= 5  # as many as there are folds
    assert dataset.test
    assert max(path.stat().st_size for path in files) < 20_000
    assert sum(path.stat().st_size for path in files) < 200_000
