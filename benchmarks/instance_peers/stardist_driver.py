"""Train StarDist 0.9 from scratch for a given time and predict; run by its own Python.

    python stardist_driver.py JOB.json

Network, loss, patch and learning rate are StarDist's defaults (32 rays, grid 2 x 2 as
in its 2-D examples); patches are flipped, turned by quarters and change in brightness.
Of the training images 15 % choose the best weights and the thresholds, as its examples
do.
"""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from csbdeep.utils import normalize
from PIL import Image
from stardist import fill_label_holes
from stardist.models import Config2D, StarDist2D

HELD_BACK = 0.15  # of the training images, to choose weights and thresholds by
TUNED_ON = 12  # images at most: the search takes minutes for each while all is unsure
STEPS = 50  # of an epoch: a training can end after each


def main() -> None:
    """Do the job."""
    job = json.loads(Path(sys.argv[1]).read_text())
    tf.config.threading.set_intra_op_parallelism_threads(job["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.keras.utils.set_random_seed(job["seed"])
    data, out = Path(job["data"]), Path(job["out"])
    if job["again"]:
        model, result = StarDist2D(None, name="model", basedir=str(out)), {}
    else:
        model, result = train(job)

    images = {i: image(data, i) for i in job["validation"]}
    model.predict_instances(images[job["validation"][0]])  # compiled once
    seconds = []
    for name in job["validation"]:
        begun = time.perf_counter()
        found, _ = model.predict_instances(images[name])
        seconds.append(time.perf_counter() - begun)
        Image.fromarray(found.astype(np.uint16)).save(
            out / "predictions" / f"{name}.png"
        )
    result["seconds_per_image"] = seconds
    (out / "done.json").write_text(json.dumps(result))


def train(job: dict) -> tuple[StarDist2D, dict]:
    """Train, and return the model and what it took."""
    data, out = Path(job["data"]), Path(job["out"])
    images = {i: image(data, i) for i in job["train"]}
    labels = {i: fill_label_holes(label(data, i)) for i in job["train"]}
    order = list(np.random.default_rng(job["seed"]).permutation(job["train"]))
    held = max(1, round(HELD_BACK * len(order)))
    chosen, rest = order[:held], order[held:]

    begun, spent = time.perf_counter(), cpu_seconds()
    config = Config2D(
        n_rays=32,
        grid=(2, 2),
        n_channel_in=1,
        train_patch_size=patch(images[i].shape for i in rest),
        train_batch_size=4,
        train_steps_per_epoch=STEPS,
        train_epochs=100_000,
        train_tensorboard=False,
    )
    model = StarDist2D(config, name="model", basedir=str(out))
    model.prepare_for_training()
    limit = Limit(begun, 60 * job["minutes"])
    model.callbacks.append(limit)
    model.train(
        [images[i] for i in rest],
        [labels[i] for i in rest],
        validation_data=([images[i] for i in chosen], [labels[i] for i in chosen]),
        augmenter=augment,
        seed=job["seed"],
    )
    trained, trained_cpu = time.perf_counter() - begun, cpu_seconds() - spent
    begun = time.perf_counter()
    some = chosen[:TUNED_ON]
    model.optimize_thresholds([images[i] for i in some], [labels[i] for i in some])
    return model, {
        "train_seconds": trained,
        "train_cpu_seconds": trained_cpu,
        "tune_seconds": time.perf_counter() - begun,
        "steps": limit.steps,
    }


class Limit(tf.keras.callbacks.Callback):
    """End training with the epoch in which the time is over."""

    def __init__(self, begun: float, seconds: float) -> None:
        super().__init__()
        self.end, self.steps = begun + seconds, 0

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        """Count, and stop in time."""
        self.steps += 1
        if time.perf_counter() > self.end:
            self.model.stop_training = True


def image(data: Path, name: str) -> np.ndarray:
    """Read an image and bring it to about 0 to 1, by its percentiles."""
    read = np.asarray(Image.open(data / "imagesTr" / f"{name}_0000.png"), np.float32)
    return normalize(read, 1, 99.8)


def label(data: Path, name: str) -> np.ndarray:
    """Read ids."""
    return np.asarray(Image.open(data / "labelsTr" / f"{name}.png")).astype(np.int32)


def patch(shapes: object) -> tuple[int, int]:
    """Return a patch of at most 256 x 256 that every image has, in steps of 16."""
    least = np.min(list(shapes), axis=0)
    return tuple(int(min(256, edge // 16 * 16)) for edge in least)


def augment(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flip, turn by quarters, change brightness and contrast."""
    axes = tuple(axis for axis in (0, 1) if np.random.rand() < 0.5)
    x, y = np.flip(x, axes), np.flip(y, axes)
    turns = np.random.randint(4) if x.shape[0] == x.shape[1] else 0
    x, y = np.rot90(x, turns), np.rot90(y, turns)
    return x * np.random.uniform(0.6, 2) + np.random.uniform(-0.2, 0.2), y


def write(out: Path, name: str, labels: np.ndarray) -> None:
    """Write ids."""
    Image.fromarray(labels).save(out / "predictions" / f"{name}.png")


def cpu_seconds() -> float:
    """Return processor time of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
