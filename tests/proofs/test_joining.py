"""Several processes on one study at once share its runs: each is trained once, and no work is done twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.proofs.sweeps import finish, planned, results, start, table

ASKED = ("block=plain,residual", "depth=8", "seed=range(6)", "recipe.epochs=12", "hydra/launcher=basic")


def starts(runs: Path) -> Counter[str]:
    """How often each run's training was begun, by the lines that its log has of it."""
    logs = {path.parent.name: path.read_text() for path in runs.glob("*/run.log")}
    return Counter({folder: text.count("training begins") for folder, text in logs.items()})


@pytest.mark.slow
@pytest.mark.long
def test_three_processes_train_every_run_exactly_once(tmp_path: Path) -> None:
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    finish(alone, *ASKED)
    processes = [start(shared, *ASKED) for _ in range(3)]
    said = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    found, expected = results(shared), results(alone)
    assert {record["identity"] for record in found.values()} == planned(shared) == planned(alone)
    assert starts(shared) == Counter({record["folder"]: 1 for record in found.values()}), "each was begun once"
    trained = Counter(record["provenance"]["pid"] for record in found.values())
    assert set(trained) == {process.pid for process in processes}, f"all three trained some: {trained}"
    assert sum(record["steps"] for record in found.values()) == sum(record["steps"] for record in expected.values())
    assert table(shared) == table(alone)
    assert not list(shared.glob("*/lease*.json"))
    assert all("± " in out for out, _ in said), "each of them ends with the table"


@pytest.mark.long
def test_two_studies_at_once_share_the_runs_that_both_need(tmp_path: Path) -> None:
    rest = ("depth=8", "seed=range(3)", "recipe.epochs=8", "hydra/launcher=basic")
    processes = [start(tmp_path, f"block=plain,{other}", *rest) for other in ("residual", "highway")]
    said = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    found = results(tmp_path)
    assert len(found) == 9, "three runs of each block"
    assert starts(tmp_path) == Counter({record["folder"]: 1 for record in found.values()})
