"""The runtimes that exported networks run in: how they are written, and started."""

from __future__ import annotations

import importlib.util
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from autoseg.atomic import atomically
from autoseg.blueprints.drawing import Drawing
from autoseg.errors import UsageError
from autoseg.interop.onnx.graph import OPSET, is_for_one_shape, to_onnx, unwritten
from autoseg.model.model import Model
from autoseg.predict.backends.base import Joined, build
from autoseg.predict.backends.openvino import converted
from autoseg.tasks import make_task
from planners.network import declared

FILES = Path(__file__).parent / "files"
MOST = 2**31 - 2**20  # bytes of one file of ONNX


@dataclass(frozen=True)
class Runtime:
    """A library that computes networks without torch.

    Attributes
    ----------
    name : str
        As in ``--format``.
    package : str
        What the runner imports beside NumPy.
    endings : tuple of str
        Of the files of a network; the first is opened.
    needs : tuple of str
        Packages that write them, each with an extra of its name.
    format : str
        What the files are, for people.
    write : callable
        ``(model, fold, path)`` writes the network of a fold.
    only_patch : bool
        Networks take windows of the patch alone, in any number.
    """

    name: str
    package: str
    endings: tuple[str, ...]
    needs: tuple[str, ...]
    format: str
    write: Callable[[Model, int, Path], None]
    only_patch: bool = False

    @property
    def without(self) -> str:
        """What is not needed to predict, for people."""
        return "without autoseg" + " and without torch" * (self.package != "torch")

    def check(self) -> None:
        """Raise UsageError if a package is missing that writes the networks."""
        missing = [name for name in self.needs if not is_there(name)]
        if missing:
            packages = f"package{'s' * (len(missing) > 1)} {' and '.join(missing)}"
            raise UsageError(
                f"--format {self.name} needs the {packages}: pip install "
                f'"autoseg[{",".join(missing)}]".'
            )

    def runner(self) -> str:
        """Return the text of the runner."""
        text = (FILES / "run.py.txt").read_text(encoding="utf-8")
        part = (FILES / f"{self.name}.py.txt").read_text(encoding="utf-8")
        return text.replace("RUNTIME", self.package).replace("NETWORKS\n", part)


def is_there(package: str) -> bool:
    """Return whether a package can be imported, without importing it."""
    return importlib.util.find_spec(package) is not None


def shapes(model: Model, runtime: Runtime) -> str:
    """Return what windows the written networks take, for people."""
    if runtime.only_patch:
        patch = list(model.settings.patch_size)
        return f"they take windows of {patch} only, any number at once"
    drawing, fixed = drawing_of(model)
    kinds = unwritten(drawing)
    if kinds or is_for_one_shape(drawing, fixed):
        return f"they take windows of {list(model.settings.patch_size)} only"
    return "the batch and all edges that the network can divide are free"


def drawing_of(model: Model) -> tuple[Drawing, bool]:
    """Return what a model's networks compute, and whether it is for one shape."""
    chosen = model.settings
    kind = declared(chosen.network.name)
    outputs = sum(head.channels for head in make_task(model.plan.task).heads)
    drawing = kind.drawing(
        chosen.network.options, chosen.patch_size, len(model.plan.channels), outputs
    )
    return drawing, kind.fixed_shape


def _onnx(model: Model, fold: int, planes: bool = False) -> bytes:
    """Return the network of a fold as the bytes of a file of ONNX."""
    drawing, fixed = drawing_of(model)
    state = build(model, fold).state_dict()
    weights: dict[str, NDArray[Any]] = {k: w.float().numpy() for k, w in state.items()}
    size = sum(w.nbytes for w in weights.values())
    if size > MOST:
        raise UsageError(f"The weights are {size / 1e9:.1f} GB; ONNX takes 2.1 GB.")
    return bytes(to_onnx(drawing, weights, fixed, planes).SerializeToString())


def _write_onnx(model: Model, fold: int, path: Path) -> None:
    data = _onnx(model, fold, planes=True)
    with atomically(path) as file:
        file.write_bytes(data)


def _write_openvino(model: Model, fold: int, path: Path) -> None:
    """Write a network by its ONNX; one with other layers as torch runs it once."""
    import openvino

    if unwritten(drawing_of(model)[0]):
        shape = (1, len(model.plan.channels), *model.settings.patch_size)
        network = converted(build(model, fold), shape)
        network.inputs[0].set_names({"image"})
    else:
        network = openvino.Core().read_model(_onnx(model, fold))
    with atomically(path) as file:
        openvino.save_model(network, file, compress_to_fp16=False)


def _write_torch(model: Model, fold: int, path: Path) -> None:
    """Write a network as torch.export captures it, for any number of windows."""
    import torch

    network = Joined(build(model, fold)).eval().requires_grad_(False)
    shape = (2, len(model.plan.channels), *model.settings.patch_size)
    free = {"batch": {0: torch.export.Dim("windows", min=1)}}
    saved = io.BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tensors that torch copies
            program = torch.export.export(
                network, (torch.zeros(shape),), dynamic_shapes=free
            )
            torch.export.save(program, saved)
    except Exception as error:  # whatever torch raises on what it cannot capture
        said = " ".join(str(error).split())[:200]
        raise UsageError(
            f"torch.export does not take the network {model.settings.network.name!r} "
            f"({said}). `autoseg export -o FILE.zip` takes any model."
        ) from None
    with atomically(path) as file:
        file.write_bytes(saved.getvalue())


RUNTIMES = {
    "onnx": Runtime(
        name="onnx",
        package="onnxruntime",
        endings=(".onnx",),
        needs=("onnx",),
        format=f"ONNX, opset {OPSET}",
        write=_write_onnx,
    ),
    "openvino": Runtime(
        name="openvino",
        package="openvino",
        endings=(".xml", ".bin"),
        needs=("onnx", "openvino"),
        format="OpenVINO's IR",
        write=_write_openvino,
    ),
    "torch-export": Runtime(
        name="torch-export",
        package="torch",
        endings=(".pt2",),
        needs=(),
        format="programs of torch.export",
        write=_write_torch,
        only_patch=True,
    ),
}
