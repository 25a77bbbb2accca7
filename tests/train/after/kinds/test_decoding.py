"""A fold tunes its decoding after training, and predicts its cases with it."""

import dataclasses
import json
import logging

import numpy as np
import pytest
from PIL import Image

from autoseg.model.decoding import Decoding, Part
from autoseg.model.load import load_model
from autoseg.predict.options import Options
from autoseg.predict.predictor import Predictor
from autoseg.preprocess.stage import preprocess
from autoseg.spec.plan import Channel
from autoseg.train.after.kinds.decoding import FoldDecoding, with_parameters
from autoseg.train.after.results import read_fold
from autoseg.train.stage import train
from autoseg.workspace import Workspace

from ... import cells
from ...conftest import tiny_plan
from ...test_tasks_and_shapes import OPTIONS, plane


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train on six pictures, three of them held back."""
    root = tmp_path_factory.mktemp("root")
    annotations = {f"c{i}": (cells.pair, cells.one)[i % 2]()[0] for i in range(6)}
    dataset = cells.write_dataset(root / "raw" / "Cells", annotations)
    space = Workspace(root=root, dataset="Cells")
    plan = dataclasses.replace(
        tiny_plan(),
        dataset="Cells",
        unit="px",
        transpose=(0, 1),
        task=cells.TASK,
        channels=(
            Channel(name="channel 0", normalizer=tiny_plan().channels[0].normalizer),
        ),
        configurations={"2d": plane((1.0, 1.0))},
    )
    plan.save(space.plan("unet"))
    splits = [{"train": ["c0", "c1", "c5"], "val": ["c2", "c3", "c4"]}]
    space.splits.write_text(json.dumps(splits))
    preprocess(dataset, root, configurations=("2d",), workers=1)
    return dataset, root, train(dataset, "2d", 0, root, **OPTIONS)


def predictions(folder):
    return {
        path.stem: np.array(Image.open(path))
        for path in sorted((folder / "validation").glob("*.png"))
    }


def test_parameters_are_written_and_the_outputs_are_gone(trained):
    _, _, folder = trained

    found = Decoding.load(folder / "decoding.json")

    assert found.decoder == "border_core"
    assert [part.cases for part in found.parts] == [("c2", "c4"), ("c3",)]
    assert found.objects == 5  # two pairs and one cell
    assert 1 < found.evaluations <= 60
    assert not (folder / "outputs").exists()
    assert list(predictions(folder)) == ["c2", "c3", "c4"]
    assert read_fold(folder).decoding == found


def test_each_case_is_predicted_by_the_choice_of_the_others(trained, caplog):
    dataset, root, folder = trained
    path = folder / "decoding.json"
    found = Decoding.load(path)
    other = {"foreground": 0.3, "core": 0.3, "least": 2}
    own = {"foreground": 0.2, "core": 0.35, "least": 1}
    parts = (Part(cases=("c2", "c4"), parameters=own), found.parts[1])
    changed = dataclasses.replace(found, kept=True, parts=parts, parameters=other)
    changed.save(path)
    before = path.read_bytes()
    for file in (folder / "validation").glob("*"):
        file.unlink()  # as if it had been stopped right after tuning

    with caplog.at_level(logging.INFO):
        train(dataset, "2d", 0, root, device="cpu")

    assert path.read_bytes() == before
    assert "chosen on the other half" in caplog.text
    model = load_model(root / "results" / "Cells" / "unet" / "2d", folds=[0])
    assert Predictor(model).task.parameters == other
    seen = []
    for case, parameters in {
        "c2": own,
        "c3": found.parts[1].parameters,
        "c4": own,
    }.items():
        predictor = Predictor(with_parameters(model, parameters))
        image = dataset / "imagesTr" / f"{case}_0000.png"
        expected = predictor.predict(image).labels
        assert np.array_equal(predictions(folder)[case], expected)
        seen.append(expected.max())
    assert max(seen) > 0


def test_kept_outputs_give_what_the_network_gives_again(trained, tmp_path):
    _, root, _ = trained
    model = load_model(root / "results" / "Cells" / "unet" / "2d", folds=[0])
    from autoseg.datasets.read import load_dataset
    from autoseg.predict.job import Job

    dataset = load_dataset(root / "raw" / "Cells")
    results = []
    for name in ("kept", "again"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "checkpoint_final.pt").touch()
        decoding = FoldDecoding(folder, model, dataset, Options(device="cpu"))
        chosen = decoding.choose(["c2", "c3"])
        if name == "again":
            decoding.clean()
        jobs = [
            Job(case=dataset.case(case), output=folder / "validation" / f"{case}.png")
            for case in ("c2", "c3", "c4")
        ]
        decoding.predict(jobs, dataclasses.replace(chosen, kept=True))
        results.append({k: v.tolist() for k, v in predictions(folder).items()})

    assert results[0] == results[1] and len(results[0]) == 3
