"""Model folders in nnU-Net v2's layout, written by these tests from the facts of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

FEATURES = [4, 8]


def plans(*, old_style: bool = False, dim: int = 3) -> dict[str, Any]:
    """Return plans.json of a two-stage network that nnU-Net could have written."""
    strides = [[1] * dim, [2] * dim]
    kernels = [[3] * dim, [3] * dim]
    name = "3d_fullres" if dim == 3 else "2d"
    configuration: dict[str, Any] = {
        "batch_size": 2,
        "patch_size": [8] * dim,
        "median_image_size_in_voxels": [10.0] * dim,
        "spacing": [1.0] * dim,
        "normalization_schemes": ["ZScoreNormalization"],
        "use_mask_for_norm": [False],
        "resampling_fn_data": "resample_data_or_seg_to_shape",
        "resampling_fn_seg": "resample_data_or_seg_to_shape",
        "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
        "resampling_fn_data_kwargs": {"is_seg": False, "order": 3, "order_z": 0},
        "resampling_fn_seg_kwargs": {"is_seg": True, "order": 1, "order_z": 0},
        "resampling_fn_probabilities_kwargs": {"order": 1, "order_z": 0},
        "batch_dice": False,
    }
    if old_style:
        configuration |= {
            "UNet_class_name": "PlainConvUNet",
            "UNet_base_num_features": FEATURES[0],
            "unet_max_num_features": 320,
            "n_conv_per_stage_encoder": [2, 2],
            "n_conv_per_stage_decoder": [2],
            "num_pool_per_axis": [1] * dim,
            "pool_op_kernel_sizes": strides,
            "conv_kernel_sizes": kernels,
        }
    else:
        configuration["architecture"] = {
            "network_class_name": "dynamic_network_architectures.architectures.unet."
            "PlainConvUNet",
            "arch_kwargs": {
                "n_stages": 2,
                "features_per_stage": FEATURES,
                "conv_op": f"torch.nn.modules.conv.Conv{dim}d",
                "kernel_sizes": kernels,
                "strides": strides,
                "n_conv_per_stage": [2, 2],
                "n_conv_per_stage_decoder": [2],
                "conv_bias": True,
                "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{dim}d",
                "norm_op_kwargs": {"eps": 1e-5, "affine": True},
                "nonlin": "torch.nn.LeakyReLU",
            },
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        }
    return {
        "dataset_name": "Dataset900_Made",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {name: configuration},
        "foreground_intensity_properties_per_channel": {
            "0": {
                "max": 9.0,
                "mean": 1.0,
                "median": 1.0,
                "min": -9.0,
                "percentile_00_5": -5.0,
                "percentile_99_5": 5.0,
                "std": 2.0,
            }
        },
    }


DATASET = {
    "channel_names": {"0": "MRI"},
    "labels": {"background": 0, "a": 1, "b": 2},
    "numTraining": 5,
    "file_ending": ".nii.gz",
}


def weights(dim: int = 3, heads: int = 3, channels: int = 1) -> dict[str, torch.Tensor]:
    """Return a state dict with nnU-Net's names, each tensor of a block listed twice."""
    generator = torch.Generator().manual_seed(7)
    kernel = (3,) * dim
    named: dict[str, torch.Tensor] = {}

    def block(name: str, channels_in: int, channels: int) -> None:
        shapes = {
            "conv.weight": (channels, channels_in, *kernel),
            "conv.bias": (channels,),
            "norm.weight": (channels,),
            "norm.bias": (channels,),
        }
        for part, shape in shapes.items():
            tensor = torch.randn(shape, generator=generator) * 0.1
            named[f"{name}.{part}"] = tensor
            twin = part.replace("conv.", "0.").replace("norm.", "1.")
            named[f"{name}.all_modules.{twin}"] = tensor

    low, high = FEATURES
    block("encoder.stages.0.0.convs.0", channels, low)
    block("encoder.stages.0.0.convs.1", low, low)
    block("encoder.stages.1.0.convs.0", low, high)
    block("encoder.stages.1.0.convs.1", high, high)
    for name in list(named):
        named[f"decoder.{name}"] = named[name]
    block("decoder.stages.0.convs.0", 2 * low, low)
    block("decoder.stages.0.convs.1", low, low)
    up = torch.randn((high, low, *(2,) * dim), generator=generator) * 0.1
    named["decoder.transpconvs.0.weight"] = up
    named["decoder.transpconvs.0.bias"] = torch.zeros(low)
    head = torch.randn((heads, low, *(1,) * dim), generator=generator)
    named["decoder.seg_layers.0.weight"] = head
    named["decoder.seg_layers.0.bias"] = torch.zeros(heads)
    return named


def checkpoint(configuration: str = "3d_fullres", **changes: Any) -> dict[str, Any]:
    """Return a checkpoint as nnU-Net saves one, NumPy numbers in its log included."""
    content = {
        "network_weights": weights(2 if configuration == "2d" else 3),
        "optimizer_state": {},
        "grad_scaler_state": None,
        "logging": {"dice_per_class_or_region": [[np.float32(0.5), np.float64(0.25)]]},
        "_best_ema": np.float32(0.75),
        "current_epoch": 3,
        "init_args": {
            "configuration": configuration,
            "fold": 0,
            "device": torch.device("cpu"),
        },
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 2) if configuration != "2d" else (0,),
    }
    return content | changes


def write_model(folder: Path, *, old_style: bool = False, dim: int = 3) -> Path:
    """Write a model folder with one fold and return it."""
    name = "3d_fullres" if dim == 3 else "2d"
    (folder / "fold_0").mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(plans(old_style=old_style, dim=dim)))
    (folder / "dataset.json").write_text(json.dumps(DATASET))
    torch.save(checkpoint(name), folder / "fold_0" / "checkpoint_final.pth")
    return folder


def write_cascade(folder: Path) -> Path:
    """Write both stages of a cascade into a results folder and return it."""
    made = plans()
    full = made["configurations"]["3d_fullres"]
    made["configurations"] |= {
        "3d_lowres": full
        | {"spacing": [2.0, 2.0, 2.0], "next_stage": "3d_cascade_fullres"},
        "3d_cascade_fullres": {
            "inherits_from": "3d_fullres",
            "previous_stage": "3d_lowres",
        },
    }
    # The second stage sees the image and one channel for each of two classes.
    for name, channels in (("3d_lowres", 1), ("3d_cascade_fullres", 3)):
        model = folder / f"nnUNetTrainer__nnUNetPlans__{name}"
        (model / "fold_0").mkdir(parents=True)
        (model / "plans.json").write_text(json.dumps(made))
        (model / "dataset.json").write_text(json.dumps(DATASET))
        content = checkpoint(name, network_weights=weights(channels=channels))
        torch.save(content, model / "fold_0" / "checkpoint_final.pth")
    return folder
