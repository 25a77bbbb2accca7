"""What a fold's validation teaches about points, and what is written again."""

import json

import numpy as np
import pytest

from autoseg.datasets.points import read_points, write_points
from autoseg.datasets.read import load_dataset
from autoseg.model.confidence import Learnt
from autoseg.preprocess.placement import Placement
from autoseg.preprocess.store import CaseStore
from autoseg.spec.choice import Choice
from autoseg.spec.image import Geometry
from autoseg.spec.points import PRESENT, Points
from autoseg.train.after import final_validation
from autoseg.train.after.kinds.confidence import learn_confidence, learn_shapes
from autoseg.train.setup.job import Job
from autoseg.workspace import CONFIDENCE, VALIDATION, Workspace
from tests.predict import toy_model as toy

NAMES = ("tip", "root", "end")
GEOMETRY = Geometry(shape=(60, 50), spacing=(0.5, 0.5))
MEAN = np.array([[10.0, 10.0], [40.0, 12.0], [25.0, 40.0]])
TRAINING = [f"t{i:02}" for i in range(20)]
VALIDATED = [f"v{i:02}" for i in range(20)]
FAR = "v07"  # whose last point was found far off, and with the same score as others


def annotated(name):
    rng = np.random.default_rng(int(name[1:]) + (100 if name[0] == "v" else 0))
    shift, shape = rng.normal(0, 2, 2), rng.normal(0, 1, (3, 2))
    return Points(NAMES, MEAN + shift + shape, [PRESENT] * 3, shape=GEOMETRY.shape)


def predicted(name):
    rng = np.random.default_rng(int(name[1:]) + 1000)
    peak = annotated(name).coordinates + rng.normal(0, 0.8, (3, 2))
    if name == FAR:
        peak[2] += (-30, 0)
    details = {
        "score": np.full(3, 0.8),
        "covariance": np.tile(np.eye(2) * 0.16, (3, 1, 1)),
        "peak": peak,
    }
    return Points(NAMES, peak, [PRESENT] * 3, details, GEOMETRY.shape)


@pytest.fixture
def job(tmp_path):
    raw = tmp_path / "raw" / "Dataset001_Toy"
    for folder in ("imagesTr", "labelsTr"):
        (raw / folder).mkdir(parents=True)
    says = {
        "task": "landmark",
        "channel_names": {"0": "x"},
        "landmarks": NAMES,
        "file_ending": ".png",
        "label_ending": ".json",
    }
    (raw / "dataset.json").write_text(json.dumps(says))
    for name in (*TRAINING, *VALIDATED):
        (raw / "imagesTr" / f"{name}_0000.png").write_bytes(b"")
        write_points(raw / "labelsTr" / f"{name}.json", annotated(name), GEOMETRY)
    plan = toy.plan(2)
    task = Choice(
        name="landmark",
        options={"landmarks": list(NAMES), "thresholds": dict.fromkeys(NAMES, 0.0)},
    )
    plan = plan.__class__(**{**vars(plan), "task": task})
    found = Job(
        dataset=load_dataset(raw),
        workspace=Workspace(root=tmp_path, dataset="Dataset001_Toy"),
        plan=plan,
        configuration="net",
        fold="0",
        training=tuple(TRAINING),
        validation=tuple(VALIDATED),
    )
    placement = Placement(
        geometry=GEOMETRY,
        orientation=None,
        transpose=(0, 1),
        box=((0, 60), (0, 50)),
        shape_before_crop=(60, 50),
        cropped_shape=(60, 50),
        shape=(60, 50),
        cropped_spacing=(0.5, 0.5),
        spacing=(0.5, 0.5),
    )
    store = CaseStore(found.workspace.data(plan.data_id("net")))
    for name in TRAINING:
        image = np.zeros((1, *GEOMETRY.shape), np.float32)
        stored = {"placement": placement.to_json()}
        store.write(name, image, annotated(name), {}, stored)
    folder = found.folder / VALIDATION
    folder.mkdir(parents=True)
    for name in VALIDATED:
        write_points(folder / f"{name}.json", predicted(name), GEOMETRY)
    return found


def again(job, name):
    return read_points(job.folder / VALIDATION / f"{name}.json", None, None)[0]


def test_a_fold_keeps_what_its_validation_taught(job):
    table = learn_confidence(job, job.folder / VALIDATION)

    learnt = Learnt.load(job.folder)
    assert learnt.evidence.cases == tuple(VALIDATED)
    # 30 voxels of half a millimeter, and the noise about that
    assert max(e[2] for e in learnt.evidence.error) == pytest.approx(15, abs=1.5)
    assert learnt.confidence.thresholds == (0.0,) * 3
    assert learnt.confidence.shape is not None
    assert "error p95 [mm]" in table and "Learnt from 20 cases" in table


def test_predictions_get_radii_and_flags(job):
    learn_confidence(job, job.folder / VALIDATION)

    errors, radii = [], []
    for name in VALIDATED:
        found = again(job, name)
        apart = (found.coordinates - annotated(name).coordinates) * 0.5
        errors.append(np.linalg.norm(apart, axis=1))
        radii.append(found.details["error_p95"])
    inside = np.array(errors) <= np.array(radii)
    assert 0.85 <= inside.mean() < 1
    assert again(job, FAR).details["plausible"].tolist() == [1, 1, 0]
    plausible = [again(job, name).details["plausible"] for name in VALIDATED]
    assert np.sum(np.array(plausible) == 0) <= 2


def test_what_a_case_is_told_does_not_depend_on_its_annotation(job):
    folder = job.folder / VALIDATION
    learn_confidence(job, folder)
    before = {name: again(job, name).details["error_p95"] for name in VALIDATED}
    moved = annotated("v03").coordinates + 200
    labels = job.dataset.case("v03").annotation
    write_points(labels, Points(NAMES, moved, [PRESENT] * 3), GEOMETRY)

    learn_confidence(job, folder)

    after = {name: again(job, name).details["error_p95"] for name in VALIDATED}
    assert after["v03"].tolist() == before["v03"].tolist()
    assert after["v04"].tolist() != before["v04"].tolist()


def test_a_fold_of_all_cases_learns_nothing(job):
    everything = Job(**{**vars(job), "fold": "all"})

    assert learn_confidence(everything, job.folder / VALIDATION) is None
    assert not (everything.folder / CONFIDENCE).exists()


def test_other_tasks_have_nothing_to_learn(job):
    semantic = Job(**{**vars(job), "plan": toy.plan(2)})

    assert learn_confidence(semantic, job.folder / VALIDATION) is None


def test_usual_shapes_are_known_before_the_validation_cases_are_predicted(
    job, monkeypatch
):
    def load(*_, **__):
        raise InterruptedError  # as far as the test goes

    (job.folder / CONFIDENCE).unlink(missing_ok=True)
    monkeypatch.setattr(final_validation, "load_model", load)
    with pytest.raises(InterruptedError):
        final_validation.validate_fold(job)

    known = Learnt.load(job.folder).confidence
    assert (known.cases, known.radius) == (0, None)
    far = MEAN + [(0, 0), (0, 0), (-30, 0)]
    assert known.shape.implausible(far * 0.5).tolist() == [False, False, True]


def test_what_validation_taught_is_not_forgotten_for_shapes(job):
    learn_confidence(job, job.folder / VALIDATION)
    before = (job.folder / CONFIDENCE).read_text()

    learn_shapes(job)

    assert (job.folder / CONFIDENCE).read_text() == before
