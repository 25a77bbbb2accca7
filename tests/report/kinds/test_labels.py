"""Classes of label maps are painted and measured; of unknown maps, what is not 0."""

import numpy as np
import pytest

from autoseg.errors import UsageError
from autoseg.figures.figure import figure_bytes, new_figure
from autoseg.report.kinds.base import ReportKind
from autoseg.report.kinds.labels import LabelsReport
from autoseg.report.pictures.label_layer import LabelLayer
from autoseg.report.pictures.layers import panel
from autoseg.report.pictures.map_layer import MapLayer
from autoseg.report.pictures.planes import planes_of
from autoseg.report.pictures.turned import Turned
from autoseg.spec.image import Geometry, Image
from autoseg.tasks.semantic import SemanticTask

TASK = SemanticTask({"background": 0, "organ": 1, "tumor": 2})
GEOMETRY = Geometry(shape=(4, 5), spacing=(2.0, 3.0), unit="um")
LABELS = np.array([[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 0, 0], [0] * 5])


class Nameless(SemanticTask):
    """A task of label maps that tells no classes apart."""

    classes = ()


def test_classes_are_painted_in_colors_of_their_own():
    layer = LabelsReport(TASK).layer(LABELS, None, Turned(GEOMETRY))

    assert isinstance(layer, LabelLayer)
    assert layer.members == {"organ": (1,), "tumor": (2,)}
    assert len(set(layer.colors.values())) == 2


def test_a_class_that_is_not_there_has_a_volume_of_nothing():
    image = Image(array=np.ones((1, 4, 5), np.float32), geometry=GEOMETRY)

    volumes, found = LabelsReport(TASK).amounts(LABELS, image)

    assert volumes == {"organ": 4 * 2.0 * 3.0, "tumor": 0.0}
    assert found == {"organ": 1, "tumor": 0}


def test_dice_stands_beside_a_case_and_its_mean_below_all():
    nan = float("nan")
    cases = [{"organ": {"dice": 0.5}, "tumor": {"dice": nan}},
             {"organ": {"dice": 1.0}, "tumor": {"dice": nan}}]  # fmt: skip
    kind = LabelsReport(TASK)

    assert kind.texts(cases[0], "mm") == {"organ": "0.500", "tumor": "not there"}
    assert kind.foot(cases) == "mean Dice of these cases:  organ 0.750"


@pytest.mark.parametrize("kind", [LabelsReport, ReportKind])
def test_of_a_map_without_classes_all_that_is_not_0_is_shown(kind):
    made = kind(Nameless({"background": 0, "organ": 1}))
    field = LABELS * 0.25
    image = Image(array=np.ones((1, 4, 5), np.float32), geometry=GEOMETRY)

    layer = made.layer(field, field, Turned(GEOMETRY))
    (row,) = made.measure(field, image)

    assert isinstance(layer, MapLayer)
    assert (row["class"], row["voxels"], row["volume"]) == ("all", 4, 24.0)
    assert made.texts({"all": {"error": 0.25}}, "um") == {"all": "0.250"}


def test_a_map_of_numbers_is_drawn_where_it_is_not_0():
    values = np.zeros((8, 8))
    values[2:6, 2:6] = np.arange(16).reshape(4, 4) - 3.5
    layer = MapLayer(prediction=values, reference=values)
    pictures = []
    for drawn in (False, True):
        figure = new_figure(1, 1)
        axes = panel(figure, (0, 0, 1, 1))
        (plane,) = planes_of(layer.focus(), (1.0, 1.0))
        if drawn:
            layer.draw(axes, plane)
        pictures.append(figure_bytes(figure))

    assert pictures[0] != pictures[1]
    assert layer.focus().sum() == 16
    assert set(layer.side_by_side()) == {"truth", "prediction"}
    assert len(layer.legend()) == 2


def test_what_is_no_map_cannot_be_painted_without_a_file_of_its_kind():
    kind = ReportKind(TASK)

    with pytest.raises(UsageError, match="no maps"):
        kind.layer({"tip": (1, 2)}, None, Turned(GEOMETRY))
