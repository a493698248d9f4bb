"""A small size of benchmarks/scale.py: it runs, and the laws it measures hold here too."""

import re
from pathlib import Path

import pytest

from benchmarks import scale


def test_what_was_made_up_is_read(tmp_path: Path) -> None:
    lines = scale.reading(tmp_path, 100)
    assert len(lines) == 5


def test_a_plan_is_made_without_building_every_cell(tmp_path: Path) -> None:
    _, said = scale.planning(tmp_path, 1300)
    assert "1296 cells × 1 seed" in said
    assert re.search(r"\d+ not built to see whether they can be", said)


@pytest.mark.long
def test_a_worker_does_not_grow(tmp_path: Path) -> None:
    *_, memory = scale.tiny_runs(tmp_path, 24)
    growth = float(re.findall(r"\(([+-][\d.]+)%\)", memory)[0])
    assert growth < 5
