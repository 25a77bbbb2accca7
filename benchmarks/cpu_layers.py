"""What do layers gain on the CPU by being asked in another way?

Plain U-Nets compute one window, and a step forward and backward, on one thread: as
torch does by itself (channels first to predict, channels last to train in bf16), as
autoseg does (`autoseg.networks.packed`, `autoseg.networks.onednn`), and, to predict
where OpenVINO is installed, as it does::

    python benchmarks/cpu_layers.py [--repeats 7] [--only "8-16-32-64, 40x56x40"]

Seconds are of the processor, medians; all ways take turns. Ratios are autoseg's to each
of the others.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from autoseg.networks import NETWORKS
from autoseg.networks.onednn import prefer_onednn
from autoseg.networks.packed import can_pack, pack
from autoseg.predict.backends.openvino import OpenVinoNetwork, is_installed

# features, patch, batch of a training
NETS = {
    "8-16-32-64, 40x56x40": ([8, 16, 32, 64], (40, 56, 40), 2),
    "32-64-128-256, 40x56x40": ([32, 64, 128, 256], (40, 56, 40), 2),
    "16 to 256, 256x256": ([16, 32, 64, 128, 256, 256, 256], (256, 256), 4),
    "32 to 512, 256x256": ([32, 64, 128, 256, 512, 512, 512], (256, 256), 2),
}


def main() -> None:
    """Print a table for each of predicting and training."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only", nargs="+", choices=NETS, default=list(NETS))
    arguments = parser.parse_args()
    repeats = arguments.repeats
    torch.set_num_threads(1)
    kinds = [kind for kind in (torch.float32, torch.bfloat16) if can_pack(kind)]
    for name, (features, patch, batch) in NETS.items():
        if name not in arguments.only:
            continue
        torch.manual_seed(0)
        network = build(features, len(patch))
        for kind in kinds:
            show(name, f"predict {kind}", predictors(network, patch, kind), repeats)
        if torch.bfloat16 in kinds:
            show(name, "train bf16", trainers(network, patch, batch), repeats)


def build(features: Sequence[int], dim: int) -> nn.Module:
    """Return a plain U-Net with three outputs."""
    count = len(features)
    network: nn.Module = NETWORKS["plain_unet"](
        1,
        {"classes": 3},
        dim=dim,
        features=features,
        kernels=[[3] * dim] * count,
        strides=[[1] * dim, *[[2] * dim] * (count - 1)],
        convs_encoder=[2] * count,
        convs_decoder=[2] * (count - 1),
    )
    return network


def predictors(
    network: nn.Module, patch: Sequence[int], kind: torch.dtype
) -> dict[str, Callable[[], object]]:
    """Return what predicts one window, by torch, by us and by OpenVINO."""
    plain, packed = copy.deepcopy(network).eval(), copy.deepcopy(network).eval()
    pack(packed, kind)
    window = torch.randn(1, 1, *patch)

    def run(module: nn.Module) -> Tensor:
        half = torch.autocast("cpu", torch.bfloat16, enabled=kind == torch.bfloat16)
        with torch.inference_mode(), half:
            result: Tensor = module(window)["classes"]
        return result

    ways: dict[str, Callable[[], object]] = {
        "torch": lambda: run(plain),
        "autoseg": lambda: run(packed),
    }
    if is_installed():
        precision = "bf16" if kind == torch.bfloat16 else "fp32"
        compiled = OpenVinoNetwork(copy.deepcopy(network), 1, patch, precision)
        ways["openvino"] = lambda: compiled(window)
    return ways


def trainers(
    network: nn.Module, patch: Sequence[int], batch: int
) -> dict[str, Callable[[], object]]:
    """Return what goes forward and backward once, by torch and by us."""
    last = torch.channels_last if len(patch) == 2 else torch.channels_last_3d
    images = torch.randn(batch, 1, *patch).contiguous(memory_format=last)
    plain = copy.deepcopy(network).to(memory_format=last)  # type: ignore[call-overload]
    ours = copy.deepcopy(plain)
    prefer_onednn(ours)

    def step(module: nn.Module) -> None:
        with torch.autocast("cpu", torch.bfloat16):
            outputs = module(images)["classes"]
        outputs.float().square().mean().backward()

    return {"torch": lambda: step(plain), "autoseg": lambda: step(ours)}


def show(
    name: str, what: str, ways: Mapping[str, Callable[[], object]], repeats: int
) -> None:
    """Time all ways by turns, and print a line."""
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(repeats + 1):
        for way, call in ways.items():
            begun = time.process_time()
            call()
            if turn:
                seconds[way].append(time.process_time() - begun)
    medians = {way: statistics.median(spent) for way, spent in seconds.items()}
    words = [f"{way} {median:.4f} s" for way, median in medians.items()]
    for way in medians:
        if way != "autoseg":
            pairs = zip(seconds["autoseg"], seconds[way], strict=True)
            ratio = statistics.median(ours / theirs for ours, theirs in pairs)
            words.append(f"ratio to {way} {ratio:.2f}")
    print(f"{name:26} {what:24} {', '.join(words)}", flush=True)


if __name__ == "__main__":
    main()
