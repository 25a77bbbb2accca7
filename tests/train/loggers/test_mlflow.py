"""A stopped training goes on in its run of MLflow."""

import pytest

from autoseg.testing.logger import _subject
from autoseg.train.loggers import LOGGERS


def test_both_halves_are_in_one_run_of_the_data_sets_experiment(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/all.db")

    known = None
    for start in (0, 50):
        logger = LOGGERS["mlflow"]()
        known = logger.begin(_subject(tmp_path / "a" / "b" / "c", start), known)
        logger.log(start + 50, {"loss": 0.5, "dice/a:b": 0.25})
        logger.close(finished=start > 0)

    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/all.db")
    experiment = client.get_experiment_by_name("Data")
    (run,) = client.search_runs([experiment.experiment_id])
    history = client.get_metric_history(run.info.run_id, "dice/a_b")
    assert [m.step for m in history] == [50, 100]
    assert run.info.status == "FINISHED"
