"""Does autoseg give the labels of nnU-Net v2, on models of many kinds?

Makes models with nnU-Net's own code (its network, its checkpoint format) with random
weights, whose predictions are as hard to reproduce as can be, predicts the same made
images with both, and compares voxel by voxel.

    python benchmarks/nnunet_agreement.py --nnunet-python /path/to/its/env/bin/python

The environment needs nnunetv2 (2.8.1 was used). Exit code 1 if any kind differs.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

ARCHITECTURES = "dynamic_network_architectures.architectures.unet."
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


def architecture(dim: int, kind: str, strides: list[Any], kernels: list[Any]) -> Any:
    """Return the `architecture` entry of a plan with few features."""
    stages = len(strides)
    counts = "n_conv_per_stage" if kind == "PlainConvUNet" else "n_blocks_per_stage"
    return {
        "network_class_name": ARCHITECTURES + kind,
        "arch_kwargs": {
            "n_stages": stages,
            "features_per_stage": [6 * 2**i for i in range(stages)],
            "conv_op": f"torch.nn.modules.conv.Conv{dim}d",
            "kernel_sizes": kernels,
            "strides": strides,
            counts: [2] * stages,
            "n_conv_per_stage_decoder": [2] * (stages - 1),
            "conv_bias": True,
            "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{dim}d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }


def configuration(spacing: list[float], patch: list[int], **changes: Any) -> Any:
    """Return a configuration of nnU-Net's plans."""
    dim = len(patch)
    order = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}
    made = {
        "data_identifier": "made",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": patch,
        "median_image_size_in_voxels": [float(p) for p in patch],
        "spacing": spacing,
        "normalization_schemes": ["ZScoreNormalization"],
        "use_mask_for_norm": [False],
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_seg": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": order,
        "resampling_fn_seg_kwargs": {**order, "is_seg": True, "order": 1},
        "resampling_fn_probabilities_kwargs": {**order, "order": 1},
        "architecture": architecture(
            dim,
            "PlainConvUNet",
            [[1] * dim, [2] * dim, [2] * dim],
            [[3] * dim] * 3,
        ),
        "batch_dice": False,
    }
    return made | changes


def plans_of(configurations: Any, **changes: Any) -> dict[str, Any]:
    """Return a plans.json around some configurations."""
    statistics = {"max": 900.0, "mean": 80.0, "median": 75.0, "min": -500.0}
    statistics |= {"percentile_00_5": -120.0, "percentile_99_5": 260.0, "std": 60.0}
    return {
        "dataset_name": "Dataset900_Made",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": [1.0, 1.0, 1.0],
        "original_median_shape_after_transp": [30, 40, 40],
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": configurations,
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            str(i): statistics for i in range(4)
        },
    } | changes


def dataset_of(labels: Any, channels: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a dataset.json."""
    names = {str(i): f"channel{i}" for i in range(channels)}
    return {
        "channel_names": names,
        "labels": labels,
        "numTraining": 5,
        "file_ending": ".nii.gz",
    } | changes


CLASSES = {"background": 0, "a": 1, "b": 2, "c": 3}
REGIONS = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "tip": 3}


def kinds() -> dict[str, dict[str, Any]]:
    """Return the kinds of models: plans, dataset and how images are made."""
    iso = configuration([1.0, 1.0, 1.0], [24, 32, 32])
    thick = configuration(
        [5.0, 1.2, 1.2],
        [8, 32, 32],
        architecture=architecture(
            3,
            "ResidualEncoderUNet",
            [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
            [[1, 3, 3], [3, 3, 3], [3, 3, 3]],
        ),
    )
    flat = configuration([1.1, 0.9], [32, 32])
    torchres = copy.deepcopy(iso)
    linear = {
        "is_seg": False,
        "force_separate_z": False,
        "memefficient_seg_resampling": False,
    }
    for of in ("data", "seg", "probabilities"):
        torchres[f"resampling_fn_{of}"] = "resample_torch_fornnunet"
        torchres[f"resampling_fn_{of}_kwargs"] = {**linear, "is_seg": of == "seg"}
    mixed = copy.deepcopy(iso)
    mixed["resampling_fn_probabilities"] = "resample_torch_fornnunet"
    mixed["resampling_fn_probabilities_kwargs"] = linear
    masked = {"use_mask_for_norm": [True]}
    two = {
        "normalization_schemes": ["CTNormalization", "ZScoreNormalization"],
        "use_mask_for_norm": [False, True],
    }
    low = configuration([2.0, 2.0, 2.0], [16, 16, 16], next_stage="3d_cascade_fullres")
    last = {"inherits_from": "3d_fullres", "previous_stage": "3d_lowres"}
    rgb = {"normalization_schemes": ["RGBTo01Normalization"] * 3}
    rgb["use_mask_for_norm"] = [False] * 3
    none = {"normalization_schemes": ["NoNormalization"]}
    to_1 = {"normalization_schemes": ["RescaleTo01Normalization"]}
    return {
        "plain_3d_isotropic": {"3d_fullres": iso},
        "plain_3d_regions_masked_norm": {
            "3d_fullres": {**iso, **masked},
            "_": "regions",
        },
        "resenc_3d_thick_slices": {"3d_fullres": thick},
        "resenc_3d_thick_regions": {"3d_fullres": thick, "_": "regions"},
        "plain_2d_on_volumes": {"2d": flat},
        "plain_2d_regions_on_volumes": {"2d": flat, "_": "regions"},
        "plain_3d_old_style": {"3d_fullres": _old_style(iso)},
        "plain_3d_transposed_two_channels": {
            "3d_fullres": {**iso, **two},
            "_": "transposed two_channels",
        },
        "plain_3d_torch_resampling": {"3d_fullres": torchres},
        "plain_3d_torch_outputs": {"3d_fullres": mixed},
        "cascade": {
            "3d_lowres": low,
            "3d_fullres": iso,
            "3d_cascade_fullres": last,
            "_": "cascade",
        },
        "cascade_regions": {
            "3d_lowres": low,
            "3d_fullres": iso,
            "3d_cascade_fullres": last,
            "_": "cascade regions",
        },
        "plain_3d_ignore_no_norm": {"3d_fullres": {**iso, **none}, "_": "ignore"},
        "plain_3d_rescale_no_mirror": {"3d_fullres": {**iso, **to_1}, "_": "no_mirror"},
        "plain_2d_rgb_png": {"2d": {**flat, **rgb, "spacing": [1.0, 1.0]}, "_": "png"},
        "plain_3d_nibabel": {"3d_fullres": iso, "_": "NibabelIO"},
        "plain_3d_nibabel_ras": {"3d_fullres": iso, "_": "NibabelIOWithReorient"},
        "plain_3d_itk_ras": {"3d_fullres": iso, "_": "SimpleITKIOWithReorient"},
        "plain_3d_tiff": {"3d_fullres": iso, "_": "tiff"},
    }


def _old_style(new: Any) -> Any:
    old = copy.deepcopy(new)
    given = old.pop("architecture")["arch_kwargs"]
    return old | {
        "UNet_class_name": "PlainConvUNet",
        "UNet_base_num_features": given["features_per_stage"][0],
        "n_conv_per_stage_encoder": given["n_conv_per_stage"],
        "n_conv_per_stage_decoder": given["n_conv_per_stage_decoder"],
        "num_pool_per_axis": [2, 2, 2],
        "pool_op_kernel_sizes": given["strides"],
        "conv_kernel_sizes": given["kernel_sizes"],
        "unet_max_num_features": 320,
    }


def write_kind(
    folder: Path, name: str, made: dict[str, Any], seed: int
) -> dict[str, Any]:
    """Write plans, dataset and images of one kind; return how it is to be run."""
    words = made.get("_", "").split()
    configurations = {k: v for k, v in made.items() if k != "_"}
    labels: dict[str, Any] = dict(REGIONS if "regions" in words else CLASSES)
    changes: dict[str, Any] = {}
    if "regions" in words:
        changes["regions_class_order"] = [1, 2, 3]
    if "ignore" in words:
        labels["ignore"] = 4
    channels = 2 if "two_channels" in words else 3 if "png" in words else 1
    if "png" in words or "tiff" in words:
        changes["file_ending"] = ".png" if "png" in words else ".tif"
    dataset = dataset_of(labels, channels, **changes)
    more: dict[str, Any] = {}
    if "transposed" in words:
        more = {"transpose_forward": [2, 0, 1], "transpose_backward": [1, 2, 0]}
    for word in words:
        if word.endswith(("IO", "Reorient")):
            more["image_reader_writer"] = word
    if "png" in words:
        more["image_reader_writer"] = "NaturalImage2DIO"
    if "tiff" in words:
        more["image_reader_writer"] = "Tiff3DIO"
    order = [c for c in ("3d_lowres", "3d_cascade_fullres") if c in configurations]
    how = {
        "seed": seed,
        "folds": 2 if name == "plain_3d_isotropic" else 1,
        "order": order or list(configurations),
        "mirror": None
        if "no_mirror" in words
        else list(range(2 if "2d" in configurations else 3)),
    }
    folder.mkdir(parents=True)
    for file, content in (
        ("plans", plans_of(configurations, **more)),
        ("dataset", dataset),
        ("kind", how),
    ):
        (folder / f"{file}.json").write_text(json.dumps(content))
    write_images(folder / "images", words, channels, seed)
    return how


def write_images(folder: Path, words: list[str], channels: int, seed: int) -> None:
    """Write two images: one with a zero border, both off any plan's spacing."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    for case in range(2):
        if "png" in words:
            import skimage.io

            image = _smooth(rng, (61, 75, 3), (4, 4, 0))
            skimage.io.imsave(folder / f"case{case}_0000.png", _bytes(image))
            continue
        shape, spacing = (
            ((29, 45, 41), (1.3, 0.9, 1.1)) if case else ((14, 51, 47), (4.0, 0.8, 0.8))
        )
        for channel in range(channels):
            image = _smooth(rng, shape, (2, 3, 3)) * 150 + 60
            if case:
                image[:4], image[:, -6:], image[..., :3] = 0, 0, 0
            _write_volume(folder / f"case{case}_{channel:04d}", image, spacing, words)


def _smooth(rng: np.random.Generator, shape: Any, sigma: Any) -> np.ndarray[Any, Any]:
    from scipy.ndimage import gaussian_filter

    image = gaussian_filter(rng.normal(size=shape), sigma)
    return np.asarray(image / image.std()).astype(np.float32)


def _bytes(image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    low, high = image.min(), image.max()
    return ((image - low) / (high - low) * 255).astype(np.uint8)


def _write_volume(
    stem: Path, image: np.ndarray[Any, Any], spacing: Any, words: list[str]
) -> None:
    if "tiff" in words:
        import tifffile

        tifffile.imwrite(f"{stem}.tif", image)
        side = stem.parent / f"{stem.name[:-5]}.json"
        side.write_text(json.dumps({"spacing": list(spacing)}))
        return
    import SimpleITK as sitk

    file = sitk.GetImageFromArray(image)
    file.SetSpacing([float(s) for s in spacing[::-1]])
    file.SetOrigin((-30.0, 12.5, 7.0))
    # Neither the identity nor a mere flip: axes are permuted and one is turned round.
    file.SetDirection((0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0))
    sitk.WriteImage(file, f"{stem}.nii.gz")


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
        if (here / "kind.json").is_file():
            how = json.loads((here / "kind.json").read_text())
        else:
            how = write_kind(here, name, made, seed)
            subprocess.run(
                [arguments.nnunet_python, "-c", MAKE_AND_PREDICT, str(here)],
                check=True,
                env=environment,
                stdout=subprocess.DEVNULL,
            )
        exact, voxels = compare(here, how, exact=True)
        default, _ = compare(here, how, exact=False)
        failed |= exact < 1 or default < 0.9999
        print(f"| {name} | {voxels} | {exact:.6%} | {default:.6%} |", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
