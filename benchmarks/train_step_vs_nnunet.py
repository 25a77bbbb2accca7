"""A step of training beside nnU-Net v2: the same network, patch, batch and threads.

nnU-Net's own trainer and autoseg compute the loss of one made batch, its gradients and
a step of SGD, in a process each that waits while the other computes::

    python benchmarks/train_step_vs_nnunet.py --nnunet-python ENV/bin/python
    python benchmarks/train_step_vs_nnunet.py --nnunet-python ENV/bin/python \\
        --device cuda --plan liver

The environment needs nnunetv2 (2.8.1 was used). Both take turns, one step each, so that
a busy hour meets both; printed are medians and the median of the steps' ratios. Data
are left out: what loaders cost, benchmarks/semantic_vs_nnunet.py tells.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Plan = tuple[list[int], tuple[int, int, int], int]  # features, patch, batch
PLANS: dict[str, Plan] = {
    "small": ([8, 16, 32, 64], (40, 56, 40), 2),  # what a CPU trains
    # As nnU-Net v2 plans 3d_fullres for the data sets of these names, for 8 GB.
    "hippocampus": ([32, 64, 128, 256], (40, 56, 40), 9),
    "prostate": ([32, 64, 128, 256, 320], (16, 320, 256), 2),
    "liver": ([32, 64, 128, 256, 320, 320], (128, 128, 128), 2),
}

NNUNET = r"""
import json, os, sys, time, torch
features, patch, batch, threads, device = json.loads(sys.argv[1])
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what nnU-Net says goes elsewhere
from nnunetv2.training.nnUNetTrainer import nnUNetTrainer as module
module.infer_dataset_class = lambda folder: None
torch.set_num_threads(threads)
count, dim = len(features), len(patch)
network = "dynamic_network_architectures.architectures.unet.PlainConvUNet"
sampling = "resample_data_or_seg_to_shape"
plans = {
    "dataset_name": "Dataset999_Made", "plans_name": "nnUNetPlans",
    "image_reader_writer": "SimpleITKIO", "label_manager": "LabelManager",
    "transpose_forward": [0, 1, 2], "transpose_backward": [0, 1, 2],
    "configurations": {"3d_fullres": {
        "data_identifier": "made", "preprocessor_name": "DefaultPreprocessor",
        "batch_size": batch, "patch_size": patch, "spacing": [1.0] * dim,
        "normalization_schemes": ["ZScoreNormalization"], "batch_dice": False,
        "use_mask_for_norm": [False],
        "architecture": {"network_class_name": network, "arch_kwargs": {
            "n_stages": count, "features_per_stage": features,
            "conv_op": "torch.nn.modules.conv.Conv3d",
            "kernel_sizes": [[3] * dim] * count,
            "strides": [[1] * dim] + [[2] * dim] * (count - 1),
            "n_conv_per_stage": [2] * count,
            "n_conv_per_stage_decoder": [2] * (count - 1), "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "dropout_op": None, "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU", "nonlin_kwargs": {"inplace": True},
        }, "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"]},
    }},
    "continue_training": False,
}
data = {"channel_names": {"0": "MRI"}, "labels": {"background": 0, "a": 1, "b": 2},
        "file_ending": ".nii.gz", "numTraining": 1}
trainer = module.nnUNetTrainer(plans, "3d_fullres", 0, data, torch.device(device))
trainer.initialize()
trainer.network.train()
scales = trainer._get_deep_supervision_scales()
labels = torch.randint(0, 3, (batch, 1, *patch)).float()
steps = [[round(1 / one) for one in scale] for scale in scales]
made = {"data": torch.randn(batch, 1, *patch),
        "target": [labels[:, :, ::a, ::b, ::c].contiguous() for a, b, c in steps]}
for _ in sys.stdin:
    start = time.perf_counter()
    trainer.train_step(made)
    if device != "cpu":
        torch.cuda.synchronize()
    print(time.perf_counter() - start, file=answers, flush=True)
"""


def answer(
    features: Sequence[int],
    patch: Sequence[int],
    batch: int,
    threads: int,
    device: str,
) -> None:
    """Time a step of ours for each line that comes in; runs in a process of its own."""
    from autoseg.cli.main import QUIET_THREADS

    os.environ.update(QUIET_THREADS)
    from autoseg.train.setup.hardware import choose_hardware

    hardware = choose_hardware(device, threads=threads)
    with hardware.thread_limit():
        step = step_of(hardware, features, patch, batch)
        for _ in sys.stdin:
            start = time.perf_counter()
            step()
            print(time.perf_counter() - start, flush=True)


def step_of(
    hardware: object, features: Sequence[int], patch: Sequence[int], batch: int
) -> Callable[[], None]:
    """Return a step of training on a made batch, as the trainer does it."""
    import torch
    from torch import nn

    from autoseg.networks import NETWORKS
    from autoseg.tasks import TASKS
    from autoseg.train.loop.criterion import Criterion
    from autoseg.train.loop.gradients import Gradients
    from autoseg.train.setup.hardware import Hardware

    if not isinstance(hardware, Hardware):
        raise TypeError("not a machine")
    count, dim = len(features), len(patch)
    network: nn.Module = NETWORKS["plain_unet"](
        1,
        {"classes": 3},
        True,
        dim=dim,
        features=features,
        kernels=[[3] * dim] * count,
        strides=[[1] * dim, *[[2] * dim] * (count - 1)],
        convs_encoder=[2] * count,
        convs_decoder=[2] * (count - 1),
    )
    network = hardware.place(network, dim)
    labels_of: dict[str, Any] = {"labels": {"background": 0, "a": 1, "b": 2}}
    task = TASKS["semantic"](**labels_of)
    criterion = Criterion(task, False, (1.0,) * dim)
    gradients = Gradients(network, criterion, hardware, batch)
    optimizer = torch.optim.SGD(
        network.parameters(), lr=1e-2, momentum=0.99, nesterov=True, weight_decay=3e-5
    )
    images = torch.randn(batch, 1, *patch)
    labels = torch.randint(0, 3, (batch, *patch), dtype=torch.int16)
    scaler, device = hardware.scaler(), hardware.device

    def step() -> None:
        gradients(images.to(device), labels.to(device), scaler)
        nn.utils.clip_grad_norm_(network.parameters(), 12)
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()

    return step


def main() -> None:
    """Let both take turns, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nnunet-python", type=Path)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--plan", choices=PLANS, default="small")
    parser.add_argument("--json", type=Path, help="where to write the medians")
    parser.add_argument("--answer", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.answer:
        answer(*json.loads(arguments.answer))
        return
    if arguments.nnunet_python is None:
        parser.error("--nnunet-python is needed")
    plan = PLANS[arguments.plan]
    given = json.dumps([*plan, arguments.threads, arguments.device])
    sides = {
        "nnunet": [str(arguments.nnunet_python), "-c", NNUNET, given],
        "autoseg": [sys.executable, __file__, "--answer", given],
    }
    with tempfile.TemporaryDirectory() as folder:
        names = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
        folders = {name: str(Path(folder) / name) for name in names}
        seconds = by_turns(sides, arguments.steps, os.environ | folders)
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    pairs = zip(seconds["autoseg"], seconds["nnunet"], strict=True)
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    for name, median in medians.items():
        print(f"{name:8} {median:.4f} s a step (fastest {min(seconds[name]):.4f})")
    print(f"ratio {ratio:.3f}, median of {arguments.steps} pairs")
    if arguments.json:
        text = json.dumps({**medians, "ratio": ratio})
        arguments.json.write_text(text, encoding="utf-8")


def by_turns(
    sides: dict[str, list[str]], steps: int, environment: dict[str, str]
) -> dict[str, list[float]]:
    """Return the seconds of each step of each side, the first three left out."""
    workers = {
        name: subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        for name, words in sides.items()
    }
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    try:
        for turn in range(steps + 3):
            for name, worker in workers.items():
                if worker.stdin is None or worker.stdout is None:
                    raise RuntimeError("a worker without pipes")
                worker.stdin.write("step\n")
                worker.stdin.flush()
                line = worker.stdout.readline()
                if not line:
                    sys.exit(f"{name} ended early")
                if turn >= 3:
                    seconds[name].append(float(line))
    finally:
        for worker in workers.values():
            worker.kill()
            worker.wait()
    return seconds


if __name__ == "__main__":
    main()
