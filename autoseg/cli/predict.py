"""Predict images with a trained model.

Predictions are written in the geometry of their images. Flags of nnUNetv2_predict are
understood where they mean the same; docs/predict.md says more.

examples:
  autoseg predict DATASET 3d_fullres -i IMAGES -o PREDICTIONS
  autoseg predict -i IMAGES -o PREDICTIONS -m MODEL    (a folder, a bundle)
  autoseg predict -i IMAGES -o PREDICTIONS -m nuclei    (a model that comes along)
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from autoseg.cli._arguments import positive
from autoseg.cli._parts import add_parts, parts_of, threads_of
from autoseg.cli._predicting import add_how, add_series
from autoseg.cli._which import add_configuration, add_dataset, add_fold
from autoseg.errors import UsageError
from autoseg.predict.backends import BACKENDS

RESULT = "the files of all predictions"

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's arguments; nnU-Net's flags where they mean the same."""
    parser.add_argument(
        "-i",
        "--input",
        type=Path,
        nargs="+",
        required=True,
        metavar="PATH",
        help="a folder of images, CASE_0000.EXT or CASE.EXT; or the files of cases; or "
        "folders or zips of DICOM series and studies",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="PATH",
        help="folder for the predictions; for one case also a file",
    )
    _add_model(parser)
    add_series(parser)
    add_how(parser)
    _add_extras(parser)
    _add_work(parser)
    add_parts(parser)


def _add_model(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the model: -m, or DATASET CONFIGURATION")
    group.add_argument(
        "-m",
        "--model",
        type=Path,
        metavar="MODEL",
        help="folder of a trained configuration, a bundle, a folder or zip of nnU-Net "
        "v2, or a name, as `autoseg models` lists them: nuclei",
    )
    add_dataset(group)
    add_configuration(group)
    add_fold(group, "folds to average; by default all that are there", several=True)
    group.add_argument("-p", "--plan", metavar="NAME", help="name of the plan")
    group.add_argument(
        "--trainer", "-tr", metavar="NAME", help="for models of nnU-Net in ROOT"
    )
    group.add_argument(
        "--checkpoint",
        "-chk",
        default="final",
        metavar="NAME",
        help="final or best; checkpoint_final.pth means final. Default: %(default)s",
    )


def _add_extras(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("beside the predictions")
    group.add_argument(
        "--instance-files",
        nargs="+",
        choices=("coco", "geojson", "roi", "layers"),
        default=(),
        metavar="KIND",
        help="coco, geojson, roi, layers, of instances: beside label map and table "
        "also COCO JSON (2-D), GeoJSON for QuPath, regions for ImageJ (needs roifile), "
        "a TIFF of maps in which no two objects overlap",
    )
    group.add_argument(
        "--point-files",
        "--points-format",
        nargs="+",
        choices=("csv", "mrk.json", "coco"),
        default=(),
        metavar="KIND",
        help="csv, mrk.json, coco, of landmarks: beside the JSON of each case also a "
        "table points.csv of all, CASE.mrk.json for 3D Slicer, points.coco.json (2-D)",
    )
    group.add_argument(
        "--statistics",
        action="store_true",
        help="write statistics.csv and .json: volume, mean intensity, centroid and "
        "bounding box of each class or instance, in physical units; place and errors "
        "to expect of each landmark",
    )
    group.add_argument(
        "--preview",
        action="store_true",
        help="write CASE_preview.png: the prediction over the image",
    )


def _add_work(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where and with how much")
    group.add_argument(
        "--device",
        "-device",
        default="auto",
        help="auto, cpu, cuda, cuda:N or mps; default %(default)s",
    )
    group.add_argument(
        "--backend",
        choices=("auto", *BACKENDS.names()),
        default="auto",
        help="what computes the network; `autoseg doctor` says what auto is here",
    )
    group.add_argument(
        "--precision",
        choices=("auto", "fp32", "bf16", "fp16"),
        default="auto",
        help="of the network's layers; bf16 is faster on many processors and changes a "
        "few voxels in ten thousand",
    )
    group.add_argument(
        "--max-memory",
        type=float,
        metavar="GB",
        help="most memory to take; by default four fifths of what is free",
    )
    _add_writing(group)


def _add_writing(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--continue-prediction",
        "--continue_prediction",
        "--c",
        action="store_true",
        help="leave out what is predicted already",
    )
    group.add_argument(
        "--overwrite",
        action="store_true",
        help="replace also files that autoseg did not write, or that were changed "
        "since; never the images",
    )
    group.add_argument(
        "--readers",
        "-npp",
        type=int,
        metavar="N",
        help="threads that read; by default as fit",
    )
    group.add_argument(
        "--writers",
        "-nps",
        type=int,
        metavar="N",
        help="threads that write; with --readers 0 --writers 0 nothing runs beside "
        "prediction",
    )
    group.add_argument(
        "--threads", type=positive, metavar="N", help="of an operation on the CPU"
    )
    group.add_argument(
        "--disable-progress-bar",
        "--disable_progress_bar",
        action="store_true",
        help="show no bar",
    )
    # Accepted because front ends written for nnU-Net send it: sums are kept where there
    # is memory for them.
    group.add_argument(
        "--not-on-device",
        "--not_on_device",
        action="store_true",
        help=argparse.SUPPRESS,
    )
    group.add_argument("--verbose", action="store_true", help="say more")


def run(arguments: argparse.Namespace) -> None:
    """Predict, and say where the predictions are."""
    from autoseg.predict.stage import predict
    from autoseg.train.setup.changed import HASHED, tell_of_model

    given = arguments.input
    num_parts, part_id = parts_of(arguments)
    model = _model(arguments)
    for line in tell_of_model(model, HASHED):
        logger.warning("%s", line)
    written = predict(
        model,
        given[0] if len(given) == 1 else given,
        arguments.output,
        save_probabilities=_probabilities(arguments),
        instance_files=arguments.instance_files,
        point_files=arguments.point_files,
        previous=arguments.prev_stage_predictions,
        continue_prediction=arguments.continue_prediction,
        num_parts=num_parts,
        part_id=part_id,
        cluster=arguments.cluster,
        progress=not arguments.disable_progress_bar,
        overwrite=arguments.overwrite,
        after=_extras(arguments),
        after_files=_extra_files(arguments),
        **threads_of(arguments),
        folds=arguments.folds,
        checkpoint=arguments.checkpoint,
        configuration=arguments.configuration if arguments.model else None,
        step_size=arguments.step_size,
        mirror=_mirror(arguments),
        exact=arguments.exact,
        device=arguments.device,
        backend=arguments.backend,
        precision=arguments.precision,
        max_memory=arguments.max_memory,
        uncertainty=arguments.uncertainty,
        decoder=arguments.decoder,
        prune=arguments.prune,
        diameter=arguments.diameter,
        copies=arguments.copies,
        window=arguments.window,
        series=arguments.series,
        straighten=arguments.straighten,
        output_type=arguments.output_type,
        threads=arguments.threads,
    )
    arguments.result = [str(path) for path in written]
    folders = sorted({str(path.parent) for path in written})
    what = f"{len(written)} prediction{'s' * (len(written) != 1)}"
    print(f"{what} in {', '.join(folders) or arguments.output}")


def _extras(arguments: argparse.Namespace) -> Callable[..., None]:
    """Return what is made of the predictions when all of them are there."""

    def make(jobs: Sequence[Any], dataset: Any) -> None:
        from autoseg.report.predictions import previews_of, statistics_of

        if arguments.statistics and jobs:
            print(f"Statistics: {statistics_of(jobs, dataset)[0]}")
        if arguments.preview:
            print(f"{len(previews_of(jobs, dataset))} previews, CASE_preview.png")

    return make


def _extra_files(arguments: argparse.Namespace) -> Callable[..., list[Path]] | None:
    """Return what says which files `_extras` will make."""
    if not (arguments.statistics or arguments.preview):
        return None

    def files(jobs: Sequence[Any]) -> list[Path]:
        from autoseg.report.predictions import PREVIEW
        from autoseg.report.statistics import STATISTICS

        found = []
        if arguments.statistics and jobs:
            folder = jobs[0].output.parent
            found += [folder / f"{STATISTICS}{ending}" for ending in (".csv", ".json")]
        if arguments.preview:
            found += [j.output.with_name(f"{j.case.id}{PREVIEW}") for j in jobs]
        return found

    return files


def _model(arguments: argparse.Namespace) -> Path:
    from autoseg.model.locate import find_model
    from autoseg.workspace import find_root

    if (arguments.model is None) == (arguments.dataset is None):
        raise UsageError("which model? Give either DATASET CONFIGURATION, or -m MODEL.")
    if arguments.model is not None:
        return Path(arguments.model)
    if arguments.trainer:
        logger.debug(
            "--trainer %s matters for models of nnU-Net only", arguments.trainer
        )
    return find_model(
        arguments.dataset,
        arguments.configuration,
        find_root(arguments.root),
        plan=arguments.plan,
        trainer=arguments.trainer,
    )


def _probabilities(arguments: argparse.Namespace) -> str | bool:
    if not arguments.save_probabilities:
        return False
    return arguments.probabilities_format or "b2nd"


def _mirror(arguments: argparse.Namespace) -> bool | Literal["opposite"] | None:
    """Return which mirrored copies to average over; None: as the task does."""
    if arguments.tta and arguments.disable_tta:
        raise UsageError("--tta and --disable-tta contradict each other; give one.")
    if arguments.disable_tta:
        return False
    if arguments.tta == "opposite":
        return "opposite"
    return True if arguments.tta else None
