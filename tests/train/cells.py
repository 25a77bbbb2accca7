"""Pictures of cells that touch, and outputs whose decoding has one right parameter."""

import json

import numpy as np
from PIL import Image

from autoseg.predict.readouts.kept import KeptOutputs
from autoseg.preprocess.placement import Placement
from autoseg.spec.choice import Choice
from autoseg.spec.image import Geometry
from tests.predict import toy_model

SHAPE = (20, 26)
TASK = Choice(
    name="instance",
    options={
        "labels": {"cell": 1},
        "representation": {"name": "border_core", "options": {}},
        "axes": 2,
    },
)
LABELS = {"background": 0, "cell": 1}


def pair():
    """Return the annotation of two cells that touch, and the column between them."""
    labels = np.zeros(SHAPE, np.int32)
    labels[4:16, 3:13], labels[4:16, 13:23] = 1, 2
    return labels, (slice(4, 16), slice(12, 14))


def one():
    """Return the annotation of one cell, and a column inside of it."""
    labels = np.zeros(SHAPE, np.int32)
    labels[4:16, 3:23] = 1
    return labels, (slice(4, 16), slice(12, 14))


def outputs(labels, weak, core):
    """Return background, core and border; core is less likely in one place."""
    found = np.zeros((3, *SHAPE), np.float32)
    found[0] = labels == 0
    found[1] = np.where(labels > 0, 0.9, 0)
    found[1][weak] = core
    found[2] = 1 - found[0] - found[1]
    return found


def write_dataset(folder, annotations):
    """Write pictures with these annotations, by case id."""
    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True)
    for case, labels in annotations.items():
        picture = Image.fromarray((100 * (labels > 0) + labels).astype(np.uint8))
        picture.save(folder / "imagesTr" / f"{case}_0000.png")
        Image.fromarray(labels.astype(np.uint8)).save(
            folder / "labelsTr" / f"{case}.png"
        )
    described = toy_model.description(
        ".png", labels=LABELS, task="instance", numTraining=len(annotations)
    )
    (folder / "dataset.json").write_text(json.dumps(described))
    return folder


def placement(shape=SHAPE):
    """Return that of a picture which is neither turned, cropped nor resampled."""
    whole = {
        "shape_before_crop": shape,
        "cropped_shape": shape,
        "shape": shape,
    }
    return Placement(
        geometry=Geometry(shape=shape, spacing=(1.0, 1.0), unit="px"),
        orientation=None,
        transpose=(0, 1),
        box=tuple((0, size) for size in shape),
        cropped_spacing=(1.0, 1.0),
        spacing=(1.0, 1.0),
        **whole,
    )


def keep(folder, task, case, values):
    """Keep outputs of a case, as if a network had said them."""
    kept = KeptOutputs(folder, task)
    with kept.sink(case) as sink:
        sink.open(placement())
        sink.put(values, 0, 0)
    return kept
