"""A table of a made-up landscape, to search on."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd

from ablations.search.table import Axis, Table
from ablations.search.table_files import typed

BLOCKS, DEPTHS, SEEDS, EPOCHS = ("plain", "residual"), (8, 14, 20), (0, 1), 4


def made_up() -> Table:
    """A made-up landscape of 2 × 3 × 4 points; plain networks have no shortcut; a run of depth d takes d seconds."""
    draw, rows = np.random.default_rng(0), []
    points = [("plain", None), ("residual", "A"), ("residual", "B")]
    for (block, shortcut), depth, lr in product(points, DEPTHS, (0.03, 0.1, 0.3, 1.0)):
        mean = draw.uniform(5, 50)
        cell = f"{block}-{shortcut}-{depth}-{lr}"
        for seed, epoch in product(SEEDS, range(1, EPOCHS + 1)):
            error = mean + 20 / epoch + seed
            rows.append(
                {
                    **{"block": block, "shortcut": shortcut, "depth": depth, "recipe.lr": lr, "seed": seed},
                    **{"epoch": epoch, "val_error": error, "test_error": error + 1 if epoch == EPOCHS else None},
                    **{"seconds": depth * epoch / EPOCHS, "status": "finished", "cause": None, "params": 1000 * depth},
                    **{"macs": depth, "label": f"{cell}-s{seed}", "identity": f"{cell}-{seed}", "cell": cell},
                }
            )
    axes = {
        **{"block": Axis("categorical", BLOCKS), "depth": Axis("whole", DEPTHS)},
        **{"recipe.lr": Axis("real", (0.03, 0.1, 0.3, 1.0))},
        "shortcut": Axis("categorical", ("A", "B"), ("block",), frozenset({("residual",)})),
    }
    about = {"studies": [{"name": "made-up", "question": "?"}], "whole": True, "fixed": {"data": "digits"}}
    return Table(typed(pd.DataFrame(rows), axes), axes, {**about, "judged": ["val_error", "lower"], "metrics": {}})
