"""Show runs in MLflow: at MLFLOW_TRACKING_URI, or in files under `runs/mlruns`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from ablations.analysis.results import Record
from ablations.identity.run import Run
from ablations.wandb_view.protocol import ScalarLog, require, results


class MLflow:
    """Logs each run as one of MLflow's, in an experiment named after the study; ValueError without the package."""

    def __init__(self) -> None:
        require("mlflow", "mlflow", "mlflow-skinny")

    @contextmanager
    def track(self, run: Run | Record, folder: Path, *, group: str | None) -> Iterator[ScalarLog]:
        """Log axes and seed as parameters, epochs and diagnostics as metrics."""
        known = run if isinstance(run, Mapping) else {"label": run.label, "axes": run.axes, "seed": run.seed}
        client, started = _start(folder.parent, group or "skipbench", str(known["label"]))
        for name, value in {**known["axes"], "seed": known["seed"]}.items():
            client.log_param(started, name, value)
        status = "FAILED"
        try:
            yield ScalarLog(lambda name, value, epoch: client.log_metric(started, name, value, step=epoch))
            status = "FINISHED"
        finally:
            client.set_terminated(started, status)

    def results(self, answer: Any) -> None:
        """Log the results table as `results.json`."""
        heads, rows = results(answer)
        client, started = _start(answer.runs, answer.plan["name"], "results")
        client.log_dict(started, {"heads": heads, "rows": rows}, "results.json")
        client.set_terminated(started)

    def shown_by(self, runs: Path) -> str:
        """The command that shows the files, or the address."""
        command = f"MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri {shlex.quote(str(runs / 'mlruns'))}"
        return os.environ.get("MLFLOW_TRACKING_URI") or f"{command}  (of the package mlflow)"


def _start(runs: Path, experiment: str, name: str) -> tuple[Any, str]:
    """Begin an MLflow run; return the client and the run's id."""
    where = os.environ.get("MLFLOW_TRACKING_URI")
    if not where:
        where = (Path(runs) / "mlruns").resolve().as_uri()
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # MLflow ≥ 3.17 refuses files unless this is set
    client = import_module("mlflow").MlflowClient(where)
    found = client.get_experiment_by_name(experiment)
    known = found.experiment_id if found else client.create_experiment(experiment)
    return client, client.create_run(known, run_name=name).info.run_id
