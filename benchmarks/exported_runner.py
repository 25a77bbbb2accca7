"""Labels and processor time of exported runners beside `predict`.

    python benchmarks/exported_runner.py MODEL IMAGES [--cases 10] [--formats onnx]

MODEL is a folder or bundle of a model of labels, IMAGES a folder with its images. Each
case is predicted by turns by `autoseg.Predictor`, with and without --exact, and by the
runner of each exported folder, on arrays that were read before. Printed are the share
of voxels with the labels of --exact, and processor time (all threads, this process
alone) beside both, as medians over the cases. Starting up counts for nobody.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.formats.base import find_format
from autoseg.interop.runners.folder import export_folder
from autoseg.model.load import load_model
from autoseg.predict.options import Options
from autoseg.predict.predictor import Predictor


def main() -> None:
    """Print a row for each format."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--cases", type=int, default=10)
    parser.add_argument("--formats", nargs="+", default=["onnx", "openvino"])
    given = parser.parse_args()
    model = load_model(given.model)
    ways: dict[str, Callable[..., Any]] = {}
    for name, exact in (("predict", False), ("exact", True)):
        predictor = Predictor(model, Options(exact=exact, device="cpu"))
        ways[name] = predictor.predict
    with tempfile.TemporaryDirectory() as work:
        for name in given.formats:
            folder = export_folder(model, Path(work) / name, runtime=name)
            ways[name] = runner_of(folder).predict
        compare(ways, sorted(given.images.iterdir())[: given.cases], given.formats)


def compare(
    ways: dict[str, Callable[..., Any]], files: list[Path], formats: list[str]
) -> None:
    """Predict all files in all ways, and print what was found."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    same: dict[str, list[float]] = {name: [] for name in ways}
    for number, file in enumerate([files[0], *files]):
        image = find_format(file).read_image([file])
        array = np.asarray(image.array, np.float32)
        found = {}
        for name, predict in ways.items():
            start = time.process_time()
            found[name] = np.asarray(predict(array, image.geometry.spacing))
            seconds[name].append(time.process_time() - start)
        for name, labels in found.items():
            same[name].append(float(np.mean(labels == found["exact"])))
        if not number:  # the first call compiles
            seconds = {name: [] for name in ways}
            same = {name: [] for name in ways}
    for name in (*formats, "predict"):
        beside = {
            other: statistics.median(
                a / b for a, b in zip(seconds[name], seconds[other], strict=True)
            )
            for other in ("predict", "exact")
        }
        print(
            f"{name}: {np.mean(same[name]):.5%} of voxels as --exact (least "
            f"{min(same[name]):.5%}), median {statistics.median(seconds[name]):.2f} s "
            f"of processor time, {beside['predict']:.2f} of predict, "
            f"{beside['exact']:.2f} of predict --exact"
        )


def runner_of(folder: Path) -> Any:
    """Return the runner of an exported folder as a module."""
    spec = importlib.util.spec_from_file_location("run", folder / "run.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"{folder} has no run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
