"""Which files of a folder are boxes."""

from autoseg.evaluate.files import files_by_case
from autoseg.evaluate.kinds.base import EvaluateKind
from tests.e2e.boxes.annotation import ENDING


class EvaluateBoxes(EvaluateKind):
    def files(self, folder):
        return files_by_case(folder, (ENDING,))
