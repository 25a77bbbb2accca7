"""Everything that waits for a GPU, in the order of its worth, in eight minutes.

    python benchmarks/gpu_day.py --out gpu_day            # on the day
    python benchmarks/gpu_day.py --device cpu --rehearse  # before: small, and on a CPU

With `--nnunet-python ENV/bin/python` also beside nnU-Net 2.8.1, and with `--model` and
`--images` its prediction beside ours. A machine without network makes that environment
of wheels that were carried along (`pip wheel -w WHEELS nnunetv2==2.8.1` before)::

    python -m venv --system-site-packages ENV
    ENV/bin/pip install --no-index --find-links WHEELS nnunetv2

Each part is a process of its own, so that one that fails, hangs or breaks the device
costs no other. Its rows are written as they come to OUT/PART.jsonl; after each part
OUT/gpu_day.json and a table on the screen have everything so far. A row that failed
says why, and the part goes on with the next.

smoke     all tasks: train, stop, go on, predict; number formats; compiled or not; the
          late logits and the fine stage of landmarks; a cascade
memory    predicted against measured peak of a step, 24 plans
speed     seconds an iteration and the loader's share, by `train` itself
layout    a step in eager mode, compiled, with CUDA graphs, channels last, and of
          nnU-Net's network if its package is there
predict   seconds a volume, by number format
together  two processes on one device against one: weights and seconds
beside    a step of three plans by nnU-Net's trainer and ours by turns; a prediction
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import importlib.util
import itertools
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

LIMIT = 480.0  # seconds for all parts
PLANS = 24
Row = dict[str, Any]
Work = Callable[..., Any]


@dataclasses.dataclass
class Day:
    """What a part knows.

    Parameters
    ----------
    device : str
        As in `autoseg.train`.
    small : bool
        Rehearse: sizes that a CPU does in seconds.
    folder : Path
        Of everything that is made.
    file : Path
        Where rows go.
    nnunet : Path or None
        A Python that has nnU-Net.
    model, images : Path or None
        What nnU-Net trained, and images for it.
    """

    device: str
    small: bool
    folder: Path
    file: Path
    nnunet: Path | None = None
    model: Path | None = None
    images: Path | None = None

    @property
    def gpu(self) -> bool:
        """Whether it is a CUDA device."""
        return self.device.startswith("cuda")

    def row(self, what: str, work: Work, *given: Any, **options: Any) -> Any:
        """Do something, write how it went, and return what it gave; None: it failed."""
        start = time.perf_counter()
        row: Row = {"what": what, "ok": True}
        found = None
        try:
            found = work(*given, **options)
            if isinstance(found, dict):
                row |= found
        except (Exception, KeyboardInterrupt) as error:
            first = (str(error).strip().splitlines() or [""])[0]
            row |= {"ok": False, "error": f"{type(error).__name__}: {first}"[:500]}
            traceback.print_exc()
        row["seconds"] = round(time.perf_counter() - start, 2)
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, default=str) + "\n")
        return found if row["ok"] else None


# Smoke -------------------------------------------------------------------------------


def prepare(day: Day, phantom: str, cases: int = 6, **size: int) -> Path:
    """Write, plan and preprocess a phantom; return its folder."""
    import autoseg

    folder = day.folder / "raw" / phantom
    if not folder.exists():
        module = importlib.import_module(f"autoseg.phantoms.{phantom}")
        module.make_dataset(folder, training=cases, test=1, **size)
        memory = 0.3 if day.small else 2.0
        autoseg.plan_and_preprocess(folder, day.folder, gpu_memory=memory)
    return folder


def configurations(day: Day, folder: Path) -> list[str]:
    """Return the names of what was planned."""
    from autoseg.spec.plan import Plan
    from autoseg.workspace import Workspace

    return list(
        Plan.load(Workspace.find(folder, day.folder).plan("unet")).configurations
    )


def train(
    day: Day, folder: Path, name: str, fold: int | str = 0, **options: Any
) -> Path:
    """Train a few iterations, with a small network in the rehearsal."""
    import autoseg

    settings = {"train.iterations_per_epoch": 10, "train.validation_batches": 2}
    settings |= dict(options.pop("settings", {}))
    given = {"iterations": 4 if day.small else 30, "validation": False, **options}
    given.setdefault("device", day.device)
    return autoseg.train(folder, name, fold, day.folder, settings=settings, **given)


def stopped(day: Day, folder: Path, name: str) -> Row:
    """Stop a training by SIGTERM, and go on with it."""
    iterations = 12 if day.small else 60
    asked = threading.Event()

    def ask() -> None:
        log = folder_of(day, folder, name) / "log.jsonl"
        while not asked.is_set():
            if log.exists() and log.stat().st_size:
                os.kill(os.getpid(), signal.SIGTERM)
                return
            time.sleep(0.05)

    threading.Thread(target=ask, daemon=True).start()
    was_stopped = False
    try:
        train(day, folder, name, iterations=iterations)
    except KeyboardInterrupt:
        was_stopped = True
    asked.set()
    train(day, folder, name, iterations=iterations, validation=True)
    return {"stopped": was_stopped}


def folder_of(day: Day, folder: Path, name: str, fold: int | str = 0) -> Path:
    """Return the folder of a fold."""
    from autoseg.workspace import Workspace

    return Workspace.find(folder, day.folder).fold("unet", name, fold)


def predict(day: Day, folder: Path, name: str, **options: Any) -> Row:
    """Predict the test images with fold 0."""
    import autoseg

    output = day.folder / "predicted" / f"{folder.name}_{len(options)}_{time.time()}"
    model = folder_of(day, folder, name).parent
    autoseg.predict(
        model, folder / "imagesTs", output, folds=[0], device=day.device, **options
    )
    return {"files": len(list(output.iterdir()))}


def smoke(day: Day) -> None:
    """All tasks, each way once."""
    size = {"size": 40} if day.small else {}
    for phantom in ("heart", "cells", "beetle"):
        sizes = {"size": 96} if phantom == "cells" else size
        folder = day.row(f"{phantom}: prepare", prepare, day, phantom, **sizes)
        if folder is None:
            continue
        for name in configurations(day, folder):
            what = f"{phantom}, {name}"
            day.row(f"{what}: train, stop, go on", stopped, day, folder, name)
            day.row(f"{what}: predict", predict, day, folder, name)
    heart = day.folder / "raw" / "heart"
    name = configurations(day, heart)[-1]
    kinds = ("fp32", "bf16", "fp16") if day.gpu else ("fp32",)
    for fold, (precision, compiled) in enumerate(
        itertools.product(kinds, ("off", "on") if day.gpu else ("off",)), start=1
    ):
        options = {"precision": precision, "compile": compiled, "overwrite": True}
        day.row(
            f"heart, {name}: {precision}, compile {compiled}",
            logged,
            day,
            heart,
            name,
            fold % 5,
            **options,
        )
    for uncertain in (False, True):
        options = {"uncertainty": uncertain, "save_probabilities": not uncertain}
        day.row(
            f"heart, {name}: predict {options}", predict, day, heart, name, **options
        )
    day.row("heart: cascade", cascade, day, heart)


def cascade(day: Day, folder: Path) -> Row:
    """Plan a low resolution by hand, train both stages' folds, predict."""
    import autoseg

    settings = {"3d_fullres.patch_size": [16, 16, 16], "3d_lowres.spacing": [4, 4, 4]}
    made = autoseg.plan_and_preprocess(
        folder, day.folder, gpu_memory=0.3, name="casc", settings=settings
    )
    del made
    names = ("3d_lowres", "3d_cascade_fullres")
    for fold in range(5):
        train(day, folder, names[0], fold, plan="casc", validation=True)
    train(day, folder, names[1], 0, plan="casc", validation=True)
    return {}


def logged(day: Day, folder: Path, name: str, *given: Any, **options: Any) -> Row:
    """Train, and return what the last line of the log says."""
    folder = train(day, folder, name, *given, **options)
    lines = (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
    entry = json.loads(lines[-1])
    names = ("loss", "seconds_per_iteration", "waiting_for_loader", "memory_bytes")
    return {**{name: entry[name] for name in names}, **(usage() if day.gpu else {})}


# Memory ------------------------------------------------------------------------------


def memory(day: Day) -> None:
    """Predicted against measured, by the function that `plan --measure` uses."""
    import plan_memory

    from autoseg.cli._measure import measure_step

    every = list(plan_memory.plans())
    for plan, name in every[:: max(1, len(every) // PLANS)][:PLANS]:
        tried = plan_memory.shrunk(plan, name) if day.small else plan

        def measured(plan: Any = tried, name: str = name) -> Row:
            import torch

            if day.gpu:
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
            found = measure_step(plan, name, day.device)
            share = found["measured_bytes"] / max(1, found["predicted_bytes"] or 1)
            return {**found, "measured/predicted": round(share, 3)}

        day.row(f"{plan.dataset}, {plan.name}, {name}", measured)


# Speed -------------------------------------------------------------------------------


def speed(day: Day) -> None:
    """Iterations of `train` itself, with its loader."""
    sizes = ({"size": 40},) if day.small else ({"size": 64}, {"size": 128})
    for size in sizes:
        place = dataclasses.replace(day, folder=day.folder / f"speed{size['size']}")
        folder = day.row(f"heart of {size}: prepare", prepare, place, "heart", **size)
        if folder is None:
            continue
        for name in configurations(place, folder):
            count = 6 if day.small else 100
            day.row(
                f"heart of {size}, {name}: {count} iterations",
                logged,
                place,
                folder,
                name,
                iterations=count,
            )


def usage() -> Row:
    """Return how busy the GPU is, as its driver says."""
    query = [
        "nvidia-smi",
        "--query-gpu=utilization.gpu,memory.used",
        "--format=csv,noheader",
    ]
    try:
        found = subprocess.run(query, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return {"nvidia-smi": found.stdout.strip()}


# A step in several ways --------------------------------------------------------------


def layout(day: Day) -> None:
    """One network, one batch: what compiling, CUDA graphs and layouts change."""
    import torch

    from autoseg.networks import NETWORKS

    count = 3 if day.small else 6
    features = [8, 16, 16] if day.small else [32, 64, 128, 256, 320, 320]
    patch = (16,) * 3 if day.small else (128, 128, 128)
    options = {
        "dim": 3,
        "features": features,
        "kernels": [[3] * 3] * count,
        "strides": [[1] * 3] + [[2] * 3] * (count - 1),
        "convs_encoder": [2] * count,
        "convs_decoder": [2] * (count - 1),
    }
    images = torch.randn((2, 1, *patch), device=day.device)
    half = torch.autocast(day.device.partition(":")[0], dtype=torch.bfloat16)
    ours = lambda: NETWORKS["plain_unet"](1, {"classes": 3}, False, **options)  # noqa: E731
    ways: dict[str, Work] = {
        "eager": lambda: ours().to(day.device),
        "eager, channels last": lambda: (
            ours().to(day.device).to(memory_format=torch.channels_last_3d)
        ),
    }
    for mode in ("default", "reduce-overhead", "max-autotune") if day.gpu else ():
        ways[f"compiled, {mode}"] = lambda mode=mode: torch.compile(
            ours().to(day.device), mode=mode
        )
    if importlib.util.find_spec("dynamic_network_architectures"):
        ways["nnU-Net's network, eager"] = lambda: _theirs(options).to(day.device)
    for what, make in ways.items():
        day.row(what, _timed, day, make, images, half)


def _theirs(options: Row) -> Any:
    """Return the same network as nnU-Net makes it, if its package is there."""
    import torch
    from dynamic_network_architectures.architectures.unet import PlainConvUNet

    return PlainConvUNet(
        1,
        len(options["features"]),
        options["features"],
        torch.nn.Conv3d,
        options["kernels"],
        options["strides"],
        options["convs_encoder"],
        3,
        options["convs_decoder"],
        conv_bias=True,
        norm_op=torch.nn.InstanceNorm3d,
        norm_op_kwargs={"eps": 1e-5, "affine": True},
        nonlin=torch.nn.LeakyReLU,
        nonlin_kwargs={"inplace": True},
    )


def _timed(day: Day, make: Work, images: Any, half: Any) -> Row:
    import torch

    network = make()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    spent = []
    for _ in range(3 if day.small else 12):
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with half:
            found = network(images)
        outputs = found["classes"] if isinstance(found, dict) else found
        outputs.float().square().mean().backward()
        optimizer.step()
        if day.gpu:
            torch.cuda.synchronize()
        spent.append(time.perf_counter() - start)
    peak = torch.cuda.max_memory_allocated() if day.gpu else 0
    return {"step": sorted(spent[1:])[len(spent) // 2 - 1], "peak": peak}


# Prediction --------------------------------------------------------------------------


def prediction(day: Day) -> None:
    """Seconds for the test image of a phantom, a second time in the same process."""
    size = 40 if day.small else 128
    place = dataclasses.replace(day, folder=day.folder / "predict")
    folder = day.row("heart: prepare", prepare, place, "heart", size=size)
    if folder is None:
        return
    name = configurations(place, folder)[-1]
    day.row("heart: train", train, place, folder, name)
    for precision in ("fp32", "bf16", "fp16") if day.gpu else ("fp32",):
        for again in (1, 2):
            day.row(
                f"heart of {size}, {precision}, {again}",
                predict,
                place,
                folder,
                name,
                precision=precision,
            )


# Two processes -----------------------------------------------------------------------


def together(day: Day) -> None:
    """Two processes on one device: the weights of one, and how long they take."""
    import torch

    place = dataclasses.replace(day, folder=day.folder / "together")
    folder = day.row("heart: prepare", prepare, place, "heart", size=40)
    if folder is None:
        return
    name = configurations(place, folder)[-1]
    device = "cuda:0" if day.gpu else day.device
    same = {"precision": "fp32", "recipe": "nnunet", "compile": "off", "iterations": 10}
    weights = {}
    for fold, processes in ((0, 1), (1, 2)):
        # The same cases: what differs is only how many train together.
        splits = next(place.folder.rglob("splits.json"), None)
        if splits is not None and fold == 0:
            found = json.loads(splits.read_text())
            splits.write_text(json.dumps([found[0]] * len(found)))
        options = {**same, "device": device, "processes": processes}
        made = day.row(
            f"{processes} process(es)", train, place, folder, name, fold, **options
        )
        if made is None:
            return
        weights[processes] = torch.load(
            made / "checkpoint_final.pt", weights_only=True, map_location="cpu"
        )["weights"]
    pairs = zip(weights[1].values(), weights[2].values(), strict=True)
    apart = max(float((a - b).abs().max()) for a, b in pairs)
    day.row("largest difference of weights", dict, apart=apart)


# Beside nnU-Net ----------------------------------------------------------------------


def beside(day: Day) -> None:
    """Steps and a prediction of nnU-Net and ours, by scripts of their own."""
    if day.nnunet is None:
        day.row("nothing was asked for: there is no --nnunet-python", dict)
        return
    plans = ("small",) if day.small else ("hippocampus", "prostate", "liver")
    common = ["--nnunet-python", day.nnunet, "--device", day.device]
    for plan in plans:
        words = ["--plan", plan, "--steps", 3 if day.small else 20]
        script = "train_step_vs_nnunet"
        day.row(f"a step, {plan}", _by_script, day, script, common + words)
    if day.model is not None and day.images is not None:
        words = ["--model", day.model, "--images", day.images, "--runs", 1]
        day.row("a prediction", _by_script, day, "predict_vs_nnunet", common + words)


def _by_script(day: Day, name: str, words: Sequence[object]) -> Row:
    """Run a script beside this one, and return what it writes."""
    day.folder.mkdir(parents=True, exist_ok=True)
    answer = day.folder / f"{name}.json"
    answer.unlink(missing_ok=True)
    script = Path(__file__).with_name(f"{name}.py")
    command = [sys.executable, script, *words, "--json", answer]
    subprocess.run([str(word) for word in command], check=True)
    return {"found": json.loads(answer.read_text(encoding="utf-8"))}


PARTS: dict[str, Callable[[Day], None]] = {
    "smoke": smoke,
    "memory": memory,
    "speed": speed,
    "layout": layout,
    "predict": prediction,
    "together": together,
    "beside": beside,
}
SHARES = {"smoke": 0.4, "memory": 0.3}  # of the time that is left, at most; else 0.5


def main(argv: Sequence[str] | None = None) -> int:
    """Run the parts that are wanted, or one of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--rehearse", action="store_true", help="small sizes")
    parser.add_argument("--out", type=Path, default=Path("gpu_day"))
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds for all")
    parser.add_argument("--nnunet-python", type=Path, help="has nnunetv2")
    parser.add_argument("--model", type=Path, help="a model of nnU-Net's")
    parser.add_argument("--images", type=Path, help="for it")
    parser.add_argument("--only", choices=PARTS, help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    given.out.mkdir(parents=True, exist_ok=True)
    if given.only is not None:
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        file = given.out / f"{given.only}.jsonl"
        folder = given.out.resolve() / f"work_{given.only}"
        peer = (given.nnunet_python, given.model, given.images)
        PARTS[given.only](Day(given.device, given.rehearse, folder, file, *peer))
        return 0
    return _all(given)


def _all(given: argparse.Namespace) -> int:
    until = time.monotonic() + given.limit
    results: dict[str, Any] = {}
    for name in given.parts:
        left = until - time.monotonic()
        if left < 5:
            results[name] = {"ended": "there was no time left", "rows": []}
            continue
        last_one = name == given.parts[-1]
        limit = left if last_one else left * SHARES.get(name, 0.5)
        command = [sys.executable, __file__, "--only", name, "--device", given.device]
        command += ["--out", str(given.out), *["--rehearse"] * given.rehearse]
        for name_of in ("nnunet_python", "model", "images"):
            if (value := getattr(given, name_of)) is not None:
                command += [f"--{name_of.replace('_', '-')}", str(value.absolute())]
        results[name] = _part(command, given.out / f"{name}.jsonl", limit)
        text = json.dumps(results, indent=1)
        (given.out / "gpu_day.json").write_text(text, encoding="utf-8")
        print(table(name, results[name]), flush=True)
    failed = [
        f"{name}: {row['what']}"
        for name, part in results.items()
        for row in part["rows"]
        if not row["ok"]
    ]
    ended = [
        f"{name}: {part['ended']}" for name, part in results.items() if part["ended"]
    ]
    print("\n".join(["", *(f"FAILED {line}" for line in (*failed, *ended))]))
    return 1 if failed or ended else 0


def _part(command: Sequence[str], file: Path, limit: float) -> Row:
    file.unlink(missing_ok=True)
    root = Path(__file__).resolve().parents[1]
    paths = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    ended = ""
    with file.with_suffix(".log").open("w") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": paths},
            start_new_session=True,
        )
        try:
            code = process.wait(limit)
            ended = f"exit code {code}" if code else ""
        except subprocess.TimeoutExpired:
            ended = f"ended after {limit:.0f} s"
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return {"ended": ended, "rows": [json.loads(line) for line in lines]}


def table(name: str, part: Row) -> str:
    """Return the rows of a part, for a person."""
    lines = [f"\n## {name}{' (' + part['ended'] + ')' if part['ended'] else ''}\n"]
    lines += list(_rows(part["rows"]))
    return "\n".join(lines)


def _rows(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        rest = {
            k: v for k, v in row.items() if k not in ("what", "ok", "seconds", "error")
        }
        said = row.get("error", json.dumps(rest) if rest else "")
        mark = "ok" if row["ok"] else "FAILED"
        yield f"{mark:6} {row['seconds']:7.2f} s  {row['what']}  {said}"


if __name__ == "__main__":
    sys.exit(main())
