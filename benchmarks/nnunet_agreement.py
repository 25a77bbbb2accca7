"""Does autoseg give the labels of nnU-Net v2, on models of many kinds?

Makes models with nnU-Net's own code (its network, its checkpoint format) with random
weights, whose predictions are as hard to reproduce as can be, predicts the same made
images with both, and compares voxel by voxel.

    python benchmarks/nnunet_agreement.py --nnunet-python /path/to/its/env/bin/python

The environment needs nnunetv2 (2.8.1 was used). Exit code 1 if any kind differs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from nnunet_kinds import kinds, write_kind

MAKE_AND_PREDICT = r"""
import json, os, sys
from pathlib import Path
folder = Path(sys.argv[1])
import numpy as np, torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from nnunetv2.utilities.label_handling.label_handling import (
    determine_num_input_channels)
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

# Old plans with residual encoders name a module that is gone; nnU-Net then searches
# all modules, which imports torchvision and fails where that does not fit torch.
from dynamic_network_architectures import architectures
from dynamic_network_architectures.architectures import unet
architectures.residual_unet = unet
sys.modules["dynamic_network_architectures.architectures.residual_unet"] = unet

kind = json.loads((folder / "kind.json").read_text())
torch.manual_seed(kind["seed"])
torch.set_num_threads(2)
plans = json.loads((folder / "plans.json").read_text())
dataset = json.loads((folder / "dataset.json").read_text())
manager = PlansManager(plans)
labels = manager.get_label_manager(dataset)
for name in kind["order"]:
    configuration = manager.get_configuration(name)
    model = folder / "results" / f"nnUNetTrainer__{plans['plans_name']}__{name}"
    channels = determine_num_input_channels(manager, configuration, dataset)
    for fold in range(kind["folds"]):
        network = get_network_from_plans(
            configuration.network_arch_class_name,
            configuration.network_arch_init_kwargs,
            configuration.network_arch_init_kwargs_req_import,
            channels, labels.num_segmentation_heads, deep_supervision=True)
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter.data.add_(torch.randn_like(parameter) * 0.1)
        (model / f"fold_{fold}").mkdir(parents=True, exist_ok=True)
        torch.save({
            "network_weights": network.state_dict(), "optimizer_state": {},
            "grad_scaler_state": None, "logging": {}, "_best_ema": np.float32(0.5),
            "current_epoch": 1,
            "init_args": {"configuration": name, "fold": fold, "plans": plans,
                          "dataset_json": dataset, "device": torch.device("cpu")},
            "trainer_name": "nnUNetTrainer",
            "inference_allowed_mirroring_axes":
                tuple(kind["mirror"]) if kind["mirror"] else None,
        }, model / f"fold_{fold}" / "checkpoint_final.pth")
    for file in ("plans.json", "dataset.json"):
        (model / file).write_text((folder / file).read_text())
    predictor = nnUNetPredictor(
        tile_step_size=0.5, use_gaussian=True, use_mirroring=True,
        perform_everything_on_device=False, device=torch.device("cpu"),
        allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(
        str(model), tuple(range(kind["folds"])), "checkpoint_final.pth")
    before = folder / f"theirs_{configuration.previous_stage_name}"
    (folder / f"theirs_{name}").mkdir(exist_ok=True)
    predictor.predict_from_files_sequential(
        str(folder / "images"), str(folder / f"theirs_{name}"), overwrite=True,
        folder_with_segs_from_prev_stage=
            str(before) if configuration.previous_stage_name else None)
"""


def compare(folder: Path, how: dict[str, Any], exact: bool) -> tuple[float, int]:
    """Predict with autoseg; return the share of equal voxels and how many there are."""
    name = how["order"][-1]
    out = folder / ("exact" if exact else "default")
    model = folder / "results" / f"nnUNetTrainer__nnUNetPlans__{name}"
    command = [sys.executable, "-m", "autoseg", "predict", "-m", str(model)]
    command += ["-i", str(folder / "images"), "-o", str(out), "-device", "cpu"]
    subprocess.run(command + (["--exact"] if exact else []), check=True)
    equal = total = 0
    for file in sorted((folder / f"theirs_{name}").glob("case*")):
        if file.suffix in (".png", ".tif", ".gz"):
            theirs, ours = _labels(file), _labels(out / file.name)
            if theirs.shape != ours.shape:
                return 0.0, theirs.size
            equal += int((theirs == ours).sum())
            total += theirs.size
    return equal / max(total, 1), total


def _labels(path: Path) -> np.ndarray[Any, Any]:
    if path.suffix == ".gz":
        import SimpleITK as sitk

        return np.asarray(sitk.GetArrayFromImage(sitk.ReadImage(str(path))))
    import skimage.io

    return np.asarray(skimage.io.imread(path))


def main() -> int:
    """Run all kinds, or those that are named; print one row for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nnunet-python", required=True)
    parser.add_argument("--folder", type=Path, help="keep the files here")
    parser.add_argument("kinds", nargs="*")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp())
    environment = {**os.environ, "nnUNet_compile": "f"}
    for variable in ("raw", "preprocessed", "results"):
        environment[f"nnUNet_{variable}"] = str(folder)
    failed = False
    print("| kind | voxels | equal, --exact | equal, default |\n|---|---|---|---|")
    for seed, (name, made) in enumerate(kinds().items()):
        if arguments.kinds and name not in arguments.kinds:
            continue
        here = folder / name
        if (here / "done").is_file():
            how = json.loads((here / "kind.json").read_text())
        else:
            shutil.rmtree(here, ignore_errors=True)
            how = write_kind(here, name, made, seed)
            subprocess.run(
                [arguments.nnunet_python, "-c", MAKE_AND_PREDICT, str(here)],
                check=True,
                env=environment,
                stdout=subprocess.DEVNULL,
            )
            (here / "done").touch()
        exact, voxels = compare(here, how, exact=True)
        default, _ = compare(here, how, exact=False)
        failed |= exact < 1 or default < 0.9999
        print(f"| {name} | {voxels} | {exact:.6%} | {default:.6%} |", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
