"""Write a model as a folder of ONNX networks with a runner and a checked sample."""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg import __version__
from autoseg.atomic import atomically
from autoseg.blueprints.drawing import Drawing
from autoseg.errors import UsageError
from autoseg.interop.onnx.graph import has_onnx, to_onnx
from autoseg.interop.onnx.sample import IMAGE, LABELS, checked_by_runner, sample_of
from autoseg.model.load import load_model
from autoseg.model.model import Model
from autoseg.model.postprocessing import Postprocessing
from autoseg.outputs import refuse_foreign, writing
from autoseg.predict.backends.base import build
from autoseg.predict.options import Options
from autoseg.predict.predictor import Predictor
from autoseg.predict.windows.tiling import importance_map
from autoseg.spec.configuration import Configuration
from autoseg.spec.image import NONZERO
from autoseg.spec.json import dumps
from autoseg.tasks import make_task
from autoseg.tasks.base import Task
from planners.network import declared

logger = logging.getLogger(__name__)

RUNNER = Path(__file__).parent / "files" / "run.py.txt"
MOST = 2**31 - 2**20  # bytes of one file of ONNX
LIMIT = 3e38  # where nothing is clipped

README = """# {name}

`{configuration}` of the plan `{plan}`, {folds} fold(s), written by autoseg {version}.

    pip install numpy onnxruntime
    python run.py sample_image.npz labels.npz

predicts without torch and without autoseg. `image` of the .npz is (C, {axes}) of
float32 with the channels {channels}, `spacing` that of its axes in {unit}; the result,
`labels`, has the values of the data set: {values}.
{orientation}In Python: `from run import predict`.

`sample_labels.npz` is what `autoseg predict --exact` says of `sample_image.npz`
(noise); {checked}. `SHA256SUMS` has the checksums: `sha256sum -c SHA256SUMS`.

Networks are ONNX, opset 17, float32, from `image` to `logits`; {shapes}.
"""


def export_onnx(
    model: str | os.PathLike[str] | Model,
    output: str | os.PathLike[str],
    *,
    configuration: str | None = None,
    folds: Sequence[str | int] | None = None,
    checkpoint: str = "final",
    overwrite: bool = False,
) -> Path:
    """Write a trained model as a folder that predicts with NumPy and onnxruntime alone.

    Parameters
    ----------
    model : path or Model
        A model's folder, or anything that `autoseg.model.load.load_model` reads.
    output : path
        The folder.
    configuration : str, optional
        Which one, where there are several.
    folds : sequence of int or str, optional
        Which folds; default: all that are there.
    checkpoint : str
        ``"final"`` or ``"best"``.
    overwrite : bool
        Replace also files that autoseg did not write.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ModelError
        If there is no model, or the runner's labels of the sample are not those of
        autoseg.
    UsageError
        If the runner cannot do what the model needs, or onnx is missing.
    """
    if not isinstance(model, Model):
        model = load_model(
            Path(model), configuration=configuration, folds=folds, checkpoint=checkpoint
        )
    if not has_onnx():
        raise UsageError("ONNX needs the package onnx: pip install autoseg[onnx].")
    settings = settings_of(model)
    folder = Path(output)
    if folder.is_file():
        raise UsageError(f"{folder} is a file; give a folder for ONNX.")
    names = [*settings["networks"], "settings.json", "plan.json", "importance.npy"]
    names += ["run.py", IMAGE, LABELS, "README.md", "SHA256SUMS"]
    files = [folder / name for name in names]
    refuse_foreign(files, overwrite=overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    with writing(files):
        _write(model, settings, folder)
    return folder


def settings_of(model: Model) -> dict[str, Any]:
    """Return what the runner needs to know, as JSON.

    Raises
    ------
    UsageError
        If the runner cannot do what the model needs.
    """
    chosen, task = (
        model.settings,
        make_task(model.plan.task).for_axes(model.settings.dim),
    )
    declared(chosen.network.name)  # says that a torch module has no drawing
    _check(model, task, chosen)
    flat = model.plan.dim > chosen.dim
    axes = [axis + 1 + flat for axis in chosen.mirror_axes]
    mirrors = itertools.chain(
        *(itertools.combinations(axes, n) for n in range(len(axes) + 1))
    )
    decides = task.pointwise
    painted = None if decides is None else decides.painted
    inner = max(painted) if painted else task.heads[0].channels - 1
    values = np.asarray(task.write(np.arange(inner + 1).astype(np.int16)))
    return {
        "autoseg": __version__,
        "networks": [f"network_{fold}.onnx" for fold in model.folds],
        "outputs": [len(model.folds), task.heads[0].channels],
        "flat": flat,
        "mirrors": [list(mirror) for mirror in mirrors],
        "transpose": list(model.plan.transpose),
        "spacing": list(chosen.spacing),
        "cropped": model.plan.crop == NONZERO,
        "channels": [_channel(c.normalizer) for c in model.plan.channels],
        "image": _resampling(chosen, chosen.resampling.image_order, False),
        "output": _resampling(chosen, chosen.resampling.output_order, True),
        "painted": None if painted is None else list(painted),
        "values": values.tolist(),
    }


def _check(model: Model, task: Task, chosen: Configuration) -> None:
    """Raise UsageError if the runner cannot do what a model needs."""
    decides = task.pointwise
    ways = (
        chosen.resampling.method,
        chosen.resampling.output_method or chosen.resampling.method,
    )
    orders = (chosen.resampling.image_order, chosen.resampling.output_order)
    reasons = {
        f"{task.kind} are not read off outputs": decides is None,
        "it is one of several that are averaged": bool(model.partners),
        "it needs the prediction of a stage before": model.previous is not None,
        "its predictions are postprocessed": model.postprocessing != Postprocessing(),
        f"it resamples by {ways[0]!r}": any(way != "spline" for way in ways),
        f"it resamples by splines of the orders {orders}": any(
            order not in (0, 1, 3) for order in orders
        ),
        "channels are normalized inside of a mask": any(
            channel.masked for channel in model.plan.channels
        ),
    }
    found = [reason for reason, is_so in reasons.items() if is_so]
    if found:
        raise UsageError(
            f"{model.source or 'the model'} cannot be run by NumPy and onnxruntime "
            f"alone: {'; '.join(found)}. `autoseg export -o FILE.zip` takes any model."
        )


def _channel(normalizer: Any) -> dict[str, Any]:
    """Return how the runner normalizes a channel."""
    plain = {"kind": "fixed", "mean": 0.0, "std": 1.0, "low": -LIMIT, "high": LIMIT}
    options = dict(normalizer.options)
    smallest = options.get("smallest") or 1e-8
    kinds: dict[str, dict[str, Any]] = {
        "zscore": {"kind": "zscore"},
        "rescale_to_0_1": {"kind": "range"},
        "rgb_to_0_1": {"std": 255.0},
        "none": {},
    }
    if normalizer.name == "ct":
        found = {
            "mean": options["mean"],
            "std": options["std"],
            "low": options["percentile_00_5"],
            "high": options["percentile_99_5"],
        }
    elif normalizer.name in kinds:
        found = kinds[normalizer.name]
    else:
        raise UsageError(
            f"The runner has no normalizer {normalizer.name!r}; it has ct, "
            f"{', '.join(kinds)}."
        )
    return {**plain, **found, "smallest": smallest}


def _resampling(chosen: Configuration, order: int, outputs: bool) -> dict[str, Any]:
    given = chosen.resampling
    apart = given.separate_thick
    if outputs and given.output_separate_thick is not None:
        apart = given.output_separate_thick
    return {
        "order": order,
        "thick_order": given.thick_order,
        "threshold": given.threshold,
        "separate_thick": apart,
    }


# Writing ------------------------------------------------------------------------------


def _write(model: Model, settings: dict[str, Any], folder: Path) -> None:
    chosen = model.settings
    for fold, name in enumerate(settings["networks"]):
        data = to_onnx(*_drawn(model, fold)).SerializeToString()
        with atomically(folder / name) as file:
            file.write_bytes(data)
    bell = importance_map(tuple(chosen.patch_size))
    image, spacing = sample_of(model, settings)
    with atomically(folder / "importance.npy") as file, file.open("wb") as stream:
        np.save(stream, bell[None] if settings["flat"] else bell)
    with atomically(folder / IMAGE) as file, file.open("wb") as stream:
        np.savez_compressed(stream, image=image, spacing=np.asarray(spacing))
    predictor = Predictor(model, Options(exact=True, device="cpu"))
    labels = np.asarray(predictor.predict(image, spacing))
    with atomically(folder / LABELS) as file, file.open("wb") as stream:
        np.savez_compressed(stream, labels=labels)
    for name, text in (
        ("settings.json", dumps(settings)),
        ("plan.json", dumps(model.plan)),
        ("run.py", RUNNER.read_text(encoding="utf-8")),
    ):
        _text(folder / name, text)
    checked = checked_by_runner(folder, labels)
    _text(folder / "README.md", _readme(model, settings, checked))
    names = [*settings["networks"], "settings.json", "plan.json", "importance.npy"]
    names += ["run.py", IMAGE, LABELS, "README.md"]
    sums = [f"{_digest(folder / name)}  {name}\n" for name in names]
    _text(folder / "SHA256SUMS", "".join(sums))


def _text(path: Path, text: str) -> None:
    with atomically(path) as file:
        file.write_text(text, encoding="utf-8")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _drawn(model: Model, fold: int) -> tuple[Drawing, dict[str, NDArray[Any]], bool]:
    """Return a fold's drawing, its weights, and whether it is for one shape."""
    chosen, network = model.settings, build(model, fold)
    kind = declared(chosen.network.name)
    outputs = sum(head.channels for head in make_task(model.plan.task).heads)
    drawing = kind.drawing(
        chosen.network.options, chosen.patch_size, len(model.plan.channels), outputs
    )
    weights = {name: w.float().numpy() for name, w in network.state_dict().items()}
    size = sum(w.nbytes for w in weights.values())
    if size > MOST:
        raise UsageError(f"The weights are {size / 1e9:.1f} GB; ONNX takes 2.1 GB.")
    return drawing, weights, kind.fixed_shape


def _readme(model: Model, settings: dict[str, Any], checked: str) -> str:
    plan, chosen = model.plan, model.settings
    turned = (
        f"Axes are in the orientation {plan.orientation}. " if plan.orientation else ""
    )
    fixed = declared(chosen.network.name).fixed_shape
    return README.format(
        name=plan.dataset,
        configuration=model.configuration,
        plan=plan.name,
        folds=len(model.folds),
        version=__version__,
        axes="Z, Y, X" if plan.dim == 3 else "Y, X",
        channels=", ".join(channel.name for channel in plan.channels),
        unit=plan.unit,
        values=", ".join(map(str, settings["values"])),
        orientation=turned,
        checked=checked,
        shapes=f"they take images of {list(chosen.patch_size)} only"
        if fixed
        else "the batch and all edges that the network can divide are free",
    )
