"""Models of many kinds for `nnunet_agreement.py`: plans, data sets and images."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np

ARCHITECTURES = "dynamic_network_architectures.architectures.unet."


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
        "plain_2d_flat_nifti": {"2d": flat, "_": "flat"},
        "plain_2d_gray_tif": {"2d": {**flat, "spacing": [1.0, 1.0]}, "_": "gray"},
        "plain_2d_old_style": {"2d": _old_style(flat)},
        "resenc_3d_old_style": {"3d_fullres": _old_style(thick)},
        "cascade_old_style": {
            "3d_lowres": _old_style(low),
            "3d_fullres": _old_style(iso),
            "3d_cascade_fullres": last,
            "_": "cascade transposed",
        },
        "plain_3d_other_layers": {"3d_fullres": _layers(iso, slope=0.2, eps=1e-2)},
        "plain_3d_relu": {"3d_fullres": _layers(iso, slope=None, eps=1e-5)},
        "resenc_2d_four_axes_masked": {
            "2d": {
                **flat,
                "architecture": architecture(
                    2, "ResidualEncoderUNet", [[1, 1], [2, 2], [2, 2]], [[3, 3]] * 3
                ),
                "normalization_schemes": ["ZScoreNormalization"] * 2,
                "use_mask_for_norm": [True, True],
            },
            "_": "four_axes",
        },
    }


def _layers(new: Any, slope: float | None, eps: float) -> Any:
    """Return a configuration with another activation; None: plain ReLU."""
    changed = copy.deepcopy(new)
    given = changed["architecture"]["arch_kwargs"]
    given["norm_op_kwargs"]["eps"] = eps
    if slope is None:
        given["nonlin"] = "torch.nn.ReLU"
    else:
        given["nonlin_kwargs"]["negative_slope"] = slope
    return changed


def _old_style(new: Any) -> Any:
    old = copy.deepcopy(new)
    network = old.pop("architecture")
    given = network["arch_kwargs"]
    counts = given.get("n_conv_per_stage") or given["n_blocks_per_stage"]
    return old | {
        "UNet_class_name": network["network_class_name"].rpartition(".")[2],
        "UNet_base_num_features": given["features_per_stage"][0],
        "n_conv_per_stage_encoder": counts,
        "n_conv_per_stage_decoder": given["n_conv_per_stage_decoder"],
        "num_pool_per_axis": [2] * len(new["patch_size"]),
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
    two = "two_channels" in words or "four_axes" in words
    channels = 2 if two else 3 if "png" in words else 1
    endings = {"png": ".png", "tiff": ".tif", "gray": ".tif"}
    for word in words:
        changes["file_ending"] = endings.get(word, changes.get("file_ending"))
    changes = {key: value for key, value in changes.items() if value is not None}
    dataset = dataset_of(labels, channels, **changes)
    more: dict[str, Any] = {}
    if "transposed" in words:
        more = {"transpose_forward": [2, 0, 1], "transpose_backward": [1, 2, 0]}
    if "flat" in words:
        more["original_median_spacing_after_transp"] = [1698.3, 0.6, 1.7]
        more["original_median_shape_after_transp"] = [1, 61, 75]
    for word in words:
        if word.endswith(("IO", "Reorient")):
            more["image_reader_writer"] = word
    if "png" in words or "gray" in words:
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
        if {"png", "gray", "flat"} & set(words):
            _write_picture(folder / f"case{case}_0000", rng, words)
            continue
        shape, spacing = (
            ((29, 45, 41), (1.3, 0.9, 1.1)) if case else ((14, 51, 47), (4.0, 0.8, 0.8))
        )
        if "four_axes" in words:
            image = np.stack([_smooth(rng, shape, (2, 3, 3)) for _ in range(channels)])
            image[:, :, :9] = 0
            _write_four_axes(folder / f"case{case}_0000", image * 150, spacing)
            continue
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


def _write_picture(stem: Path, rng: np.random.Generator, words: list[str]) -> None:
    """Write a picture: color, gray, or a NIfTI file of two axes."""
    import skimage.io

    image = _smooth(rng, (61, 75, 3), (4, 4, 0))
    if "flat" in words:
        import SimpleITK as sitk

        file = sitk.GetImageFromArray(image[..., 0] * 100)
        file.SetSpacing([1.7, 0.6])
        file.SetOrigin([4.0, -8.0])
        sitk.WriteImage(file, f"{stem}.nii.gz")
    elif "gray" in words:
        skimage.io.imsave(f"{stem}.tif", _bytes(image[..., 0]))
    else:
        skimage.io.imsave(f"{stem}.png", _bytes(image))


def _write_four_axes(stem: Path, image: np.ndarray[Any, Any], spacing: Any) -> None:
    """Write one file whose fourth axis are the channels."""
    import SimpleITK as sitk

    parts = [sitk.GetImageFromArray(channel) for channel in image]
    for part in parts:
        part.SetSpacing([float(s) for s in spacing[::-1]])
    sitk.WriteImage(sitk.JoinSeries(parts), f"{stem}.nii.gz")


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
