"""Do one real training step of a plan on this machine, and measure it."""

from __future__ import annotations

import sys
import time
from typing import Any

from autoseg.errors import UsageError
from autoseg.spec.plan import Plan
from autoseg.spec.settings.recipe import AUTO, recomputes
from planners.memory.costs import cost_of
from planners.memory.model import GIB
from planners.network import is_declared
from planners.setting import Setting

SHARE = 0.8  # of this machine's free memory that a step on the CPU may take


def measure_step(plan: Plan, name: str, device: str = "auto") -> dict[str, Any]:
    """Return time and peak memory of a step, with what was predicted.

    Parameters
    ----------
    plan : Plan
        The plan.
    name : str
        Of the configuration.
    device : str
        As in `autoseg.train.setup.hardware.find_device`.

    Returns
    -------
    dict
        ``device``, ``precision``, ``seconds_per_step``, ``measured_bytes`` and
        ``predicted_bytes``, None for a network that the planners do not know. On a GPU
        the bytes are those of PyTorch's allocator, on a CPU the growth of this process.

    Raises
    ------
    UsageError
        If the step does not fit this machine.
    """
    import torch

    from autoseg.train.setup.hardware import choose_hardware

    hardware = choose_hardware(device, compile="off")
    kind = "cuda" if hardware.device.type == "cuda" else "cpu"
    setting = Setting(
        precision=hardware.precision,
        optimizer="sgd",
        device=kind,
        recompute=_recompute(plan),
    )
    chosen = plan.configuration(name)
    predicted = None
    if is_declared(chosen.network.name):
        predicted = cost_of(plan, name, setting).total(chosen.batch_size)
    if kind == "cpu" and predicted is not None:
        _check_free(predicted, name)
    before = _resident()
    try:
        seconds, measured = _steps(plan, name, hardware)
    except torch.cuda.OutOfMemoryError:
        raise UsageError(
            f"A step of {name} does not fit the GPU{_words(predicted)}. Plan with "
            "--budget-rule bytes, or a smaller --gpu-memory."
        ) from None
    if kind == "cpu":
        measured = _resident() - before
    return {
        "device": hardware.device.type,
        "precision": hardware.precision,
        "seconds_per_step": seconds,
        "measured_bytes": measured,
        "predicted_bytes": None if predicted is None else round(predicted),
    }


def _words(predicted: float | None) -> str:
    return "" if predicted is None else f": {predicted / GIB:.1f} GB are predicted"


def _steps(plan: Plan, name: str, hardware: Any) -> tuple[float, int]:
    """Do two steps on noise and time the second: the first one sets things up."""
    import torch

    from autoseg.networks.build import build_network
    from autoseg.train.loop.criterion import Criterion
    from autoseg.train.loop.gradients import Gradients
    from autoseg.train.loop.optimizer import make_optimizer
    from autoseg.train.setup.recipes import RECIPES
    from planners.memory.costs import inputs_of, task_of

    chosen, task, device = plan.configuration(name), task_of(plan), hardware.device
    points = task.learns_points
    network = build_network(plan, name, deep_supervision=not points, late=points)
    network.recompute = recomputes(_recompute(plan), device.type)
    network = hardware.place(network, chosen.dim).train()
    criterion = Criterion(
        task, chosen.batch_dice, chosen.spacing, chosen.head_stride
    ).to(device)
    optimizer = make_optimizer(RECIPES["nnunet"], network)
    gradients = Gradients(network, criterion, hardware, chosen.batch_size)
    scaler = hardware.scaler()
    channels = inputs_of(task, len(plan.channels), cascade=chosen.previous is not None)
    shape = (chosen.batch_size, *chosen.patch_size)
    images = torch.randn((shape[0], channels, *shape[1:]), device=device)
    learned: Any = torch.zeros(shape, dtype=torch.int16, device=device)
    if points:  # all are present, at the first voxel
        (head,) = task.heads
        place = [0.0] * chosen.dim + [1.0]
        target = torch.tensor(place, device=device)
        learned = {head.name: target.repeat(shape[0], head.channels, 1)}
    seconds = 0.0
    with hardware.thread_limit():
        for _ in range(2):
            start = time.perf_counter()
            loss = gradients(images, learned, scaler)
            scaler.step(optimizer)
            scaler.update()
            loss.item()  # waits for the device
            seconds = time.perf_counter() - start
    gradients.close()
    if device.type == "cuda":
        return seconds, int(torch.cuda.max_memory_allocated(device))
    return seconds, 0


def _recompute(plan: Plan) -> str:
    return str(plan.training.options.get("recompute", AUTO))


def _check_free(needed: float, name: str) -> None:
    import psutil

    free = psutil.virtual_memory().available
    if needed > SHARE * free:
        raise UsageError(
            f"A step of {name} needs {needed / GIB:.1f} GB, and {free / GIB:.1f} GB "
            "are free here: it is not tried. Measure on the machine that trains, or "
            "plan for less with --budget-rule bytes --gpu-memory."
        )


def _resident() -> int:
    """Return the largest memory that this process ever had, in bytes."""
    try:
        import resource
    except ImportError:  # Windows
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
