"""Write a model as a folder of networks with a runner and a checked sample."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autoseg import __version__
from autoseg.atomic import atomically
from autoseg.errors import UsageError
from autoseg.interop.runners.runtimes import RUNTIMES, Runtime, shapes
from autoseg.interop.runners.sample import IMAGE, LABELS, checked_by_runner, sample_of
from autoseg.interop.runners.settings import settings_of
from autoseg.model.load import load_model
from autoseg.model.model import Model
from autoseg.outputs import refuse_foreign, writing
from autoseg.predict.options import Options
from autoseg.predict.predictor import Predictor
from autoseg.predict.windows.tiling import importance_map
from autoseg.spec.json import dumps

README = """# {name}

`{configuration}` of the plan `{plan}`, {folds} fold(s), written by autoseg {version}.

    pip install numpy {package}
    python run.py sample_image.npz labels.npz

predicts {without}. `image` of the .npz is (C, {axes}) of
float32 with the channels {channels}, `spacing` that of its axes in {unit}; the result,
`labels`, has the values of the data set: {values}.
{orientation}In Python: `from run import predict`.

`sample_labels.npz` is what `autoseg predict --exact` says of `sample_image.npz`
(noise); {checked}. `SHA256SUMS` has the checksums: `sha256sum -c SHA256SUMS`.

Networks are {format}, float32, from `image` to `logits`; {shapes}.
"""


def export_folder(
    model: str | os.PathLike[str] | Model,
    output: str | os.PathLike[str],
    *,
    runtime: str = "onnx",
    configuration: str | None = None,
    folds: Sequence[str | int] | None = None,
    checkpoint: str = "final",
    overwrite: bool = False,
) -> Path:
    """Write a trained model as a folder that predicts with NumPy and a runtime alone.

    Parameters
    ----------
    model : path or Model
        A model's folder, or anything that `autoseg.model.load.load_model` reads.
    output : path
        The folder.
    runtime : str
        ``"onnx"``, which onnxruntime runs, ``"openvino"``, or ``"torch-export"``, which
        torch runs without autoseg.
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
        If the runner cannot do what the model needs, or a package is missing.
    """
    if not isinstance(model, Model):
        model = load_model(
            Path(model), configuration=configuration, folds=folds, checkpoint=checkpoint
        )
    written = RUNTIMES[runtime]
    written.check()
    settings = settings_of(model, written.endings[0])
    folder = Path(output)
    if folder.is_file():
        raise UsageError(f"{folder} is a file; give a folder for --format {runtime}.")
    names = [*_copied(settings, written), "SHA256SUMS"]
    files = [folder / name for name in names]
    refuse_foreign(files, overwrite=overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    with writing(files):
        _write(model, settings, written, folder)
    return folder


# Writing ------------------------------------------------------------------------------


def _copied(settings: dict[str, Any], runtime: Runtime) -> list[str]:
    """Return the names of the files that have checksums."""
    networks = [Path(name).stem for name in settings["networks"]]
    names = [f"{name}{ending}" for name in networks for ending in runtime.endings]
    names += ["settings.json", "plan.json", "importance.npy", "run.py"]
    return [*names, IMAGE, LABELS, "README.md"]


def _write(
    model: Model, settings: dict[str, Any], runtime: Runtime, folder: Path
) -> None:
    chosen = model.settings
    for fold, name in enumerate(settings["networks"]):
        runtime.write(model, fold, folder / name)
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
        ("run.py", runtime.runner()),
    ):
        _text(folder / name, text)
    checked = checked_by_runner(folder, labels, runtime.package)
    _text(folder / "README.md", _readme(model, settings, runtime, checked))
    sums = [
        f"{_digest(folder / name)}  {name}\n" for name in _copied(settings, runtime)
    ]
    _text(folder / "SHA256SUMS", "".join(sums))


def _text(path: Path, text: str) -> None:
    with atomically(path) as file:
        file.write_text(text, encoding="utf-8")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _readme(
    model: Model, settings: dict[str, Any], runtime: Runtime, checked: str
) -> str:
    plan = model.plan
    code = model.orientation
    turned = f"Axes are in the orientation {code}. " if code else ""
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
        package=runtime.package,
        format=runtime.format,
        shapes=shapes(model, runtime),
        without=runtime.without,
    )
