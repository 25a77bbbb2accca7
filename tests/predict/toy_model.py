"""Models whose predictions are known, for tests of prediction.

Image intensities are 100 times the label. `knowing` replaces the networks by a function
that answers with the label whose intensity is nearest, so that a prediction must be the
annotation itself. `saved` writes a model folder as training does, with random weights.
"""

import json

import numpy as np
import torch

from autoseg.model.model import Model
from autoseg.networks.build import build_network
from autoseg.predict.options import Options
from autoseg.predict.predictor import Predictor
from autoseg.spec.choice import Choice
from autoseg.spec.configuration import Configuration, Resampling
from autoseg.spec.json import to_json
from autoseg.spec.plan import Channel, Plan

LABELS = {"background": 0, "one": 1, "two": 2}


def plan(
    dim=3,
    *,
    patch=8,
    spacing=None,
    channels=1,
    labels=LABELS,
    network_dim=None,
    transpose=None,
    orientation=None,
    unit="mm",
    resampling=None,
    mirror=True,
    cascade=False,
    **task,
):
    """Return a plan with a tiny U-Net and intensities left as they are."""
    axes = network_dim or dim
    spacing = tuple(spacing or (1.0,) * axes)
    settings = Configuration(
        spacing=spacing,
        patch_size=(patch,) * axes,
        batch_size=2,
        median_shape=(float(patch),) * axes,
        network=Choice(
            name="plain_unet",
            options={
                "dim": axes,
                "features": [4, 8],
                "kernels": [[3] * axes] * 2,
                "strides": [[1] * axes, [2] * axes],
                "convs_encoder": [1, 1],
                "convs_decoder": [1],
            },
        ),
        resampling=resampling or Resampling(),
        mirror_axes=tuple(range(axes)) if mirror else (),
    )
    configurations = {"net": settings}
    if cascade:
        from dataclasses import replace

        configurations["second"] = replace(settings, previous="net")
    return Plan(
        name="toy",
        dataset="Toy",
        planner="unet",
        task=Choice(name="semantic", options={"labels": labels, **task}),
        unit=unit,
        transpose=transpose or tuple(range(dim)),
        channels=tuple(
            Channel(name=f"channel {i}", normalizer=Choice(name="none"))
            for i in range(channels)
        ),
        configurations=configurations,
        orientation=orientation,
    )


def description(ending=".nii.gz", channels=1, labels=LABELS, **entries):
    """Return a dataset.json."""
    return {
        "channel_names": {str(i): f"channel {i}" for i in range(channels)},
        "labels": labels,
        "file_ending": ending,
        **entries,
    }


def weights(of_plan, configuration="net", seed=0):
    """Return random weights of the plan's network."""
    torch.manual_seed(seed)
    state = build_network(of_plan, configuration).state_dict()
    # Without biases that differ, one class might win everywhere.
    return {
        name: value + 0.1 * torch.randn(value.shape) for name, value in state.items()
    }


def model(of_plan, folds=1, configuration="net", **fields):
    """Return a model in memory with random weights."""
    fields.setdefault("dataset", description(channels=len(of_plan.channels)))
    return Model(
        plan=of_plan,
        configuration=configuration,
        weights=tuple(weights(of_plan, configuration, 2 + i) for i in range(folds)),
        folds=tuple(str(i) for i in range(folds)),
        source="toy",
        **fields,
    )


def nearest_label(intensities):
    """Return a network that answers with the label of the nearest intensity."""
    levels = torch.tensor([float(value) for value in intensities])

    def network(batch):
        shape = (1, -1, *[1] * (batch.dim() - 2))
        return -(batch[:, :1] - levels.reshape(shape)).abs()

    return network


def knowing(of_plan, intensities=(0, 100, 200), **options):
    """Return a predictor that knows the answer."""
    found = Predictor(
        model(of_plan, dataset=options.pop("dataset", description())),
        Options(device="cpu", **options),
    )
    found._networks = [nearest_label(intensities)]
    return found


def blobs(shape, seed=0):
    """Return a label map with two boxes that touch nothing but background."""
    labels = np.zeros(shape, np.uint8)
    rng = np.random.default_rng(seed)
    low = [int(rng.integers(1, max(2, size // 4))) for size in shape]
    middle = [size // 2 for size in shape]
    labels[tuple(slice(a, b) for a, b in zip(low, middle, strict=True))] = 1
    labels[
        tuple(slice(b, b + size // 3) for b, size in zip(middle, shape, strict=True))
    ] = 2
    return labels


def saved(folder, of_plan, folds=("0",), configuration="net", seed=0, **entries):
    """Write a model folder as training does."""
    place = folder / "results" / "Toy" / "toy" / configuration
    for number, fold in enumerate(folds):
        (place / f"fold_{fold}").mkdir(parents=True)
        content = {
            "weights": weights(of_plan, configuration, seed + number),
            "plan": to_json(of_plan),
            "configuration": configuration,
            "fold": fold,
        }
        torch.save(content, place / f"fold_{fold}" / "checkpoint_final.pt")
    of_plan.save(place / "plan.json")
    entries.setdefault("channels", len(of_plan.channels))
    (place / "dataset.json").write_text(json.dumps(description(**entries)))
    return place
