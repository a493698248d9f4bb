"""What docs/tasks.md brings is trained: a loss, a metric with its claim, a task, an augmentation."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from torch import nn
from torch.nn import functional as F

from lightning_modules.tasks.classification import Classification
from lightning_modules.tasks.losses import cross_entropy, mse
from lightning_modules.tasks.task import Metric
from sweeps.fits_task import try_task
from tests.lightning_modules.trained import train
from tests.pages import FILES
from tests.typed import typed


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with the files of the page in its folder `own`."""
    for name, text in FILES["docs/tasks.md"].items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ("data=digits_centre", "loss=log_cosh"),
        ("task=gaussian", "data=digits_centre", "data.classes=4", "recipe.lr=0.01"),
        ("augment=black_row",),
        ("metric=confidence",),
    ],
    ids=" ".join,
)
def test_an_example_of_the_page_is_trained(own: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(own / "own")
    one, again = (train(f"hydra.searchpath=[file://{own / 'own'}]", "recipe.epochs=1", *words) for _ in range(2))
    assert not one.done.diverged
    assert one.done.metrics == again.done.metrics
    if words[0] == "metric=confidence":
        assert 10 < one.done.metrics["test_confidence"] <= 100
    if words[0] == "task=gaussian":
        assert {"val_mae", "test_mae"} <= set(one.done.metrics)


def test_a_claim_on_a_metric_of_ones_own_is_judged_and_the_metric_has_its_column(own: Path) -> None:
    quick = ("hydra/launcher=basic", "tracker=none", "recipe.epochs=1", "runs=runs")
    done = typed("--config-dir", "own", "-m", "study=sure", *quick, at=own, COLUMNS="160")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"test .*\n.* confidence %", done.stdout)
    assert "Residual networks are surer on the test images." in done.stdout
    found = [json.loads(path.read_text()) for path in (own / "runs").glob("*/record.json")]
    assert len(found) == 4
    assert all(0 < record["metrics"]["val_confidence"] <= 100 for record in found)


def test_a_study_of_a_regression_has_its_columns_and_its_best_cell(tmp_path: Path) -> None:
    words = ("data=digits_centre", "depth=8,14", "seed=0", "recipe.epochs=1", "tracker=none", "hydra/launcher=basic")
    done = typed("-m", *words, at=tmp_path, COLUMNS="160")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lowest val_mse" in done.stdout
    assert re.search(r"val .*\n.* r2", done.stdout)
    assert "error %" not in done.stdout, "there are no errors to show"


def test_a_search_of_another_task_minimises_what_that_is_judged_by(tmp_path: Path) -> None:
    words = ("study=search_tuned", "data=digits_centre", "plan=true", "tracker=none", "hydra/launcher=basic")
    done = typed("-m", *words, at=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "minimises val_mse" in done.stdout


class Learnt(nn.CrossEntropyLoss):
    """A cross-entropy with a temperature."""

    def __init__(self) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(()))


LOSSES = {
    "does not take the outputs and targets of this task": mse,
    "no mean over the batch": lambda outputs, targets: F.cross_entropy(outputs, targets, reduction="none"),
    "depends on the outputs": lambda outputs, targets: torch.zeros(()),
    "parameters of its own": Learnt(),
    ".weight has 2 numbers, and there are 4 classes": nn.CrossEntropyLoss(torch.ones(2)),
    "list as {_target_: torch.tensor, data": partial(F.cross_entropy, weight=OmegaConf.create([1.0] * 4)),
}
METRICS: dict[str, tuple[Any, bool]] = {
    r"gives tensor\(.*\) for 3 examples: it should give a value an example": (lambda o, t: o.mean(), False),
    "gives 0.0 for 3 examples": (lambda o, t: float(o.mean()), False),
    "one number, as a tensor, since whole is true": (lambda o, t: o[:, 0], True),
    "metric mine does not take .* takes 1 positional": (lambda o: o, False),
}


@pytest.mark.parametrize("says", LOSSES)
def test_a_loss_that_cannot_be_minimised_is_refused_before_training(says: str) -> None:
    with pytest.raises(ValueError, match=f"loss.*{says}"):
        try_task(Classification(loss=LOSSES[says]), np.array([0, 1, 2]), 4)


@pytest.mark.parametrize("says", METRICS)
def test_a_metric_that_gives_something_else_is_refused_before_training(says: str) -> None:
    function, whole = METRICS[says]
    task = Classification(loss=cross_entropy, further={"mine": Metric(function, better="lower", whole=whole)})
    with pytest.raises(ValueError, match=says):
        try_task(task, np.array([0, 1, 2]), 4)
