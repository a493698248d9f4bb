"""A small part of real CIFAR-10, where there is one beside this repository."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from training.trained import train

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "unpack.py"


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_file(), reason=f"no real CIFAR-10: {REAL} is not there")
def test_residual_20_learns_cifar(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(REAL), str(tmp_path)], check=True, capture_output=True)
    words = ["data=cifar10", f"data_dir={tmp_path}", "network=cifar", "depth=20", "recipe=he2015_short"]
    small = ["data.held_out=49000", "recipe.epochs=6", "recipe.batch_size=100", "recipe.lr=0.05"]
    rows = train(*words, *small).curve.rows
    losses = [row["train_loss"] for row in rows]
    assert 2.3 < losses[0] < 3.5
    assert losses[-1] < 2.0
    assert rows[-1]["val_error"] < 80, "chance is 90"
