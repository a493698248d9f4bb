"""Check a plan before anything is trained: networks can be built, data is here, the trainer fits this machine."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from ablations.plan.plan import Cell, Plan
from sweeps.cli.errors import as_value_error
from sweeps.compose.compose import Composer, with_network
from sweeps.preflight import check_nodes, check_trainer
from sweeps.workers.resources import SCHEDULED

FEW = 1000  # a plan of so many cells is checked whole
BUDGET = 1.0  # seconds that checking a larger one may take; its workers meet the rest


def check_cells(plan: Plan, composer: Composer, records: dict[str, Any]) -> None:
    """Build what is missing on the meta device, and look for its data; move cells that cannot be built to `invalid`.

    Cells share what they have in common: a network is built once for all recipes. Of a large plan as many cells are
    checked as there is time for, first those that show a value no other has shown; the others' costs are estimated.
    """
    left = [cell for cell in plan.cells if cell.missing(records)]
    if not left:
        return
    config = composer.master
    here = config.hydra.runtime.choices["hydra/launcher"] not in SCHEDULED  # others may have what this machine lacks
    until = math.inf
    unchecked, wrong, fitting = [], [], set()
    for cell in new_values_first(left):
        if time.monotonic() > until:
            unchecked.append(cell)
            continue
        try:
            with as_value_error():
                cell.params, cell.macs, cell.cost, cell.epochs = check_nodes(
                    cell.run.config, Path(config.data_dir), cell.run.start
                )
                recipe = cell.run.config["recipe"]
                precision = recipe.get("precision", 32)  # which a recipe of one's own need not name
                if here and precision not in fitting and may_not_fit(config.trainer, precision):
                    check_trainer(config.trainer, recipe)
                    fitting.add(precision)
        except ValueError as error:
            wrong.append(cell)
            plan.invalid += [(point, with_network(str(error), composer(point).hydra, point)) for point in cell.points]
        if until == math.inf and len(left) > FEW:  # from here on: to import torch and read the data takes what it takes
            until = time.monotonic() + BUDGET
    if wrong:
        gone = {id(cell) for cell in wrong}
        plan.cells = [cell for cell in plan.cells if id(cell) not in gone]
    plan.unchecked = len(unchecked)
    estimate([cell for cell in left if cell.cost], unchecked)


def may_not_fit(trainer: Any, precision: Any) -> bool:
    """Whether the trainer must be built as a check, because this machine or a setting may not support it.

    To try takes seconds, since Lightning must be imported.
    """
    plain = trainer.get("fuse", 1) in ("auto", 1) and trainer.get("compile", "none") == "none"
    there = trainer.accelerator in ("auto", "cpu") and trainer.strategy == "auto"
    return str(precision) != "32" or not there or not plain


def new_values_first(cells: list[Cell]) -> list[Cell]:
    """Put cells first that show an axis value not seen before; otherwise keep the order."""
    shown: set[tuple[str, str]] = set()
    first, rest = [], []
    for cell in cells:
        values = {(axis, str(value)) for axis, value in cell.run.axes.items()}
        (rest if values <= shown else first).append(cell)
        shown |= values
    return first + rest


def estimate(known: list[Cell], unknown: list[Cell]) -> None:
    """Estimate the costs of cells that were not built: the geometric mean, times the effect of each of their values."""
    if not known or not unknown:
        return
    logs = [math.log(cell.cost) for cell in known]
    mean = math.fsum(logs) / len(logs)
    sums: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for cell, log in zip(known, logs, strict=True):
        for axis, value in cell.run.axes.items():
            total = sums[axis, str(value)]
            total[0] += log - mean
            total[1] += 1
    effects = {key: total / n for key, (total, n) in sums.items()}
    for cell in unknown:
        terms = [effects.get((axis, str(value)), 0.0) for axis, value in cell.run.axes.items()]
        cell.cost = max(1, round(math.exp(min(mean + math.fsum(terms), 100.0))))
