"""Train Cellpose 3.1 from scratch for a given time and predict; run by its own Python.

    python cellpose_driver.py JOB.json

Everything is its default (224 x 224 crops of objects brought to 30 pixels, batch 8,
AdamW), except that images of fewer than five objects are not left out and that an epoch
is 16 images, drawn anew each time: a pass over hundreds would be minutes on a CPU. Its
learning rate rises and falls over a number of epochs that has to be known before, so
two epochs are timed first, and are not part of the training. Neither is the making of
flows.
"""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch
from cellpose import dynamics, models, train
from PIL import Image

PILOT = 2  # epochs that are timed
EPOCH = 16  # images


def main() -> None:
    """Do the job."""
    job = json.loads(Path(sys.argv[1]).read_text())
    torch.set_num_threads(job["threads"])
    torch.manual_seed(job["seed"])
    data, out = Path(job["data"]), Path(job["out"])
    if job["again"]:
        trained = str(out / "models" / "model")
        model = models.CellposeModel(gpu=False, pretrained_model=trained)
        result = {}
    else:
        model, result = fit(job)

    images = {i: image(data, i) for i in job["validation"]}
    model.eval(images[job["validation"][0]], channels=[0, 0])  # compiled once
    seconds = []
    for name in job["validation"]:
        begun = time.perf_counter()
        found = model.eval(images[name], channels=[0, 0])[0]
        seconds.append(time.perf_counter() - begun)
        Image.fromarray(found.astype(np.uint16)).save(
            out / "predictions" / f"{name}.png"
        )
    result["seconds_per_image"] = seconds
    (out / "done.json").write_text(json.dumps(result))


def fit(job: dict) -> tuple[models.CellposeModel, dict]:
    """Train, and return the model and what it took."""
    data, out = Path(job["data"]), Path(job["out"])
    examples = [image(data, i) for i in job["train"]]
    labels = [label(data, i) for i in job["train"]]
    flows = dynamics.labels_to_flows(labels, device=torch.device("cpu"))

    def run(epochs: int) -> tuple[models.CellposeModel, float, float]:
        np.random.seed(job["seed"])
        model = models.CellposeModel(gpu=False, pretrained_model=None)
        begun, spent = time.perf_counter(), cpu_seconds()
        train.train_seg(
            model.net,
            train_data=examples,
            train_labels=flows,
            channels=[0, 0],
            n_epochs=epochs,
            nimg_per_epoch=EPOCH,
            min_train_masks=1,
            save_path=str(out),
            model_name="model",
        )
        return model, time.perf_counter() - begun, cpu_seconds() - spent

    # Before the first epoch, diameters are measured.
    once, more = run(1)[1], run(1 + PILOT)[1]
    epoch = max(1e-3, (more - once) / PILOT)
    epochs = max(1, round((60 * job["minutes"] - (once - epoch)) / epoch))
    model, trained, trained_cpu = run(epochs)
    return model, {
        "train_seconds": trained,
        "train_cpu_seconds": trained_cpu,
        "tune_seconds": 0.0,
        "steps": epochs * EPOCH // 8,
    }


def image(data: Path, name: str) -> np.ndarray:
    """Read an image."""
    return np.asarray(Image.open(data / "imagesTr" / f"{name}_0000.png"), np.float32)


def label(data: Path, name: str) -> np.ndarray:
    """Read ids."""
    return np.asarray(Image.open(data / "labelsTr" / f"{name}.png")).astype(np.int32)


def write(out: Path, name: str, labels: np.ndarray) -> None:
    """Write ids."""
    Image.fromarray(labels).save(out / "predictions" / f"{name}.png")


def cpu_seconds() -> float:
    """Return processor time of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
