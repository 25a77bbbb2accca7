"""Of instances, objects with a high score are taught, and the others are ignored."""

import json
from types import SimpleNamespace

from autoseg.predict.job import Job
from autoseg.spec.dataset import Case
from autoseg.tasks import TASKS
from autoseg.train.teach.kinds.instances import TeachInstances


def _taught(tmp_path, rows, classes, sure=0.5):
    out = tmp_path / "predicted" / "a.tif"
    out.parent.mkdir()
    out.write_bytes(b"a map")
    table = "\n".join(["id,class,score", *rows, ""])
    out.with_name("a_instances.csv").write_text(table)
    raw = {"labels": {"background": 0, **classes}}
    task = TASKS["instance"](labels=classes)
    kind = TeachInstances(task, SimpleNamespace(raw=raw), sure)
    (tmp_path / "labels").mkdir()
    job = Job(case=Case(id="a", images=()), output=out)
    return kind, kind.annotate(job, tmp_path / "labels")


def test_the_side_car_says_which_objects_nobody_annotated(tmp_path):
    kind, (path, share) = _taught(
        tmp_path, ["1,cell,0.9", "2,cell,0.3", "3,cell,0.5"], {"cell": 1}
    )

    said = json.loads((tmp_path / "labels" / "a.json").read_text())["instances"]
    assert said == {"1": "cell", "2": "ignore", "3": "cell"}
    assert path.read_bytes() == b"a map" and share == 2 / 3
    assert kind.described({"labels": {"cell": 1}})["labels"] == {
        "ignore": -1,
        "background": 0,
        "cell": 1,
    }


def test_classes_are_those_that_were_predicted(tmp_path):
    classes = {"cell": 1, "debris": 2}
    _taught(tmp_path, ["1,debris,0.9", "2,cell,0.8"], classes)

    said = json.loads((tmp_path / "labels" / "a.json").read_text())["instances"]
    assert said == {"1": "debris", "2": "cell"}


def test_where_no_object_is_sure_nothing_is_written(tmp_path):
    _, found = _taught(tmp_path, ["1,cell,0.4"], {"cell": 1})

    assert found is None and list((tmp_path / "labels").iterdir()) == []
