"""A small study made in memory: block × depth × 3 seeds, with whatever went wrong where a test wants it."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from ablations.question.seeds import seed_design
from ablations.wandb_view import log, tracking


def _hex(*parts: Any) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def make_plan(
    grid: Mapping[str, Sequence[Any]] | None = None,
    *,
    seeds: Sequence[int] | Mapping[str, int] = (0, 1, 2),
    claims: Sequence[Mapping[str, Any]] = (),
    name: str = "headline",
) -> dict[str, Any]:
    """A plan of the full product of `grid`, where a plain block has no shortcut.

    Args:
        seeds: a list, or as many as the claims need: {from: 3, most: 30}.
    """
    design = seed_design(dict(seeds) if isinstance(seeds, Mapping) else list(seeds))
    grid = grid or {"block": ["plain", "residual"], "depth": [8, 20, 56]}
    points: list[dict[str, Any]] = [{}]
    for axis, values in grid.items():
        points = [{**point, axis: value} for point in points for value in values]
    cells: dict[str, dict[str, Any]] = {}
    for point in points:
        axes = {"norm": "batch", "data": "digits", **point}
        if axes.get("block") == "plain":
            axes.pop("shortcut", None)
        key = _hex(sorted(axes.items(), key=str))
        label = "-".join(str(value) for axis, value in axes.items() if axis not in ("data", "norm"))
        runs = [
            {
                "seed": s,
                "identity": _hex(key, s),
                "label": f"{label}-s{s}",
                "folder": f"{label}-s{s}-{_hex(key, s)[:8]}",
            }
            for s in (*design.first, *design.further)
        ]
        first = len(design.first)
        cell = {"cell": key, "axes": axes, "points": [], "runs": runs[:first], "further": runs[first:]}
        cells.setdefault(key, cell)["points"].append(point)
    study = {
        "name": name,
        "question": "Does depth still help when the shortcut is taken away?",
        "grid": [dict(grid)],
        "seeds": design.as_written(),
        "fixed": {"data": "digits"},
        "claims": [dict(claim) for claim in claims],
    }
    return {
        "schema": 1,
        "name": name,
        "study": study,
        "command": "python run.py -m",
        "swept": list(grid),
        "cells": list(cells.values()),
        "invalid": [],
    }


def make_records(
    plan: Mapping[str, Any],
    errors: Callable[[Mapping[str, Any], int], float | Mapping[str, Any] | None] = lambda axes, seed: 5.0 + seed,
) -> dict[str, dict[str, Any]]:
    """A record for each run, those that may follow included.

    Args:
        errors: (axes, seed) → an error, changed fields, or None for a run not yet trained.
    """
    records = {}
    for cell in plan["cells"]:
        for run in (*cell["runs"], *cell["further"]):
            value = errors(cell["axes"], run["seed"])
            if value is None:
                continue
            changed = {} if isinstance(value, (int, float)) else dict(value)
            error = value if isinstance(value, (int, float)) else changed.pop("error", 5.0)
            metrics = {"train_error": error, "val_error": error, "test_error": error}
            metrics |= {name.replace("error", "loss"): error / 50 for name in list(metrics)}
            record = {
                "schema": 1,
                **run,
                "cell": cell["cell"],
                "status": "finished",
                "axes": cell["axes"],
                "params": 269722,
                "macs": 40551040,
                "epochs": 10,
                "steps": 100,
                "seconds": 7.25,
                "images_per_second": 500.0,
                "cause": None,
                "note": "",
                "provenance": {"versions": {"torch": "2.13.0+cpu"}, "device": "cpu (2 threads)"},
                **changed,
            }
            record["metrics"] = metrics | changed.get("metrics", {})
            records[run["identity"]] = record
    return records


@pytest.fixture
def plan() -> dict[str, Any]:
    return make_plan()


@pytest.fixture
def records(plan: dict[str, Any]) -> dict[str, Any]:
    return make_records(plan)


@pytest.fixture
def nobody(monkeypatch, tmp_path_factory):
    """No credentials, wherever the tests are run."""
    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith("WANDB_") and name != "WANDB_SERVICE"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NETRC", str(home / "none"))
    tracking._obstacle.cache_clear()
    log.warn.cache_clear()


@pytest.fixture
def warned(caplog):
    """warned(): the lines that tracking warned with so far."""
    caplog.set_level(logging.WARNING, logger="ablations.wandb_view.log")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "ablations.wandb_view.log"]
