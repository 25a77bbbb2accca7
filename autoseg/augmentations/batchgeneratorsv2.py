"""Transforms of batchgeneratorsv2: nnU-Net's whole pipeline, or one by its name.

A choice beside our own augmentations, which are faster, and the reference that they are
compared with. Numbers and order are those of nnU-Net v2 (Isensee et al.,
doi:10.1038/s41592-020-01008-z, package 2.8.1).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoseg.augmentations import AUGMENTATIONS
from autoseg.augmentations._libraries import (
    Affine,
    Seeded,
    affine_of,
    as_tuple,
    draw_seed,
    follow,
    numbers_of,
)
from autoseg.augmentations.base import Augmentation, Context
from autoseg.errors import UsageError, did_you_mean
from autoseg.spec.settings.values import option_faults

LIBRARY = "batchgeneratorsv2.transforms"
NNUNET = "nnunet"
STILL = ("SimulateLowResolutionTransform", "ChannelMisalignmentTransform")
TURN_3D, TURN_FLAT, TURN_LONG = math.radians(30), math.pi, math.radians(15)
LONG = 1.5  # of two axes: such a picture is turned by little
SMALLEST = 0.85  # of the scales that the box which is read makes room for


@AUGMENTATIONS.register
class BatchGeneratorsV2(Augmentation):
    """A transform of batchgeneratorsv2, or all that nnU-Net does with it.

    Parameters
    ----------
    probability : float
        How often anything happens; within nnU-Net's pipeline each transform has a
        probability of its own.
    transform : str
        ``"nnunet"``, or the name of a class of the library, such as
        ``"GaussianNoiseTransform"``.
    options : mapping of str to JSON value
        Keyword arguments of that class; ``patch_size`` and ``allowed_axes`` are given
        by the plan if they are left out.

    Raises
    ------
    UsageError
        If there is no such transform, or it has no such option.
    """

    def __init__(
        self,
        probability: float = 1.0,
        transform: str = NNUNET,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.probability = probability
        self.transform = transform
        self.options = {key: as_tuple(value) for key, value in (options or {}).items()}
        if transform == NNUNET:
            if options:
                raise UsageError("nnU-Net's pipeline has no options; name a transform.")
        else:
            self._check(_find(transform))
        self._made: dict[Context, list[Any]] = {}

    def _check(self, kind: Any) -> None:
        own = {"patch_size", "patch_center_dist_from_border", "random_crop"}
        own |= {"allowed_axes"}
        faults = option_faults(kind, self.options, given=own - self.options.keys())
        if faults:
            raise UsageError(f"{self.transform}: {'; '.join(faults)}.")

    def draw(self, rng: np.random.Generator, context: Context) -> Seeded | None:
        if rng.random() >= self.probability:
            return None
        return draw_seed(rng, context)

    def source_shape(
        self, parameters: Seeded, shape: tuple[int, ...]
    ) -> tuple[int, ...]:
        if not any(map(_cuts, self._transforms(parameters.context))):
            return shape
        return _room(shape, parameters.context)

    def image(self, image: Tensor, parameters: Seeded) -> Tensor:
        return self._run(image, [], parameters)[0]

    def labels(self, labels: Tensor, parameters: Seeded) -> Tensor:
        image = torch.zeros((parameters.context.channels, *labels.shape))
        return self._run(image, [labels], parameters)[1][0]

    def together(
        self, image: Tensor, labels: Sequence[Tensor], parameters: Seeded
    ) -> tuple[Tensor, list[Tensor]]:
        return self._run(image, labels, parameters)

    def points(self, points: Tensor, parameters: Seeded) -> Tensor:
        affine = self._affine(parameters)
        return points if affine is None else follow(points, affine)

    def mirrors(self, parameters: Seeded) -> bool:
        affine = self._affine(parameters)
        return affine is not None and bool(np.linalg.det(affine.matrix) < 0)

    def _affine(self, parameters: Seeded) -> Affine | None:
        """Return how voxels move, None if they stay."""
        if not any(map(_moves, self._transforms(parameters.context))):
            return None
        patch = parameters.context.patch_size
        shape = self.source_shape(parameters, patch)
        return affine_of(
            lambda grid: self._run(grid, [], parameters, only_moves=True)[0], shape
        )

    def _run(
        self,
        image: Tensor,
        labels: Sequence[Tensor],
        parameters: Seeded,
        only_moves: bool = False,
    ) -> tuple[Tensor, list[Tensor]]:
        data: dict[str, Any] = {"image": image.detach().cpu().clone()}
        if labels:
            data["segmentation"] = torch.stack([one.cpu() for one in labels])
        for place, transform in enumerate(self._transforms(parameters.context)):
            if only_moves and not _moves(transform):
                continue
            with numbers_of(parameters.seed, place), torch.no_grad():
                data = transform(**data)
        moved = data["image"].to(image.device, image.dtype).contiguous()
        maps = [
            one.to(given.device, given.dtype)
            for one, given in zip(data.get("segmentation", ()), labels, strict=True)
        ]
        return moved, maps

    def _transforms(self, context: Context) -> list[Any]:
        if context not in self._made:
            if self.transform == NNUNET:
                self._made[context] = _pipeline(context)
            else:
                kind = _find(self.transform)
                options = {**_given(kind, context), **self.options}
                self._made[context] = [kind(**options)]
        return self._made[context]


def _find(name: str) -> Any:
    """Return a transform's class by its name."""
    there = {
        key: value
        for module in _modules()
        for key, value in vars(module).items()
        if getattr(value, "__module__", "") == module.__name__
        and inspect.isclass(value)
        and key.endswith("Transform")
    }
    if name not in there:
        raise UsageError(
            f"batchgeneratorsv2 has no {name!r}.{did_you_mean(name, there)} There are: "
            f"{NNUNET}, {', '.join(sorted(there))}."
        )
    return there[name]


def _modules() -> list[ModuleType]:
    """Return where the library's transforms of images are."""
    from batchgeneratorsv2.transforms.intensity import (
        brightness,
        contrast,
        gamma,
        gaussian_noise,
        inversion,
        random_clip,
    )
    from batchgeneratorsv2.transforms.local import (
        brightness_gradient,
        local_contrast,
        local_gamma,
        local_smoothing,
    )
    from batchgeneratorsv2.transforms.noise import (
        blank_rectangle,
        gaussian_blur,
        median_filter,
        rician,
        sharpen,
    )
    from batchgeneratorsv2.transforms.spatial import (
        channel_misalignment,
        low_resolution,
        mirroring,
        rot90,
        spatial,
        transpose,
    )

    found = [brightness, contrast, gamma, gaussian_noise, inversion, random_clip]
    found += [brightness_gradient, local_contrast, local_gamma, local_smoothing]
    found += [blank_rectangle, gaussian_blur, median_filter, rician, sharpen]
    found += [channel_misalignment, low_resolution, mirroring, rot90, spatial]
    return [*found, transpose]


def _given(kind: Any, context: Context) -> dict[str, Any]:
    """Return what a transform has to know of the plan."""
    known = {
        "patch_size": context.patch_size,
        "patch_center_dist_from_border": 0,
        "random_crop": False,
        "allowed_axes": context.mirror_axes,
    }
    wanted = inspect.signature(kind).parameters
    return {key: value for key, value in known.items() if key in wanted}


def _inner(transform: Any) -> Any:
    return getattr(transform, "transform", transform)


def _cuts(transform: Any) -> bool:
    return type(_inner(transform)).__name__ == "SpatialTransform"


def _moves(transform: Any) -> bool:
    inner = type(_inner(transform))
    moving = inner.__module__.startswith((f"{LIBRARY}.spatial", f"{LIBRARY}.utils"))
    return moving and inner.__name__ not in STILL


def _turn(context: Context) -> float:
    """Return by how much nnU-Net turns a patch at most, in radians."""
    if context.dim == 3 and not context.flat:
        return TURN_3D
    plane = context.patch_size[-2:]
    long = context.dim == 2 and max(plane) / min(plane) > LONG
    return TURN_LONG if long else TURN_FLAT


def _room(shape: tuple[int, ...], context: Context) -> tuple[int, ...]:
    """Return the box that is read, so that a turned patch lies in it."""
    from batchgenerators.augmentations.utils import rotate_coords_2d, rotate_coords_3d

    turn = min(math.pi / 2, _turn(context))
    edges = np.array(shape, dtype=float)
    largest = edges.copy()
    if context.dim == 3 and not context.flat:
        for axis in range(3):
            angles = [turn if axis == other else 0.0 for other in range(3)]
            turned = np.abs(rotate_coords_3d(edges.copy(), *angles))
            largest = np.maximum(largest, turned)
    else:
        turned = np.abs(rotate_coords_2d(edges[-2:].copy(), turn))
        largest[-2:] = np.maximum(largest[-2:], turned)
    room = np.ceil(largest / SMALLEST).astype(int)
    if context.flat:
        room[0] = shape[0]
    return tuple(int(edge) for edge in room)


def _pipeline(context: Context) -> list[Any]:
    """Return nnU-Net's transforms for a patch."""
    from batchgeneratorsv2.transforms.intensity import brightness, contrast, gamma
    from batchgeneratorsv2.transforms.intensity.gaussian_noise import (
        GaussianNoiseTransform,
    )
    from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
    from batchgeneratorsv2.transforms.spatial.low_resolution import (
        SimulateLowResolutionTransform,
    )
    from batchgeneratorsv2.transforms.utils.random import RandomTransform

    spread = contrast.BGContrast((0.75, 1.25))
    each = {"synchronize_channels": False, "p_per_channel": 1}
    bend = {"gamma": contrast.BGContrast((0.7, 1.5)), "p_retain_stats": 1, **each}
    rows = [
        (GaussianNoiseTransform((0, 0.1), 1, True), 0.1),
        (GaussianBlurTransform((0.5, 1.0), False, False, 0.5, benchmark=False), 0.2),
        (
            brightness.MultiplicativeBrightnessTransform(spread, **each),
            0.15,
        ),
        (contrast.ContrastTransform(spread, preserve_range=True, **each), 0.15),
        (
            SimulateLowResolutionTransform(
                scale=(0.5, 1),
                synchronize_channels=False,
                synchronize_axes=True,
                ignore_axes=(0,) if context.flat else None,
                allowed_channels=None,
                p_per_channel=0.5,
            ),
            0.25,
        ),
        (gamma.GammaTransform(p_invert_image=1, **bend), 0.1),
        (gamma.GammaTransform(p_invert_image=0, **bend), 0.3),
    ]
    changed = [RandomTransform(one, apply_probability=often) for one, often in rows]
    return [*_spatial(context), *changed, *_flips(context)]


def _spatial(context: Context) -> list[Any]:
    from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
    from batchgeneratorsv2.transforms.utils import pseudo2d

    turn = _turn(context)
    made = SpatialTransform(
        context.patch_size[1:] if context.flat else context.patch_size,
        patch_center_dist_from_border=0,
        random_crop=False,
        p_rotation=0.2,
        rotation=(-turn, turn),
        p_scaling=0.2,
        scaling=(0.7, 1.4),
        p_synchronize_scaling_across_axes=1,
    )
    if not context.flat:
        return [made]
    return [pseudo2d.Convert3DTo2DTransform(), made, pseudo2d.Convert2DTo3DTransform()]


def _flips(context: Context) -> list[Any]:
    from batchgeneratorsv2.transforms.spatial.mirroring import MirrorTransform

    axes = context.mirror_axes
    return [MirrorTransform(allowed_axes=axes)] if axes else []
