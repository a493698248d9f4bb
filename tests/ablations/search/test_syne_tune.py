"""Syne Tune asks a table for what the table holds."""

from __future__ import annotations

import numpy as np
import pytest

from ablations.search.syne_tune import ELAPSED, evaluations
from ablations.search.table import Table
from tests.ablations.search.landscape import DEPTHS, EPOCHS, SEEDS, made_up


def test_every_point_has_the_values_of_its_cell():
    table = made_up()
    points, values, names = evaluations(table)
    assert names == ["val_error", "test_error", ELAPSED]
    assert values.shape == (2 * len(DEPTHS) * 4 * 2, len(SEEDS), EPOCHS, 3)
    assert not np.isnan(values[..., [0, 2]]).any()
    for point, own in zip(points.to_dict("records"), values, strict=True):
        cell = table.cell(point).sort_values(["seed", "epoch"])
        assert own[..., 0].ravel() == pytest.approx(cell.val_error.to_numpy(), rel=1e-6)
        assert own[:, -1, 1] == pytest.approx(cell.test_error.dropna().to_numpy(), rel=1e-6)


def test_a_run_that_diverged_has_its_values_until_then():
    table = made_up()
    frame = table.frame[(table.frame.label != "plain-None-8-0.03-s1") | (table.frame.epoch < EPOCHS)].copy()
    ends = frame.status.astype(object).where(frame.label != "plain-None-8-0.03-s1", "diverged")
    points, values, _ = evaluations(Table(frame.assign(status=ends), table.axes, table.about))
    row = points.query("block == 'plain' and depth == 8 and `recipe.lr` == 0.03").index[0]
    before = table.frame.query("label == 'plain-None-8-0.03-s1'").val_error.to_numpy()
    assert values[row, 1, :, 0] == pytest.approx([*before[:2], 100, 100], rel=1e-6)
    assert values[row, 1, :, 1] == pytest.approx([np.nan, np.nan, 100, 100], nan_ok=True)


def test_syne_tune_looks_up_and_searches():
    pytest.importorskip("syne_tune.blackbox_repository.blackbox_tabular", reason="Syne Tune is not installed")
    table = made_up()
    box = table.to_syne_tune()
    point = {"block": "residual", "depth": 14, "recipe.lr": 0.3, "shortcut": "B"}
    found = box(point, fidelity={"epoch": 2}, seed=1)
    row = table.cell(point).query("seed == 1 and epoch == 2").iloc[0]
    assert found["val_error"] == pytest.approx(row.val_error, rel=1e-6)
    assert found[ELAPSED] == pytest.approx(row.seconds, rel=1e-6)
