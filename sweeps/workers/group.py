"""Runs that differ in nothing but the seed, the learning rate and the weight decay, trained as one program."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from omegaconf import DictConfig

from ablations.identity.run import Run, digest
from sweeps.workers.resources import gpus_here

FREE = ("lr", "weight_decay")  # numbers of a recipe in which runs that are trained together may differ
MOST = 8  # together, where nobody says how many


def kind(run: Run) -> str:
    """Equal for runs that can be trained together."""
    return digest({"code": run.code, **run.config, "recipe": _without(run.config["recipe"])})


def most(trainer: DictConfig, *, runs: int, workers: int) -> int:
    """How many runs a worker takes at once: `trainer.fuse`; of `auto` its share at most, and on a GPU alone.

    Compiled runs go one by one, and so do deterministic ones: what a clock decides differs from time to time.
    """
    asked = trainer.get("fuse", 1)
    if asked != "auto":
        return asked
    alone = trainer.get("compile", "none") != "none" or trainer.get("deterministic", False)
    return 1 if alone or not gpus_here(trainer.get("accelerator")) else min(MOST, -(-runs // workers))


class Groups:
    """Trains groups of runs in this process; remembers which kinds of run cannot, or need not, be trained together.

    Args:
        train: trains one run; takes the run's turn by name, where others are trained beside it.
        faster: whether together must also be faster than one by one.
    """

    def __init__(self, train: Callable[..., object], *, faster: bool) -> None:
        self.train, self.faster = train, faster
        self.trouble: dict[str, str | None] = {}

    def together(self, kind: str, runs: Sequence[Any]) -> None:
        """Train runs of one kind."""
        from lightning_modules.vmapped.fused import SLOWER, at_once

        bodies = [partial(self._one, run) for run in runs]
        trouble = at_once(bodies, known=kind in self.trouble, faster=self.faster, own=_own)
        self.trouble[kind] = trouble
        if trouble not in (None, SLOWER):
            words = "%d runs were trained one by one, not as one program (trainer.fuse): %s"
            logging.getLogger(__name__).warning(words, len(runs), trouble)

    def separate(self, kind: str) -> bool:
        """Whether runs of this kind are known to be better trained one by one."""
        return self.trouble.get(kind) is not None

    def _one(self, run: Any, turn: Any) -> None:
        try:
            self.train(run, turn=turn)
        finally:
            for each in logging.root.handlers:
                each.close()  # which the next run's logging would forget to do


def _own() -> Callable[[], None]:
    """Hydra's config and the log are one a process, and must be each run's."""
    from hydra.core.hydra_config import HydraConfig

    config, logs = HydraConfig.instance().cfg, logging.root.handlers[:]

    def restored() -> None:
        HydraConfig.instance().cfg = config
        logging.root.handlers[:] = logs

    return restored


def _without(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without(value) for key, value in node.items() if key not in FREE}
    return [_without(item) for item in node] if isinstance(node, list) else node
