"""The window in napari: predict the open image, correct, save into a data set.

Only what a person clicks is here; what it does is in `layers.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autoseg.errors import AutosegError
from autoseg.viewer.layers import belonging, case_of, kept, predicted
from autoseg.viewer.objects import MISSING, NAME


def make_window() -> Any:
    """Return the window beside the viewer that is open; napari calls this."""
    from napari import current_viewer

    return Window(current_viewer()).widget


class Window:
    """Fields and buttons.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose layers are predicted and saved.
    """

    def __init__(self, viewer: Any) -> None:
        from qtpy.QtWidgets import QCheckBox, QFormLayout, QLineEdit, QWidget

        self.viewer = viewer
        self.predictors: dict[tuple[str, bool], Any] = {}
        self.widget: Any = QWidget()
        self.widget.window_of_autoseg = self  # lives as long as what is shown
        form = QFormLayout(self.widget)
        self.model = self._path(form, "Model", "folder, bundle or name, as nuclei")
        self.doubt = QCheckBox("show where it doubts")
        form.addRow("", self.doubt)
        self.predicting = self._button(form, "Predict selected image", self.predict)
        self.dataset = self._path(form, "Data set", "folder with dataset.json")
        self.case = QLineEdit()
        self.case.setPlaceholderText("by the image's name")
        form.addRow("Case", self.case)
        self.landmark = self._choice(form, "Selected point is", self.name_points)
        self._button(form, "Save selected layer into data set", self.save)

    def _button(self, form: Any, text: str, clicked: Any) -> Any:
        from qtpy.QtWidgets import QPushButton

        button = QPushButton(text)
        button.clicked.connect(lambda _: clicked())
        form.addRow(button)
        return button

    def _choice(self, form: Any, title: str, chosen: Any) -> Any:
        from qtpy.QtWidgets import QComboBox

        field = QComboBox()
        field.setEditable(True)
        field.textActivated.connect(chosen)
        form.addRow(title, field)
        return field

    def _path(self, form: Any, title: str, hint: str) -> Any:
        """Add a field for a path with a button that chooses a folder."""
        from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton

        field, button, row = QLineEdit(), QPushButton("..."), QHBoxLayout()
        field.setPlaceholderText(hint)

        def choose() -> None:
            found = QFileDialog.getExistingDirectory(self.widget, title)
            field.setText(found or field.text())

        button.clicked.connect(choose)
        row.addWidget(field)
        row.addWidget(button)
        form.addRow(title, row)
        return field

    def images(self) -> list[Any]:
        """Return the images that are selected, or the only one that is open."""
        from napari.layers import Image

        chosen = [one for one in self.viewer.layers.selection if isinstance(one, Image)]
        shown = [one for one in self.viewer.layers if isinstance(one, Image)]
        if not chosen and len(shown) == 1:
            return shown
        return sorted(chosen, key=self.viewer.layers.index)

    def predict(self) -> Any:
        """Predict in a thread, and add what is found as layers."""
        from napari.qt.threading import thread_worker
        from napari.utils.notifications import show_error

        layers, where = self.images(), (self.model.text(), self.doubt.isChecked())

        @thread_worker  # type: ignore[untyped-decorator]
        def work() -> Any:
            from autoseg.predict.predictor import Predictor

            if where not in self.predictors:
                self.predictors[where] = Predictor.load(where[0], uncertainty=where[1])
            return predicted(self.predictors[where], layers, where[1])

        self.predicting.setEnabled(False)
        worker = work()
        worker.returned.connect(self.show_layers)
        worker.errored.connect(lambda error: show_error(str(error)))
        worker.finished.connect(lambda: self.predicting.setEnabled(True))
        worker.start()
        return worker

    def show_layers(self, found: list[Any]) -> None:
        """Add layers; the labels are selected, to be corrected."""
        added = [
            getattr(self.viewer, f"add_{kind}")(data, **options)
            for data, options, kind in found
        ]
        self.viewer.layers.selection.active = added[0]
        if found[0][2] == "points":
            metadata, features = found[0][1]["metadata"], found[0][1]["features"]
            self._offer([*features[NAME], *metadata[MISSING]])

    def name_points(self, name: str) -> None:
        """Call the selected points, and those that are added next, as a landmark."""
        from napari.layers import Points as Marks

        layer = self.viewer.layers.selection.active
        if not name or not isinstance(layer, Marks):
            return
        features = layer.features.copy()
        if NAME not in features:
            features[NAME] = ""
        chosen = sorted(layer.selected_data)
        features.loc[chosen, NAME] = name
        layer.features = features
        layer.feature_defaults = {NAME: [name]}
        layer.text = {"string": f"{{{NAME}}}", "color": "white"}

    def _offer(self, names: Sequence[str]) -> None:
        """Offer names of landmarks."""
        self.landmark.clear()
        self.landmark.addItems(["", *names])

    def save(self) -> None:
        """Save the selected labels or points; ask before something is replaced."""
        from napari.layers import Labels
        from napari.layers import Points as Marks
        from napari.utils.notifications import show_error, show_info

        from autoseg.teaching.keep import is_annotated

        layer = self.viewer.layers.selection.active
        if not isinstance(layer, (Labels, Marks)):
            show_error("Select the layer of labels or points to save.")
            return
        dataset, case = self.dataset.text(), self.case.text() or case_of(layer)
        besides = belonging(layer, self.viewer.layers)
        try:
            there = is_annotated(dataset, case)
            if there and not self.agrees(case):
                return
            path = kept(layer, dataset, case, replacing=there, besides=besides)
        except AutosegError as error:
            show_error(str(error))
            return
        show_info(f"saved {path}")

    def agrees(self, case: str) -> bool:
        """Ask whether an annotation may be replaced."""
        from qtpy.QtWidgets import QMessageBox

        yes = QMessageBox.StandardButton.Yes
        text = f"{case} has an annotation already. Replace it?"
        return bool(QMessageBox.question(self.widget, "autoseg", text) == yes)
