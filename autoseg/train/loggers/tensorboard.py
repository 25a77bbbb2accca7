"""TensorBoard: files of events in the fold's folder, without a network."""

from __future__ import annotations

from collections.abc import Mapping

from autoseg.train.loggers import LOGGERS
from autoseg.train.loggers.base import Logger, Subject

FOLDER = "tensorboard"  # in the fold's


@LOGGERS.register
class TensorBoard(Logger):
    """Events for ``tensorboard --logdir ROOT/results/DATASET``."""

    package = extra = "tensorboard"

    def begin(self, subject: Subject, known: str | None) -> str:
        from torch.utils.tensorboard import SummaryWriter

        # What a stopped training told of later iterations is not shown.
        late = None if known is None else subject.iteration + 1
        self._writer = SummaryWriter(str(subject.folder / FOLDER), purge_step=late)
        if known is None:
            rows = [f"| {k} | {v} |" for k, v in subject.settings.items()]
            text = "\n".join(["| | |", "|---|---|", *rows])
            self._writer.add_text("run.json", text)
        return FOLDER

    def log(self, iteration: int, numbers: Mapping[str, float]) -> None:
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, iteration)
        self._writer.flush()

    def close(self, finished: bool) -> None:
        self._writer.close()
