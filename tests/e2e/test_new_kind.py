"""A kind of annotation that autoseg does not know, added by entry points alone.

Its files are in tests/e2e/boxes: one for the task, and one for each stage that has to
know what boxes are.
"""

import json
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from autoseg import registry
from autoseg.cli.main import main
from autoseg.datasets.kinds import DATASET_KINDS
from autoseg.evaluate.kinds import EVALUATE_KINDS
from autoseg.fingerprint.check.kinds import CHECK_KINDS
from autoseg.formats.base import find_format
from autoseg.predict.readouts import READOUTS
from autoseg.spec.image import Geometry
from autoseg.tasks import TASKS
from tests.e2e.boxes import annotation
from tests.e2e.boxes.annotation import Boxes

PARTS = {
    TASKS: ("box", "task:BoxTask"),
    DATASET_KINDS: ("boxes", "dataset:BoxFiles"),
    CHECK_KINDS: ("boxes", "check:BoxCheck"),
    READOUTS: ("boxes", "readout:BoxReadout"),
    EVALUATE_KINDS: ("boxes", "evaluate:EvaluateBoxes"),
}
SHAPE, CASES, SPACING = (32, 40), 4, (0.5, 0.5)


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    """Add the parts as a package with entry points would."""
    groups = {}
    for plugins, (name, place) in PARTS.items():
        group = f"autoseg.{plugins.kind}"
        value = f"tests.e2e.boxes.{place}"
        groups[group] = [EntryPoint(name=name, value=value, group=group)]
    monkeypatch.setattr(registry, "entry_points", lambda group: groups.get(group, []))
    yield
    for plugins, (name, _) in PARTS.items():
        plugins._plugins.pop(name, None)


@pytest.fixture
def root(tmp_path):
    """Return a root with a data set: one bright box in each image."""
    folder = tmp_path / "raw" / "Boxes"
    rng = np.random.default_rng(0)
    geometry = Geometry(shape=SHAPE, spacing=SPACING, unit="um")
    for number in range(CASES + 1):
        part = "Tr" if number < CASES else "Ts"
        low = rng.integers(4, 12, 2)
        boxes = Boxes(np.array([[low, low + 14]], float), SHAPE)
        image = rng.normal(10, 1, SHAPE) + 50 * boxes.region()
        file = folder / f"images{part}" / f"case_{number}_0000.tif"
        file.parent.mkdir(parents=True, exist_ok=True)
        find_format(file).write_image(file, image.astype(np.float32), geometry)
        place = folder / f"labels{part}" / f"case_{number}{annotation.ENDING}"
        annotation.write(place, boxes, geometry)
    described = {
        "task": "box",
        "channel_names": {"0": "gray"},
        "file_ending": ".tif",
    }
    (folder / "dataset.json").write_text(json.dumps(described))
    return tmp_path


def _run(*words):
    return main([str(word) for word in words])


def test_check_knows_boxes_by_their_own_file(root, capsys):
    data = root / "raw" / "Boxes"
    assert _run("check", data) == 0

    file = data / "labelsTr" / f"case_0{annotation.ENDING}"
    boxes, geometry = annotation.read(file)
    annotation.write(file, Boxes(boxes.corners + 20, SHAPE), geometry)
    _run("check", data)

    assert "A box leaves it." in capsys.readouterr().out


def test_a_new_kind_goes_from_the_data_set_to_a_score(root, capsys):
    data, out = root / "raw" / "Boxes", root / "out"
    where = "--root", root
    assert _run("plan_and_preprocess", data, *where, "-np", 1) == 0
    train = "train", data, "2d", 0, *where, "-device", "cpu", "--recipe", "fast"
    small = "--set", "patch_size=[32,32]", "--set", "network.features=[4,8,8,8]"
    assert _run(*train, "--iterations", 2, *small) == 0
    assert _run(
        *("predict", "-i", data / "imagesTs", "-o", out, "-d", data, "-c", "2d"),
        *("-f", 0, "-device", "cpu", *where),
    ) == 0  # fmt: skip

    predicted, geometry = annotation.read(out / f"case_{CASES}{annotation.ENDING}")
    assert (geometry.shape, geometry.spacing) == (SHAPE, SPACING)
    assert predicted.shape == SHAPE
    validated = root.glob(f"results/Boxes/*/2d/fold_0/validation/*{annotation.ENDING}")
    assert len(list(validated)) >= 1
    assert _run("report", data, *where) == 0


def test_scores_are_those_of_the_construction(root, tmp_path):
    data, out = root / "raw" / "Boxes", tmp_path / "predictions"
    for number in range(CASES):
        name = f"case_{number}{annotation.ENDING}"
        boxes, geometry = annotation.read(data / "labelsTr" / name)
        # Half of its height is cut off from the first box; the others are perfect.
        shorter = boxes.corners - np.array([[0, 0], [7 if number == 0 else 0, 0]])
        annotation.write(out / name, Boxes(shorter, SHAPE), geometry)
    given = "evaluate", "-g", data / "labelsTr", "-p", out, "-d", data

    assert _run(*given, "-o", tmp_path / "scores") == 0

    summary = json.loads((tmp_path / "scores" / "summary.json").read_text())
    scores = [summary["cases"][f"case_{i}"]["box"]["iou"] for i in range(CASES)]
    assert scores == [0.5, 1.0, 1.0, 1.0]
