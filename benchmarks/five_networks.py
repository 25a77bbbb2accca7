"""Networks from plan to bundle: planned, trained, predicted with, exported, loaded.

Each network is planned in 2-D and 3-D with few channels, trained for some hundred
steps on a part of a data set, and predicts the cases that were held back window by
window; the model is written as a bundle, and the bundle predicts them once more, in a
process of its own. All by the real commands::

    python benchmarks/five_networks.py Dataset004_Hippocampus --iterations 300

Prints the mean Dice of the held-back cases, the share of voxels in which the bundle's
labels are those of the training's own prediction, and processor seconds. What is done
stays in WORK, and the same command goes on with the rest. Networks have few channels
and short trainings here: that they learn is shown, not how good they can be.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from networks import run, semantic_cases

from autoseg.evaluate.measures import mean_over_classes
from autoseg.evaluate.summary import Summary
from autoseg.formats.base import find_format
from autoseg.workspace import SUMMARY, VALIDATION, Workspace

U_NET: dict[str, Any] = {"network.features": [8, 16, 32, 64]}
UNETR: dict[str, Any] = {
    "network.features": [8, 16, 32],
    "network.hidden": 96,
    "network.mlp": 192,
    "network.attention": 4,
}
# Widths; rates of their own are for trainings a hundred times as long.
NETWORKS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "plain_unet": (U_NET, []),
    "residual_unet": ({**U_NET, "network.blocks": [1, 2, 2, 2]}, []),
    "attention_unet": (U_NET, []),
    "unetpp": (U_NET, []),
    "mednext": (U_NET, ["--lr", "0.003"]),
    "segnet": (U_NET, []),
    "unetr": (UNETR, ["--lr", "0.001"]),
}
SIZES: dict[str, dict[str, Any]] = {
    "2d": {"patch_size": [48, 32], "batch_size": 12},
    "3d_fullres": {"patch_size": [32, 48, 32], "batch_size": 2},
}


@dataclass(frozen=True)
class Way:
    """One network from plan to bundle."""

    network: str
    configuration: str
    space: Workspace

    @property
    def name(self) -> str:
        """Return a name of its plan, and so of its folder."""
        return f"{self.network}_{self.configuration}"

    @property
    def fold(self) -> Path:
        """Return the folder of its training."""
        return self.space.fold(self.name, self.configuration, "0")


def with_splits(dataset: Path, held_back: int) -> list[str]:
    """Let one fold hold back the last cases of a data set of ours; return them."""
    ending = json.loads((dataset / "dataset.json").read_text())["file_ending"]
    labels = sorted((dataset / "labelsTr").glob(f"*{ending}"))
    cases = [path.name.removesuffix(ending) for path in labels]
    split = {"train": cases[:-held_back], "val": cases[-held_back:]}
    (dataset / "splits.json").write_text(json.dumps([split]))
    return split["val"]


def spent() -> float:
    """Return processor seconds of all commands so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def train(way: Way, dataset: Path, arguments: argparse.Namespace) -> float:
    """Plan and train a network; return processor seconds."""
    begun, where = spent(), ["--root", way.space.root]
    log = way.space.root / f"{way.name}.txt"
    chosen, more = NETWORKS[way.network]
    sizes = {
        f"{name}.{key}": value
        for name, size in SIZES.items()
        for key, value in size.items()
    }
    settings = [f"{k}={json.dumps(v)}" for k, v in {**chosen, **sizes}.items()]
    words = ["plan", dataset, *where, "--network", way.network, "--name", way.name]
    run([*words, "--set", *settings], log)
    words = ["train", dataset, way.configuration, 0, *where, "--plan", way.name]
    words += ["--iterations", arguments.iterations, "--device", arguments.device]
    run([*words, "--threads", arguments.threads, *more], log)
    return spent() - begun


def through_bundle(
    way: Way, dataset: Path, images: Path, arguments: argparse.Namespace
) -> tuple[int, int]:
    """Export, and predict with the bundle; return equal voxels and their number."""
    log, where = way.space.root / f"{way.name}.txt", ["--root", way.space.root]
    bundle = way.space.root / f"{way.name}.zip"
    words = ["export", dataset, *where, "--plan", way.name, "-o", bundle]
    run([*words, "-c", way.configuration, "--overwrite"], log)
    found = way.space.root / "predicted" / way.name
    words = ["predict", "-m", bundle, "-i", images, "-o", found, "--overwrite"]
    run([*words, "--device", arguments.device], log)
    same = count = 0
    files = [p for p in (way.fold / VALIDATION).iterdir() if p.name[0] not in "._"]
    for path in files:
        other = found / path.name
        if other.suffix != ".json" and other.is_file():
            one, two = (find_format(p).read_labels(p)[0] for p in (path, other))
            same, count = same + int(np.sum(one == two)), count + one.size
    if not count:
        sys.exit(f"{found} has none of the images of {way.fold / VALIDATION}")
    return same, count


def row_of(way: Way, dataset: Path, images: Path, arguments: Any) -> dict[str, Any]:
    """Go the whole way; return a row of the table."""
    seconds = train(way, dataset, arguments)
    begun = spent()
    same, count = through_bundle(way, dataset, images, arguments)
    summary = Summary.load(way.fold / VALIDATION / SUMMARY)
    cases = [mean_over_classes(scores, "dice") for scores in summary.cases.values()]
    return {
        "network": way.network,
        "configuration": way.configuration,
        "iterations": arguments.iterations,
        "dice": statistics.fmean(cases),
        "cases": len(cases),
        "same": same,
        "voxels": count,
        "seconds": seconds,
        "seconds_bundle": spent() - begun,
    }


def show(row: dict[str, Any]) -> str:
    """Return a line of the table."""
    return (
        f"| `{row['network']}` | {row['configuration']} | {row['iterations']} "
        f"| {row['dice']:.3f} | {row['same']} of {row['voxels']} "
        f"| {row['seconds']:.0f} | {row['seconds_bundle']:.0f} |"
    )


def main() -> None:
    """Go the way with all networks that are missing, and print a line each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--work", type=Path, default=Path("benchmark_five_networks"))
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--cases", type=int, default=60, help="the first")
    parser.add_argument("--held-back", type=int, default=8, help="of these")
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--configurations", nargs="+", default=list(SIZES))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    work = arguments.work.absolute()
    dataset = semantic_cases(arguments.dataset.absolute(), arguments.cases, work)
    held_back = with_splits(dataset, arguments.held_back)
    images = work / "held_back"
    images.mkdir(exist_ok=True)
    for case in held_back:
        for file in (dataset / "imagesTr").glob(f"{case}_*"):
            if not (images / file.name).exists():
                (images / file.name).symlink_to(file.resolve())
    space, record = Workspace(root=work, dataset=dataset.name), work / "rows.jsonl"
    if not space.fingerprint.is_file():
        run(["fingerprint", dataset, "--root", work], work / "fingerprint.txt")
    record.touch()
    rows = [json.loads(row) for row in record.read_text().splitlines()]
    done = {(r["network"], r["configuration"], r["iterations"]): r for r in rows}
    print("| network | | steps | Dice | labels of the bundle | training s | bundle s |")
    print("|---" * 7 + "|")
    for configuration in arguments.configurations:
        for network in arguments.networks:
            key = (network, configuration, arguments.iterations)
            if key not in done:
                way = Way(network, configuration, space)
                done[key] = row_of(way, dataset, images, arguments)
                with record.open("a") as file:
                    file.write(json.dumps(done[key]) + "\n")
            print(show(done[key]), flush=True)


if __name__ == "__main__":
    main()
