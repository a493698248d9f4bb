"""The sweeper that Hydra starts for `python run.py -m`."""

from __future__ import annotations

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class StudySweeper(Sweeper):
    """Calls `sweeps.sweep.sweep`, which is imported only then, so that `--help` does not wait for it."""

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.given = {"context": hydra_context, "main": task_function, "config": config}

    def sweep(self, arguments: list[str]) -> None:
        from sweeps.cli.errors import friendly_errors
        from sweeps.sweep import sweep

        with friendly_errors():
            sweep(arguments, **self.given)
