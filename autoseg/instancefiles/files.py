"""All files about the instances of one prediction, beside its label map."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from autoseg.errors import UsageError
from autoseg.instancefiles.coco import write_coco
from autoseg.instancefiles.geojson import NO_COLORS, write_geojson
from autoseg.instancefiles.imagej import check_rois, write_rois
from autoseg.instancefiles.measure import measure
from autoseg.instancefiles.overlaps import OVERLAPS, write_layers, write_overlaps
from autoseg.instancefiles.table import write_table
from autoseg.spec.foreign.looks import Color
from autoseg.spec.image import Image
from autoseg.spec.instances import Instances
from autoseg.spec.json import dumps, write_text

KINDS = {
    "coco": "_coco.json",
    "geojson": ".geojson",
    "roi": "_rois.zip",
    "layers": "_layers.tif",
}
"""What can be asked for beside the table, and how the files' names end."""

TABLE = "_instances.csv"


def check_kinds(kinds: Collection[str], dim: int) -> None:
    """Raise UsageError if what is asked for cannot be written.

    Parameters
    ----------
    kinds : collection of str
        Of `KINDS`.
    dim : int
        Number of spatial axes of the images.
    """
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown:
        raise UsageError(
            f"There are no files of instances called {', '.join(unknown)}; give some "
            f"of {', '.join(KINDS)}."
        )
    if "coco" in kinds and dim != 2:
        raise UsageError(
            "COCO's JSON describes 2-D images, and these are 3-D; give geojson or roi."
        )
    if "roi" in kinds:
        check_rois()


def write_instance_files(
    folder: Path,
    case_id: str,
    instances: Instances,
    image: Image,
    *,
    classes: Mapping[int, str],
    channels: Sequence[str],
    kinds: Collection[str] = (),
    colors: Mapping[str, Color] = NO_COLORS,
) -> list[Path]:
    """Write the table of instances, what overlaps, and what else is asked for.

    Parameters
    ----------
    folder : Path
        Where the prediction is.
    case_id : str
        Names of files begin with it.
    instances : Instances
        The prediction.
    image : Image
        What it was made from, for mean intensities and the unit of sizes.
    classes : mapping of int to str
        Names of classes by number. With several, ``CASE.json`` tells the class of each
        id, as beside an annotation.
    channels : sequence of str
        Names of the image's channels.
    kinds : collection of str
        Of `KINDS`.
    colors : mapping of str to tuple of int
        Red, green and blue of classes, as far as they are given.

    Returns
    -------
    list of Path
        The files.
    """
    geometry = image.geometry
    measured = measure(instances, geometry.spacing, image.array)
    written = [folder / f"{case_id}{TABLE}"]
    write_table(
        written[0], measured, unit=geometry.unit, classes=classes, channels=channels
    )
    if len(classes) > 1:
        side_car = folder / f"{case_id}.json"
        kinds_of = dict(zip(measured.ids, measured.classes, strict=True))
        content = {"instances": {str(i): int(k) for i, k in kinds_of.items()}}
        write_text(side_car, dumps(content))
        written.append(side_car)
    overlaps = folder / f"{case_id}{OVERLAPS}"
    write_overlaps(overlaps, instances)
    if instances.masks:
        written.append(overlaps)
    for kind in KINDS:
        if kind not in kinds:
            continue
        path = folder / f"{case_id}{KINDS[kind]}"
        if kind == "coco":
            name = case_id if image.path is None else image.path.name
            write_coco(path, instances, measured, classes=classes, image=name)
        elif kind == "geojson":
            write_geojson(path, instances, measured, classes=classes, colors=colors)
        elif kind == "layers":
            write_layers(path, instances, geometry.spacing)
        else:
            write_rois(path, instances, measured, grouped=len(classes) > 1)
        written.append(path)
    return written
