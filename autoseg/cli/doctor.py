"""Say what this machine has, and what training and prediction would take of it.

Prints processor, memory, GPUs, versions and optional packages, and finds what is
missing or known to fail. It changes nothing.

examples:
  autoseg doctor
  autoseg doctor --json          (for programs)
"""

from __future__ import annotations

import argparse
import platform
import textwrap
from importlib import metadata
from pathlib import Path
from typing import Any

from autoseg.errors import UsageError

PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "scikit-image",
    "SimpleITK",
    "nibabel",
    "blosc2",
    "connected-components-3d",
    "batchgenerators",
    "batchgeneratorsv2",
    "acvl-utils",
    "safetensors",
)
# The package that makes each extra of setup.cfg worth its name, and what it brings.
EXTRAS = {
    "openvino": ("openvino", "faster prediction on a CPU"),
    "dicom": ("highdicom", "DICOM series in; SEG and RTSTRUCT in and out"),
    "micro": ("zarr", "OME-Zarr, read and written by blocks"),
    "cluster": ("distributed", "cases and folds over machines by Dask"),
    "onnx": ("onnx", "models as ONNX, which run without torch"),
    "roi": ("roifile", "ImageJ's ROI files, read and written"),
    "sleap": ("h5py", "landmarks from SLEAP's HDF5 files"),
    "tensorboard": ("tensorboard", "curves of trainings: train --log tensorboard"),
    "mlflow": ("mlflow-skinny", "curves of trainings: train --log mlflow"),
    "wandb": ("wandb", "curves of trainings: train --log wandb"),
    "napari": ("napari", "predict, correct and save in a window of napari"),
    "completion": ("shtab", "Tab completes commands and options in bash, zsh, tcsh"),
}
LOW_MEMORY = 4e9  # bytes; less does not even hold a common CT and a network

RESULT = "all of it"
WIDTH = 80
WITHOUT_GPU = (
    "1000 epochs, as nnU-Net trains, take days to weeks without a GPU: `autoseg run`, "
    "or `train --time-budget 2h`, makes the network fit a time"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's arguments."""


def run(arguments: argparse.Namespace) -> int:
    """Print the report; return 1 if something is missing."""
    report = doctor()
    arguments.result = report
    if not arguments.json:
        print(as_text(report))
    return 1 if any(p["severity"] == "error" for p in report["problems"]) else 0


def doctor() -> dict[str, Any]:
    """Return everything that is known about this machine, as JSON values.

    Returns
    -------
    dict
        ``machine``, ``gpus``, ``versions``, ``extras``, ``predict``, ``train`` and
        ``problems``: each with ``severity``, ``found`` and ``fix``.
    """
    problems: list[dict[str, str]] = []
    versions = {name: _version(name) for name in ("autoseg", *PACKAGES)}
    for name, version in versions.items():
        if version is None:
            problems.append(
                {
                    "severity": "error",
                    "found": f"{name} is not installed",
                    "fix": f"pip install {name}",
                }
            )
    report: dict[str, Any] = {
        "machine": _machine(),
        "gpus": [],
        "versions": versions,
        "extras": {name: _version(package) for name, (package, _) in EXTRAS.items()},
        "predict": None,
        "train": None,
        "problems": problems,
    }
    if report["machine"]["memory_free"] < LOW_MEMORY:
        problems.append(
            {
                "severity": "warning",
                "found": f"{report['machine']['memory_free'] / 1e9:.1f} GB are free",
                "fix": "close other programs, or raise the container's limit",
            }
        )
    if versions["torch"] is not None:
        _ask_torch(report)
    return report


def _machine() -> dict[str, Any]:
    from autoseg.machine import cores, free_memory

    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "processor": _processor(),
        "cores": cores(),
        "memory": _all_memory(),
        "memory_free": free_memory(),
    }


def _processor() -> str:
    """Return the processor's name as people know it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    names = [r.partition(":")[2].strip() for r in text.splitlines() if "name" in r]
    return next((n for n in names if not n.isdigit()), platform.machine())


def _all_memory() -> int:
    import psutil

    return int(psutil.virtual_memory().total)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _ask_torch(report: dict[str, Any]) -> None:
    """Add what needs torch: devices, and what stages would choose."""
    import torch

    from autoseg.predict.device import cpu_computes_bf16, find_device
    from autoseg.predict.options import Options, choose_backend, choose_precision
    from autoseg.train.setup.hardware import choose_hardware

    report["machine"]["bf16"] = cpu_computes_bf16()
    report["gpus"] = [
        {
            "name": torch.cuda.get_device_name(i),
            "memory": torch.cuda.get_device_properties(i).total_memory,
        }
        for i in range(torch.cuda.device_count())
    ]
    built_for_gpu = torch.version.cuda is not None
    if built_for_gpu and not torch.cuda.is_available():
        report["problems"].append(
            {
                "severity": "warning",
                "found": f"torch is built for CUDA {torch.version.cuda}, but finds no "
                "GPU",
                "fix": "if there is one: update its driver, or look at "
                "CUDA_VISIBLE_DEVICES",
            }
        )
    device = find_device()
    options = Options()
    report["predict"] = {
        "device": str(device),
        "backend": choose_backend(options, device),
        "precision": choose_precision(options, device),
        "faster": _faster(report, str(device)),
    }
    try:
        chosen = choose_hardware()
    except UsageError as error:
        report["problems"].append(
            {"severity": "error", "found": str(error), "fix": "give --device cpu"}
        )
        return
    report["train"] = {
        "device": str(chosen.device),
        "precision": chosen.precision,
        "channels_last": chosen.channels_last,
        "compile": chosen.compile,
        "threads": chosen.threads,
        "loader_threads": chosen.loader_threads,
    }


def _faster(report: dict[str, Any], device: str) -> str | None:
    """Return flags that would make prediction faster here, or None."""
    if device != "cpu":
        return None
    flags = []
    if report["extras"]["openvino"]:
        flags.append("--backend openvino")
    if report["machine"]["bf16"]:
        flags.append("--precision bf16")
    return " ".join(flags) or None


def as_text(report: dict[str, Any]) -> str:
    """Return a report of `doctor` for people.

    Parameters
    ----------
    report : mapping
        The report.

    Returns
    -------
    str
        Several lines.
    """
    machine = report["machine"]
    bf16 = {True: "computes bf16", False: "no bf16", None: ""}[machine.get("bf16")]
    rows = [
        ("system", f"{machine['system']}, Python {machine['python']}"),
        ("processor", f"{machine['processor']}, {machine['cores']} cores, {bf16}"),
        (
            "memory",
            f"{machine['memory_free'] / 1e9:.1f} GB free of "
            f"{machine['memory'] / 1e9:.1f} GB",
        ),
    ]
    rows += [
        ("GPU", f"{gpu['name']}, {gpu['memory'] / 1e9:.0f} GB")
        for gpu in report["gpus"]
    ] or [("GPU", "none")]
    found = [f"{name} {v}" for name, v in report["versions"].items() if v]
    rows += _wrapped("versions", found)
    for name, (package, brings) in EXTRAS.items():
        version = report["extras"][name]
        state = f"{package} {version}" if version else "not installed"
        how = "" if version else f"; pip install autoseg[{name}]"
        rows.append((name, f"{state} ({brings}{how})"))
    for stage in ("predict", "train"):
        if report[stage] is not None:
            rows += [(stage, _choice(stage, report[stage]))]
    if report["train"] is not None and report["train"]["device"] == "cpu":
        rows.append(("length", WITHOUT_GPU))
    rows += [(p["severity"], f"{p['found']}: {p['fix']}") for p in report["problems"]]
    if not report["problems"]:
        rows.append(("problems", "none found"))
    return "\n".join(
        textwrap.fill(
            text,
            WIDTH,
            initial_indent=f"{name:<10} ",
            subsequent_indent=" " * 11,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for name, text in rows
    )


def _choice(stage: str, chosen: dict[str, Any]) -> str:
    words = [f"on {chosen['device']}", f"in {chosen['precision']}"]
    if stage == "predict":
        words.insert(1, f"with {chosen['backend']}")
        if chosen["faster"]:
            words.append(f"(faster, with a few other voxels: {chosen['faster']})")
    else:
        words += ["channels last"] * chosen["channels_last"]
        words += ["compiled"] * chosen["compile"]
        words.append(
            f"{chosen['threads']} threads, {chosen['loader_threads']} for reading"
        )
    return ", ".join(words).replace(", (", " (")


def _wrapped(
    name: str, words: list[str], width: int = WIDTH - 11
) -> list[tuple[str, str]]:
    """Return words in rows of a width, the first with a name."""
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + len(word) + 2 > width:
            lines.append("")
        lines[-1] += f", {word}" if lines[-1] else word
    return [(name if i == 0 else "", line) for i, line in enumerate(lines)]
