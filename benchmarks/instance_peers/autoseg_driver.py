"""Predict with a trained autoseg model, one image at a time; train it by the command.

python autoseg_driver.py JOB.json
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image


def main() -> None:
    """Do the job."""
    import torch

    from autoseg.predict.predictor import Predictor

    job = json.loads(Path(sys.argv[1]).read_text())
    root, out = Path(job["root"]), Path(job["out"])
    folder = root / "results" / Path(job["data"]).name / "unet" / "2d"
    result = {} if job["again"] else train(job, folder)

    torch.set_num_threads(job["threads"])
    predictor = Predictor.load(folder, folds=[job["fold"]], device="cpu")
    images = {i: image(Path(job["data"]), i) for i in job["validation"]}
    predictor.predict(images[job["validation"][0]][None], spacing=(1.0, 1.0))
    seconds = []
    for name in job["validation"]:
        begun = time.perf_counter()
        found = predictor.predict(images[name][None], spacing=(1.0, 1.0))
        seconds.append(time.perf_counter() - begun)
        write(out, name, np.asarray(found).astype(np.uint16))
    result["seconds_per_image"] = seconds
    (out / "done.json").write_text(json.dumps(result))


def train(job: dict, folder: Path) -> dict:
    """Train, and return what it took."""
    begun, spent = time.perf_counter(), cpu_seconds()
    words = [sys.executable, "-m", "autoseg", "train", job["data"], "2d"]
    words += [str(job["fold"]), "--root", job["root"], "--seed", str(job["seed"])]
    words += ["--time-budget", f"{job['minutes']:g}m", "--device", "cpu"]
    subprocess.run([*words, *job["options"]], check=True)
    rows = (folder / f"fold_{job['fold']}" / "log.jsonl").read_text().splitlines()
    return {
        "train_seconds": time.perf_counter() - begun,
        "train_cpu_seconds": cpu_seconds() - spent,
        "tune_seconds": 0.0,
        "steps": json.loads(rows[-1]).get("iteration", 0),
    }


def image(data: Path, name: str) -> np.ndarray:
    """Read an image."""
    return np.asarray(Image.open(data / "imagesTr" / f"{name}_0000.png"), np.float32)


def write(out: Path, name: str, labels: np.ndarray) -> None:
    """Write ids."""
    Image.fromarray(labels).save(out / "predictions" / f"{name}.png")


def cpu_seconds() -> float:
    """Return processor time of this process and of those it started."""
    used = [
        resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    return sum(u.ru_utime + u.ru_stime for u in used)


if __name__ == "__main__":
    main()
