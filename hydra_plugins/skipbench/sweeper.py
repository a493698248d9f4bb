"""The sweeper of studies, as Hydra meets it: plan, train what is missing, report. `python run.py -m` converges."""

from __future__ import annotations

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class StudySweeper(Sweeper):
    """Hands what Hydra gives to `_sweep.sweep`, which is imported only then: `--help` need not wait for it."""

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.given = {"context": hydra_context, "main": task_function, "config": config}

    def sweep(self, arguments: list[str]) -> None:
        from sweeps.cli.errors import friendly_errors
        from sweeps.sweep import sweep

        with friendly_errors():
            sweep(arguments, **self.given)
