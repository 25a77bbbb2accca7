"""nnU-Net v2's ``plans.json`` to a `Plan`; new and old style.

Facts of the files: Isensee et al., doi:10.1038/s41592-020-01008-z, package 2.8.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.errors import ModelError
from autoseg.normalizers.base import SMALLEST_STD
from autoseg.spec.choice import Choice
from autoseg.spec.configuration import Configuration, Resampling
from autoseg.spec.plan import Channel, Plan, as_options

FORMATS = {  # nnU-Net's readers, and the files in autoseg/formats with their rules
    "SimpleITKIO": "itk",
    "SimpleITKIOWithReorient": "itk_ras",
    "NibabelIO": "nibabel",
    "NibabelIOWithReorient": "nibabel_ras",
    "NaturalImage2DIO": "natural",
    "Tiff3DIO": "tiff_plain",
}
NORMALIZERS = {
    "ZScoreNormalization": "zscore",
    "CTNormalization": "ct",
    "NoNormalization": "none",
    "RescaleTo01Normalization": "rescale_to_0_1",
    "RGBTo01Normalization": "rgb_to_0_1",
}
FLOORED = ("ZScoreNormalization", "CTNormalization", "RescaleTo01Normalization")
NETWORKS = {"PlainConvUNet": "plain_unet", "ResidualEncoderUNet": "residual_unet"}
MOST_STAGES = 32  # an edge of 2**31 voxels
FLAT = 900  # nnU-Net gives a picture's one slice 999 times its pixels' edge
EPS, SLOPE = 1e-5, 0.01  # torch's own of instance norm and leaky ReLU
METHODS = {
    "resample_data_or_seg_to_shape": "spline",
    "resample_torch_fornnunet": "linear",
    "no_resampling_hack": "none",
}


def convert_plans(
    plans: Mapping[str, Any], dataset: Mapping[str, Any], task: Choice
) -> Plan:
    """Return nnU-Net's decisions as a plan of ours.

    Parameters
    ----------
    plans, dataset : mapping
        ``plans.json`` and ``dataset.json`` of a model folder.
    task : Choice
        What `task_of` made from ``dataset``.

    Returns
    -------
    Plan
        With every configuration that this version can express; the others are left
        out, and asking for one says why.

    Raises
    ------
    ModelError
        If a needed key is missing or names something unknown.
    """
    try:
        names = _channel_names(dataset)
        resolved = {
            name: _resolve(plans["configurations"], name)
            for name in plans["configurations"]
        }
        usable = {name: c for name, c in resolved.items() if _is_usable(c)}
        if not usable:
            raise ModelError("plans.json holds no configuration with a known network.")
        return Plan(
            name=str(plans.get("plans_name", "nnUNetPlans")),
            dataset=str(plans.get("dataset_name", "unknown")),
            planner=str(plans.get("experiment_planner_used", "nnunet")),
            task=task,
            unit="mm",
            transpose=_transpose(plans, dataset),
            channels=_channels(next(iter(usable.values())), names, plans),
            configurations={n: _configuration(c, usable) for n, c in usable.items()},
        )
    except KeyError as error:
        raise ModelError(f"plans.json or dataset.json lacks {error}.") from None
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        raise ModelError(
            f"plans.json or dataset.json cannot be understood: {error}."
        ) from None


def _transpose(plans: Mapping[str, Any], dataset: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the order of axes; pictures have no first axis of length 1 here."""
    order = [int(axis) for axis in plans["transpose_forward"]]
    pictures = reader_of(plans, dataset) == "natural" or _is_flat(plans)
    if pictures and order[0] == 0:
        return tuple(axis - 1 for axis in order[1:])
    return tuple(order)


def _is_flat(plans: Mapping[str, Any]) -> bool:
    """Return whether the training images had two axes, whatever their format."""
    shape = plans.get("original_median_shape_after_transp") or [0]
    spacing = plans.get("original_median_spacing_after_transp") or [0, 0]
    result: bool = shape[0] == 1 and spacing[0] >= FLAT * max(spacing[1:])
    return result


def reader_of(plans: Mapping[str, Any], dataset: Mapping[str, Any]) -> str | None:
    """Return the format plug-in with the conventions of the reader that was used."""
    name = plans.get("image_reader_writer")
    name = dataset.get("overwrite_image_reader_writer") or name
    if name in (None, "None"):
        return None
    if name not in FORMATS:
        known = ", ".join(FORMATS)
        raise ModelError(f"reader {name!r} is unknown; there are {known}.")
    return FORMATS[name]


def _channel_names(dataset: Mapping[str, Any]) -> list[str]:
    names = dataset.get("channel_names") or dataset["modality"]
    return [str(names[key]) for key in sorted(names, key=int)]


def _resolve(configurations: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a configuration with everything that it inherits."""
    chain: list[str] = []
    while True:
        if name in chain or name not in configurations:
            raise ModelError(f"configuration {name!r} inherits in a circle or nothing.")
        chain.append(name)
        parent = configurations[name].get("inherits_from")
        if parent is None:
            break
        name = parent
    merged: dict[str, Any] = {}
    for entry in reversed(chain):
        merged.update(configurations[entry])
    merged.pop("inherits_from", None)
    return merged


def _class_name(configuration: Mapping[str, Any]) -> str:
    if "architecture" in configuration:
        dotted = configuration["architecture"]["network_class_name"]
    else:
        dotted = configuration.get("UNet_class_name", "")
    return str(dotted).rpartition(".")[2]


def _is_usable(configuration: Mapping[str, Any]) -> bool:
    return _class_name(configuration) in NETWORKS and "patch_size" in configuration


def _channels(
    configuration: Mapping[str, Any], names: Sequence[str], plans: Mapping[str, Any]
) -> tuple[Channel, ...]:
    statistics = plans.get("foreground_intensity_properties_per_channel") or plans.get(
        "foreground_intensity_properties_by_modality", {}
    )
    channels = []
    for i, name in enumerate(names):
        scheme = configuration["normalization_schemes"][i]
        if scheme not in NORMALIZERS:
            raise ModelError(f"normalization {scheme!r} of channel {i} is unknown.")
        options: dict[str, Any] = {}
        if scheme == "CTNormalization":
            numbers = statistics[str(i)]
            options = {
                key: float(numbers[key])
                for key in ("mean", "std", "percentile_00_5", "percentile_99_5")
            }
        if scheme in FLOORED and options.get("std", 0) < SMALLEST_STD:
            options["smallest"] = SMALLEST_STD
        channels.append(
            Channel(
                name=name,
                normalizer=Choice(name=NORMALIZERS[scheme], options=options),
                masked=bool(configuration["use_mask_for_norm"][i]),
            )
        )
    return tuple(channels)


def _configuration(
    configuration: Mapping[str, Any], usable: Mapping[str, Any]
) -> Configuration:
    previous = configuration.get("previous_stage")
    if isinstance(previous, (list, tuple)):
        previous = previous[0] if previous else None
    patch = tuple(configuration["patch_size"])
    dim = len(patch)
    median = configuration.get("median_image_size_in_voxels") or patch
    return Configuration(
        spacing=tuple(float(s) for s in configuration["spacing"])[-dim:],
        patch_size=patch,
        batch_size=int(configuration["batch_size"]),
        median_shape=tuple(float(s) for s in median)[-dim:],
        network=_network(configuration, dim),
        batch_dice=bool(configuration.get("batch_dice", False)),
        resampling=_resampling(configuration),
        mirror_axes=tuple(range(dim)),
        previous=previous if previous in usable else None,
    )


def _resampling(configuration: Mapping[str, Any]) -> Resampling:
    def method(of: str) -> str:
        name = configuration.get(f"resampling_fn_{of}", "resample_data_or_seg_to_shape")
        if name not in METHODS:
            raise ModelError(f"resampling function {name!r} is unknown.")
        return METHODS[name]

    def options(of: str) -> Mapping[str, Any]:
        return dict(configuration.get(f"resampling_fn_{of}_kwargs") or {})

    image, labels, outputs = options("data"), options("seg"), options("probabilities")
    return Resampling(
        method=method("data"),
        annotation_method=method("seg"),
        output_method=method("probabilities"),
        image_order=int(image.get("order", 3)),
        annotation_order=int(labels.get("order", 1)),
        output_order=int(outputs.get("order", 1)),
        thick_order=int(image.get("order_z", 0)),
        separate_thick=image.get("force_separate_z"),
        output_separate_thick=outputs.get("force_separate_z"),
        threshold=float(image.get("separate_z_anisotropy_threshold", 3.0)),
    )


def _network(configuration: Mapping[str, Any], dim: int) -> Choice:
    kind = NETWORKS[_class_name(configuration)]
    if "architecture" in configuration:
        given = configuration["architecture"]["arch_kwargs"]
    else:
        given = _old_style(configuration, kind)
    stages = int(given["n_stages"])
    if not 0 < stages <= MOST_STAGES:
        raise ModelError(f"a network of {stages} stages cannot be built.")
    counts = given.get("n_conv_per_stage") or given.get("n_blocks_per_stage")
    options: dict[str, Any] = {
        "dim": dim,
        "features": _spread(given["features_per_stage"], stages),
        "kernels": [_axes(k, dim) for k in _spread(given["kernel_sizes"], stages)],
        "strides": [_axes(s, dim) for s in _spread(given["strides"], stages)],
        "convs_encoder" if kind == "plain_unet" else "blocks": _spread(counts, stages),
        "convs_decoder": _spread(given["n_conv_per_stage_decoder"], stages - 1),
    }
    if not given.get("conv_bias", True):
        options["bias"] = False
    norm = str(given.get("norm_op") or "InstanceNorm").rpartition(".")[2]
    if norm.startswith("BatchNorm"):
        options["norm"] = "batch"
    elif not norm.startswith("InstanceNorm"):
        raise ModelError(f"normalization layer {norm!r} is unknown.")
    eps = float((given.get("norm_op_kwargs") or {}).get("eps", EPS))
    if eps != EPS:
        options["eps"] = eps
    slope = _slope(given)
    if slope != SLOPE:
        options["slope"] = slope
    return Choice(name=kind, options=as_options(**options))


def _slope(given: Mapping[str, Any]) -> float:
    """Return what the activation multiplies numbers below 0 by."""
    activation = str(given.get("nonlin") or "LeakyReLU").rpartition(".")[2]
    if activation == "ReLU":
        return 0.0
    if activation != "LeakyReLU":
        raise ModelError(f"activation {activation!r} is unknown.")
    return float((given.get("nonlin_kwargs") or {}).get("negative_slope", SLOPE))


def _old_style(configuration: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return the architecture that plans before 2024 spread over the configuration."""
    strides = configuration["pool_op_kernel_sizes"]
    base = int(configuration["UNet_base_num_features"])
    most = int(configuration["unet_max_num_features"])
    return {
        "n_stages": len(strides),
        "features_per_stage": [min(base * 2**i, most) for i in range(len(strides))],
        "kernel_sizes": configuration["conv_kernel_sizes"],
        "strides": strides,
        "n_conv_per_stage": configuration["n_conv_per_stage_encoder"],
        "n_conv_per_stage_decoder": configuration["n_conv_per_stage_decoder"],
    }


def _spread(value: Any, count: int) -> list[Any]:
    """Return one entry for each stage; a single number stands for all of them."""
    return list(value) if isinstance(value, (list, tuple)) else [value] * count


def _axes(value: Any, dim: int) -> list[int]:
    return [int(v) for v in _spread(value, dim)]
