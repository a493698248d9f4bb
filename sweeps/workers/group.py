"""Train as one program runs that differ only in the seed, the learning rate and the weight decay."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from omegaconf import DictConfig

from ablations.identity.run import Run, digest
from sweeps.workers.resources import gpus_here

VARYING = ("lr", "weight_decay")  # settings of a recipe in which the runs of a group may differ
MAX_GROUP = 8  # runs in a group under trainer.fuse=auto


def group_key(run: Run) -> str:
    """A key that is equal for runs that can be trained as one program."""
    return digest({"code": run.code, **run.config, "recipe": _without_varying(run.config["recipe"])})


def group_size(trainer: DictConfig, *, runs: int, workers: int) -> int:
    """How many runs a worker trains as one program: `trainer.fuse`; with `auto` runs ÷ workers, and only on a GPU.

    Under `auto`, compiled and deterministic runs are trained one by one: a clock decides there what is faster, and it
    may decide otherwise the next time.
    """
    asked = trainer.get("fuse", 1)
    if asked != "auto":
        return asked
    alone = trainer.get("compile", "none") != "none" or trainer.get("deterministic", False)
    return 1 if alone or not gpus_here(trainer.get("accelerator")) else min(MAX_GROUP, -(-runs // workers))


class GroupTrainer:
    """Train groups of runs in this process; remember which groups are better trained one by one.

    Args:
        train: trains one run; takes `turn` where other runs are trained beside it.
        faster: whether one program must be faster than one by one.
    """

    def __init__(self, train: Callable[..., object], *, faster: bool) -> None:
        self.train_one, self.faster = train, faster
        self.fallback: dict[str, str | None] = {}  # group key → why its runs are trained one by one

    def train(self, key: str, runs: Sequence[Any]) -> None:
        """Train the runs of one group."""
        from lightning_modules.vmapped.fused import SLOWER, train_in_lockstep

        bodies = [partial(self._one, run) for run in runs]
        known = key in self.fallback
        reason = train_in_lockstep(bodies, known=known, faster=self.faster, snapshot=_snapshot)
        self.fallback[key] = reason
        if reason not in (None, SLOWER):
            words = "%d runs were trained one by one, not as one program (trainer.fuse): %s"
            logging.getLogger(__name__).warning(words, len(runs), reason)

    def one_by_one(self, key: str) -> bool:
        """Whether the runs of this group are known to be better trained one by one."""
        return self.fallback.get(key) is not None

    def _one(self, run: Any, turn: Any) -> None:
        try:
            self.train_one(run, turn=turn)
        finally:
            for each in logging.root.handlers:
                each.close()  # which the next run's logging would forget to do


def _snapshot() -> Callable[[], None]:
    """Snapshot Hydra's config and the log handlers, of which a process has one each; return what restores them."""
    from hydra.core.hydra_config import HydraConfig

    config, logs = HydraConfig.instance().cfg, logging.root.handlers[:]

    def restore() -> None:
        HydraConfig.instance().cfg = config
        logging.root.handlers[:] = logs

    return restore


def _without_varying(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_varying(value) for key, value in node.items() if key not in VARYING}
    return [_without_varying(item) for item in node] if isinstance(node, list) else node
