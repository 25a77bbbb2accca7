"""Arguments that choose a planner and its budget, for all commands that plan."""

from __future__ import annotations

import argparse

from autoseg.cli._settings import parse_settings
from autoseg.gpu import gpu_memory_gb, has_gpu
from planners import PLANNERS
from planners.base import Budget


def add_planning(parser: argparse.ArgumentParser) -> None:
    """Declare what chooses a planner and its budget."""
    parser.add_argument(
        "--planner",
        default="unet",
        metavar="NAME",
        help=f"one of {', '.join(PLANNERS.names())}; by default %(default)s",
    )
    parser.add_argument(
        "--preset", metavar="SIZE", help="size of the planner: M, L or XL"
    )
    parser.add_argument(
        "--name",
        "-overwrite_plans_name",
        metavar="NAME",
        help="name of the plan; by default the planner's, with the preset",
    )
    parser.add_argument(
        "--gpu-memory",
        "-gpu_memory_target",
        type=float,
        metavar="GB",
        help="device memory for training; by default 8, or the preset's (M 8, L 24, "
        "XL 40), and with --budget-rule bytes that of the GPU that is there; for "
        "landmarks 0.5 if there is no GPU",
    )
    parser.add_argument(
        "--budget-rule",
        choices=("nnunet", "bytes"),
        default="nnunet",
        help="nnunet: plans as nnU-Net v2 makes them; bytes: by what a step needs",
    )
    parser.add_argument(
        "--set",
        dest="settings",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="fix values and plan around them: spacing, patch_size, batch_size, "
        "network, network.features, ..., also for one configuration, as in "
        "2d.batch_size=16",
    )


def budget_of(arguments: argparse.Namespace) -> Budget:
    """Return the budget that the arguments of `add_planning` give."""
    memory = arguments.gpu_memory
    if memory is None and arguments.budget_rule == "bytes":
        memory = gpu_memory_gb()
    return Budget(
        memory_gb=memory,
        rule=arguments.budget_rule,
        preset=arguments.preset,
        overrides=parse_settings(arguments.settings),
        processor="gpu" if has_gpu() else "cpu",
    )
