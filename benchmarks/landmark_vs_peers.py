"""Equal training time, equal cores: autoseg and landmarker 0.4.1 on X-rays of the head.

Both train for the same wall-clock time on the same cores, one after the other, and
predict the same validation fold (autoseg's fold 0); autoseg's metrics score both.
autoseg plans for itself, as without a GPU, unless told otherwise::

    python -m venv ENV && ENV/bin/pip install torch==2.13.0
    ENV/bin/pip install "landmarker==0.4.1" "monai>=1.5" "scipy<1.16" "torch==2.13.0"
    python benchmarks/landmark_vs_peers.py Dataset015_ISBI2015Ceph \\
        --landmarker-python ENV/bin/python --minutes 60      # --minutes 1: does it run?

Tools can run at different times: ``--tools landmarker``, then ``--tools autoseg``; what
each one reached is kept in --work/results.json, and printed for all. The peer is
MONAI's U-Net with landmarker's heatmaps, its softmax negative log-likelihood and its
decoders, of which the one that is best on the training cases predicts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.datasets.read import load_dataset
from autoseg.evaluate.points import ALL, summarize_points
from autoseg.metrics.points import score_points
from autoseg.pointfiles.base import read_points
from autoseg.preprocess.folds import load_fold
from autoseg.spec.dataset import Dataset
from autoseg.spec.json import write_text
from autoseg.spec.points import Points
from autoseg.workspace import Workspace

CONFIGURATION = "2d"
SHOWN = ("mre", "mre_median", "mre_p95", "sdr_2", "sdr_2.5", "sdr_3", "sdr_4")
PUBLISHED = (
    "Published, fully trained on 150 cases, other test images: 1.13 to 1.5 mm MRE."
)

# Run by landmarker's Python. Points are (row, column) in pixels of the original image.
PEER = r"""
import json, math, sys, time
import numpy as np
import torch
from monai.networks.nets import UNet
from PIL import Image
from landmarker.heatmap.decoder import coord_argmax, coord_local_soft_argmax
from landmarker.heatmap.decoder import coord_local_weighted
from landmarker.heatmap.generator import GaussianHeatmapGenerator
from landmarker.losses.losses import NLLLoss
from landmarker.models.spatial_configuration_net import SpatialConfigurationNet

job = json.load(open(sys.argv[1]))
torch.set_num_threads(job["threads"])
torch.manual_seed(job["seed"])
rng = np.random.default_rng(job["seed"])
height, width = job["size"]

def load(case):
    image = Image.open(case["image"]).convert("L")
    scale = np.array([height / image.height, width / image.width])
    small = image.resize((width, height), Image.Resampling.BOX)
    array = np.asarray(small, dtype=np.float32)
    array = (array - array.mean()) / (array.std() + 1e-6)
    points = (np.array(case["points"], dtype=np.float32) + 0.5) * scale - 0.5
    return torch.from_numpy(array), torch.from_numpy(points.astype(np.float32)), scale

train = [load(case) for case in job["train"]]
count = train[0][1].shape[0]
if job["network"] == "scn":
    network = SpatialConfigurationNet(
        2, 1, count, la_channels=(64,) * 4, sp_channels=64)
else:
    widths = (32, 64, 128, 256, 256)
    network = UNet(2, 1, count, widths, (2, 2, 2, 2), num_res_units=2)
heatmaps = GaussianHeatmapGenerator(
    count, sigmas=job["sigma"], heatmap_size=(height, width))
criterion = NLLLoss(spatial_dims=2, apply_softmax=True)
optimizer = torch.optim.AdamW(network.parameters(), lr=job["lr"], weight_decay=1e-4)

def augmented(image, points):
    # Rotation, scale and shift about the middle, and intensities.
    angle = rng.uniform(-1, 1) * math.radians(12)
    scale = rng.uniform(0.85, 1.15)
    shift = rng.uniform(-0.04, 0.04, 2) * (height, width)
    sine, cosine = math.sin(angle), math.cos(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    matrix = torch.tensor(turn / scale, dtype=torch.float32)
    middle = torch.tensor([(height - 1) / 2, (width - 1) / 2])
    move = torch.tensor(shift, dtype=torch.float32)
    axes = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    grid = torch.stack(axes, -1)
    source = (grid - middle - move) @ matrix.T + middle
    unit = 2 * source / torch.tensor([height - 1, width - 1]) - 1
    moved = torch.nn.functional.grid_sample(
        image[None, None], unit.flip(-1)[None], mode="bilinear", padding_mode="border",
        align_corners=True)[0, 0]
    moved = moved * rng.uniform(0.8, 1.2) + rng.uniform(-0.2, 0.2)
    return moved, (points - middle) @ torch.linalg.inv(matrix).T + middle + move

seconds, start, steps, losses = job["seconds"], time.time(), 0, []
while time.time() - start < seconds:
    chosen = rng.integers(0, len(train), job["batch"])
    pairs = [augmented(*train[i][:2]) for i in chosen]
    images = torch.stack([image for image, _ in pairs])[:, None]
    points = torch.stack([place for _, place in pairs])
    with torch.no_grad():
        target = heatmaps(points)
        target = target / target.sum((2, 3), keepdim=True).clamp_min(1e-6)
    done = min(1.0, (time.time() - start) / seconds)
    rate = min(1.0, (steps + 1) / 30) * 0.5 * (1 + math.cos(math.pi * done))
    for group in optimizer.param_groups:
        group["lr"] = job["lr"] * rate
    optimizer.zero_grad()
    loss = criterion(network(images), target)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimizer.step()
    losses.append(float(loss.detach()))
    steps += 1
    if steps % 50 == 1:
        print(f"step {steps}, loss {np.mean(losses[-50:]):.3f}", flush=True)
trained = time.time() - start

def heat_of(image):
    with torch.no_grad():
        logits = network(image[None, None])
    return torch.softmax(logits.flatten(2), -1).reshape(logits.shape)

def scaled(heat):
    return heat / heat.amax((2, 3), keepdim=True)

decoders = {
    "argmax": lambda heat: coord_argmax(heat),
    "local_soft_argmax": lambda heat: coord_local_soft_argmax(scaled(heat)),
    "local_weighted": lambda heat: coord_local_weighted(heat, window=7),
}
network.eval()

def found(name, image, scale):
    places = decoders[name](heat_of(image))[0].numpy().astype(float)
    return (places + 0.5) / scale - 0.5

def error(name):
    apart = []
    for image, points, scale in train[:20]:
        true = (points.numpy() + 0.5) / scale - 0.5
        apart.append(np.linalg.norm(found(name, image, scale) - true, axis=1).mean())
    return float(np.mean(apart))

errors = {name: error(name) for name in decoders}
best = min(errors, key=errors.get)
points = {}
for case in job["validation"]:
    image, _, scale = load(case)
    points[case["id"]] = found(best, image, scale).tolist()
json.dump({"points": points, "steps": steps, "seconds": trained, "decoder": best,
           "losses": [losses[0], float(np.mean(losses[-20:]))]}, open(sys.argv[2], "w"))
"""


def cases_of(dataset: Dataset, ids: Sequence[str], names: Sequence[str]) -> list[Any]:
    """Return cases as the peer's script wants them."""
    found = []
    for case_id in ids:
        case = dataset.case(case_id)
        if case.annotation is None:
            continue
        points = read_points(case.annotation, names)[case_id].ordered(names)
        found.append(
            {
                "id": case_id,
                "image": str(case.images[0].resolve()),
                "points": points.coordinates.tolist(),
            }
        )
    return found


def run_landmarker(
    arguments: argparse.Namespace, dataset: Dataset, split: Any
) -> dict[str, Any]:
    """Train the peer in its own environment; return its scores."""
    names = dataset.raw["landmarks"]
    training, validation = (cases_of(dataset, ids, names) for ids in split)
    job = {
        "train": training,
        "validation": validation,
        "size": arguments.peer_size,
        "network": arguments.peer_network,
        "sigma": arguments.peer_sigma,
        "lr": 1e-3,
        "batch": 4,
        "threads": arguments.threads,
        "seed": 0,
        "seconds": 60 * arguments.minutes,
    }
    files = [arguments.work / name for name in ("job.json", "peer.py", "peer.json")]
    write_text(files[0], json.dumps(job))
    write_text(files[1], PEER)
    environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads)}
    environment.pop("PYTHONPATH", None)
    subprocess.run(
        [arguments.landmarker_python, str(files[1]), str(files[0]), str(files[2])],
        check=True,
        env=environment,
    )
    said = json.loads(files[2].read_text())
    scores = {}
    for case in validation:
        predicted, truth = (
            Points(tuple(names), np.array(places), np.ones(len(names)))
            for places in (said["points"][case["id"]], case["points"])
        )
        scores[case["id"]] = score_points(predicted, truth, dataset.spacing or (1, 1))
    kept = {name: said[name] for name in ("steps", "seconds", "decoder", "losses")}
    return {"scores": summarize_points(scores)[ALL], **kept}


def run_autoseg(
    arguments: argparse.Namespace, dataset: Dataset, root: Path
) -> dict[str, Any]:
    """Plan, train and validate as a user would; return the scores."""
    from autoseg.evaluate.summary import Summary
    from autoseg.fingerprint.stage import fingerprint
    from autoseg.preprocess.stage import preprocess
    from autoseg.train.stage import train
    from autoseg.workspace import SUMMARY, VALIDATION
    from planners.base import Budget
    from planners.stage import plan

    overrides = {}
    if arguments.spacing:
        overrides["spacing"] = [arguments.spacing] * 2
    if arguments.patch:
        overrides["patch_size"] = arguments.patch
    budget = Budget(memory_gb=arguments.memory, overrides=overrides, processor="cpu")
    fingerprint(dataset.folder, root)
    plan(dataset.folder, root, budget=budget)
    preprocess(dataset.folder, root, configurations=[CONFIGURATION])
    folder = train(
        dataset.folder,
        CONFIGURATION,
        0,
        root,
        time_budget=60 * arguments.minutes,
        threads=arguments.threads,
        device="cpu",
        overwrite=True,
    )
    summary = Summary.load(folder / VALIDATION / SUMMARY)
    return {"scores": dict(summary.points[ALL]), "seconds": 60 * arguments.minutes}


def main(argv: Sequence[str] | None = None) -> None:
    """Train what is asked for, and print what is known of all tools."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--work", type=Path, default=Path("landmark_vs_peers"))
    parser.add_argument("--tools", nargs="+", default=["landmarker", "autoseg"])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--landmarker-python")
    parser.add_argument("--peer-network", choices=["unet", "scn"], default="unet")
    parser.add_argument("--peer-size", type=int, nargs=2, default=[320, 256])
    parser.add_argument("--peer-sigma", type=float, default=1.5)
    parser.add_argument("--spacing", type=float, help="autoseg's, mm")
    parser.add_argument("--patch", type=int, nargs=2, help="autoseg's, pixels")
    parser.add_argument("--memory", type=float, help="autoseg's, GB")
    arguments = parser.parse_args(argv)
    arguments.work.mkdir(parents=True, exist_ok=True)
    dataset, root = load_dataset(arguments.dataset), arguments.work / "root"
    results_file = arguments.work / "results.json"
    results = json.loads(results_file.read_text()) if results_file.is_file() else {}
    split = load_fold(Workspace(root=root, dataset=dataset.name), dataset, 0)
    for tool in arguments.tools:
        if tool == "landmarker" and not arguments.landmarker_python:
            raise SystemExit("landmarker needs --landmarker-python")
        result = (
            run_landmarker(arguments, dataset, split)
            if tool == "landmarker"
            else run_autoseg(arguments, dataset, root)
        )
        key = f"{tool}, {arguments.minutes:g} min"
        # Another tool may have come to its end meanwhile.
        if results_file.is_file():
            results = json.loads(results_file.read_text())
        results[key] = {**result, "threads": arguments.threads}
        write_text(results_file, json.dumps(results, indent=1))
    print("| tool |", " | ".join(SHOWN), "|")
    print("|---|" + "---|" * len(SHOWN))
    for tool, result in sorted(results.items()):
        cells = [f"{result['scores'].get(name, np.nan):.3f}" for name in SHOWN]
        print(f"| {tool} |", " | ".join(cells), "|")
    print(PUBLISHED)


if __name__ == "__main__":
    main()
