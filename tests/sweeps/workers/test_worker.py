"""A worker of a study that adds seeds goes on while further runs may be needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from ablations.analysis.needed import Needed
from ablations.records.files import write_json
from sweeps.workers.worker import Application, PlannedRun, Worker


@dataclass
class Later(Needed):
    """Needs nothing at its first look, as between the record of another worker and what follows from it."""

    looks: int = 0
    asked: set[str] = field(default_factory=set)

    @property
    def settled(self) -> bool:
        return False

    def folders(self) -> set[str]:
        self.looks += 1
        return self.asked if self.looks > 2 else set()


class Recording(Worker):
    """Records in place of training."""

    def train(self, planned: PlannedRun, **how: Any) -> None:
        run = planned.run
        record = {"schema": 1, "status": "finished", "axes": {}, "metrics": {}, "cause": None}
        record |= {"identity": run.identity, "cell": run.cell, "label": run.label, "folder": run.folder}
        write_json(self.record_of(planned), record | {"seed": 0, "params": 1, "macs": 1, "epochs": 1})


def test_what_is_needed_between_two_looks_is_trained(tmp_path: Path) -> None:
    from ablations.identity.run import Run

    run = Run(axes={}, seed=0, config={"network": {}, "data": {}, "recipe": {}}, unusual=())
    needed = Later({"cells": []}, tmp_path, asked={run.folder})
    config = OmegaConf.create({"trainer": {}, "runs": str(tmp_path), "max_consecutive_failures": 5})
    Recording(Application(None, None, config), [PlannedRun(run, [], {})], needed=needed)(config)
    assert [path.parent.name for path in tmp_path.glob("*/record.json")] == [run.folder]
