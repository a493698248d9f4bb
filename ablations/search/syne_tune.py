"""Hand a table to Syne Tune, as a black box of its repository: `pip install 'syne-tune[blackbox-repository]'`.

Salinas et al. 2022, Syne Tune. A scheduler then asks the table, on a simulated clock of Syne Tune's own.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pandas import DataFrame

    from ablations.search.table import Table

ELAPSED, EPOCH = "elapsed_time", "epoch"


def blackbox(table: Table) -> Any:
    """Make a `BlackboxTabular` with the objectives of `evaluations`; ImportError where Syne Tune is not installed."""
    try:
        from syne_tune.blackbox_repository.blackbox_tabular import BlackboxTabular  # pyright: ignore[reportMissingImports]
        from syne_tune.config_space import choice, ordinal, randint  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError(f"needs {error.name}: pip install 'syne-tune[blackbox-repository]'") from error
    points, values, names = evaluations(table)
    kinds = {"categorical": choice, "whole": ordinal, "real": ordinal}
    space = {name: kinds[table.axes[name].kind](some) for name, some in _values(table).items()}
    return BlackboxTabular(
        hyperparameters=points,
        configuration_space=space,
        fidelity_space={EPOCH: randint(1, values.shape[2])},
        objectives_evaluations=values,
        objectives_names=names,
    )


def evaluations(table: Table) -> tuple[DataFrame, np.ndarray, list[str]]:
    """Return every point of the axes, the values there (points, seeds, epochs, objectives), and the objectives' names.

    The objectives are the metric by which the task is judged, its test value (after the last epoch) and the seconds
    that have passed. An axis that is not active has each of its values, all with the same results. From the epoch in
    which a run diverged its errors are 100%; what the table does not have is NaN.
    """
    import pandas as pd

    judged = table.about["judged"][0]
    names = [judged, f"test_{judged.removeprefix('val_')}", ELAPSED]
    seeds, last = sorted({*table.frame.seed.dropna()}), int(table.frame.epoch.max())
    axes = _values(table)
    points = [dict(zip(axes, some, strict=True)) for some in product(*axes.values())]
    values = np.full((len(points), len(seeds), last, len(names)), np.nan, np.float32)
    for own, point in zip(values, points, strict=True):
        ends: dict[int, dict[str, Any]] = {}
        for row in table.by_key.get(table.key_of(point), ()):
            if "seed" in row and row["epoch"]:
                run = own[seeds.index(row["seed"])]
                run[row["epoch"] - 1] = [row.get(name, np.nan) for name in (*names[:2], "seconds")]
                ends[row["seed"]] = row
        for seed, row in ends.items():
            if row["status"] == "diverged":
                worst = 100.0 if judged.endswith("_error") else np.nan
                own[seeds.index(seed), row["epoch"] - 1 :] = [worst, worst, row.get("seconds", np.nan)]
    return pd.DataFrame(points), values, names


def _values(table: Table) -> dict[str, list[Any]]:
    """The values of each axis, of one type each: 1 of an axis of real numbers is 1.0."""
    return {n: [float(v) if axis.kind == "real" else v for v in axis.values] for n, axis in table.axes.items()}
