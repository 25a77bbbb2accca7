"""MLflow: a run on a server, or in a file beside the results.

``MLFLOW_TRACKING_URI`` says where; without it, ``mlflow.db`` in the folder of the data
set's results. ``MLFLOW_EXPERIMENT_NAME`` names the experiment; by default the data set.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from typing import Any

from autoseg.train.loggers import LOGGERS
from autoseg.train.loggers.base import Logger, Subject

FILE = "mlflow.db"
REFUSED = re.compile(r"[^\w\-./ ]")  # in names of metrics
LONGEST = 500  # characters of a parameter's value that every version takes


@LOGGERS.register
class MLflow(Logger):
    """One run of MLflow for each training."""

    package = extra = "mlflow"

    def begin(self, subject: Subject, known: str | None) -> str:
        from mlflow import MlflowClient
        from mlflow.entities import Param

        uri = os.environ.get("MLFLOW_TRACKING_URI")
        uri = uri or f"sqlite:///{subject.results / FILE}"
        self._client: Any = MlflowClient(tracking_uri=uri)
        if known is not None:
            self._run = known
            self._client.update_run(known, status="RUNNING")
            return known
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or subject.dataset
        there = self._client.get_experiment_by_name(name)
        experiment = (
            self._client.create_experiment(name)
            if there is None
            else there.experiment_id
        )
        made = self._client.create_run(experiment, run_name=subject.name)
        self._run = str(made.info.run_id)
        values = [Param(k, str(v)[:LONGEST]) for k, v in subject.settings.items()]
        self._client.log_batch(self._run, params=values)
        return self._run

    def log(self, iteration: int, numbers: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [
            Metric(REFUSED.sub("_", name), value, now, iteration)
            for name, value in numbers.items()
        ]
        self._client.log_batch(self._run, metrics=metrics)

    def close(self, finished: bool) -> None:
        self._client.set_terminated(self._run, "FINISHED" if finished else "KILLED")
