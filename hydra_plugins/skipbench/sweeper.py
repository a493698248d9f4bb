"""The sweeper of studies: plan, train what is missing, report. `python run.py -m` converges."""

from __future__ import annotations

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class StudySweeper(Sweeper):
    """Hydra's side of a study: hands the pieces to `Study` (below Hydra's start, so that `--help` stays quick)."""

    def __init__(self) -> None:
        """Nothing to configure."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.context, self.main, self.config = hydra_context, task_function, config

    def sweep(self, arguments: list[str]) -> Any:
        from hydra_plugins.skipbench._errors import one_sentence
        from hydra_plugins.skipbench._sweep import sweep

        with one_sentence():
            return sweep(arguments, context=self.context, main=self.main, config=self.config)
