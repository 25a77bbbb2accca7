"""Write a trained model as one file, to share or to keep, or for use without autoseg.

The file (--format bundle) holds the plan, the weights of the folds (safetensors), what
the model was trained on, its scores and checksums; no pickle. `autoseg predict -m FILE`
needs nothing else. --format onnx, openvino or torch-export writes a folder instead: the
networks, a runner that needs NumPy and onnxruntime, OpenVINO or torch alone, a sample
with its labels, and checksums.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

from autoseg.cli._arguments import add_overwrite, command, described
from autoseg.cli._which import (
    add_configuration,
    add_dataset,
    add_fold,
    chosen_configuration,
    chosen_dataset,
)

RESULT = "the file"

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's arguments."""
    add_dataset(parser)
    add_configuration(parser)
    add_fold(parser, "which folds; by default all that are there", several=True)
    parser.add_argument(
        "-m", "--model", type=Path, help="a model's folder, instead of a data set"
    )
    parser.add_argument(
        "-p", "--plan", default="unet", help="name of the plan; default %(default)s"
    )
    parser.add_argument(
        "--checkpoint",
        "-chk",
        default="final",
        metavar="NAME",
        help="final or best; default %(default)s",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="PATH",
        help="FILE.zip, or a folder",
    )
    parser.add_argument(
        "--format",
        choices=("bundle", "onnx", "openvino", "torch-export"),
        default="bundle",
        help="default %(default)s; onnx and openvino need `pip install "
        "'autoseg[onnx,openvino]'`",
    )
    parser.add_argument(
        "--license", default="not stated", help="terms of the weights, for the card"
    )
    add_overwrite(parser)


def run(arguments: argparse.Namespace) -> None:
    """Read the model, write the bundle or the folder, say what is in it."""
    from autoseg.train.setup.changed import tell_of_model

    folder = _folder(arguments)
    for line in tell_of_model(folder):
        logger.warning("%s", line)
    which: dict[str, Any] = {
        "configuration": arguments.configuration if arguments.model else None,
        "folds": arguments.folds,
        "checkpoint": arguments.checkpoint,
        "overwrite": arguments.overwrite,
    }
    if arguments.format != "bundle":
        from autoseg.interop.runners.folder import export_folder

        path = export_folder(
            folder, arguments.output, runtime=arguments.format, **which
        )
        arguments.result = {"file": path}
        print(f"{path}: README.md says how to predict with it.")
        return
    from autoseg.model.export import export

    path = export(folder, arguments.output, license=arguments.license, **which)
    arguments.result = {"file": path}
    print(described(path))
    print(command("predict", "-m", path, "-i", "IMAGES", "-o", "OUT"))


def _folder(arguments: argparse.Namespace) -> Path:
    from autoseg.datasets.read import find_workspace
    from autoseg.train.after.results import find_trained, only

    if arguments.model is not None:
        return Path(arguments.model)
    dataset, configuration = chosen_dataset(arguments), chosen_configuration(arguments)
    space = find_workspace(dataset, arguments.root)
    folder = space.model(arguments.plan, configuration)
    if not folder.is_dir():
        only(find_trained(space), [configuration])  # raises, with what there is
    return folder
