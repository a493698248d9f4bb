"""Looking inside a network changes no training; what was seen is kept, and what broke it is named."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
import torch
from pytorch_lightning import Callback

from ablations.analysis.metrics import read_metric
from ablations.records.record import Record, read_record
from ablations.records.recorder import Recorder
from ablations.wandb_view.tracking import Log
from lightning_modules.inspection.diagnostics import Diagnostics
from lightning_modules.training.history import Row
from sweeps import one_run
from sweeps.compose.compose import run_of
from tests.lightning_modules.trained import Trained, composed, perceptron, tiny_data, train
from tests.lightning_modules.training.test_ends import NaNGradient, NotANumber

QUANTITIES = ("gradient_norm", "weight_norm", "update_ratio", "response", "dead_units")
SMALL = ("recipe.batch_size=320",)  # of digits, four steps an epoch


def with_diagnostics(*overrides: str, **more) -> tuple[Trained, Diagnostics]:
    seen = Diagnostics(lambda rows, new: None)
    return train(*overrides, callbacks=[seen], **more), seen


CASES = [(), ("block=highway",), ("recipe.clip_norm=0.5", "norm=none"), ("recipe.precision=bf16-mixed",)]


@pytest.mark.parametrize("overrides", CASES, ids=lambda overrides: ",".join(overrides) or "residual")
def test_a_training_is_to_the_bit_what_it_is_unwatched(overrides: tuple[str, ...]) -> None:
    bare, (watched, seen) = train(*overrides, data=tiny_data()), with_diagnostics(*overrides, data=tiny_data())
    assert all(map(torch.equal, bare.weights.values(), watched.weights.values()))
    assert bare.done.metrics == watched.done.metrics
    assert [row["epoch"] for row in seen.rows] == [1, 2]
    columns = {f"{name}.block_0{i}" for name in QUANTITIES for i in (1, 2, 3)}
    assert columns <= set(seen.rows[0])
    assert ("gate_openness.block_03" in seen.rows[0]) == ("block=highway" in overrides)
    assert seen.first_nonfinite is None


def test_dropout_draws_the_same_numbers_whether_watched_or_not() -> None:
    data = {"network": perceptron, "data": tiny_data()}
    bare, (watched, seen) = train(**data), with_diagnostics(**data)
    assert all(map(torch.equal, bare.weights.values(), watched.weights.values()))
    assert len(seen.rows) == 2


def test_a_network_that_recomputes_is_seen_once() -> None:
    rows = [with_diagnostics(f"network.checkpoint_from={depth}", data=tiny_data())[1].rows for depth in (400, 8)]
    assert rows[0] == rows[1]


def test_a_part_of_an_epoch_is_measured_at_its_end() -> None:
    length = ("recipe.epochs=null", "recipe.steps=7")
    assert [row["epoch"] for row in with_diagnostics(*length, data=tiny_data())[1].rows] == [1, 2]


def test_every_row_is_handed_on_once_and_the_last_ones_at_the_end() -> None:
    told: list[list[Row]] = []
    train("recipe.epochs=5", data=tiny_data(), callbacks=[Diagnostics(lambda rows, new: told.append(list(new)))])
    assert [row["epoch"] for new in told for row in new] == [1, 2, 3, 4, 5]


@pytest.mark.usefixtures("every_epoch_saved")
def test_a_resumed_training_has_the_rows_of_an_uninterrupted_one(tmp_path: Path) -> None:
    class Kill(Callback):
        def on_train_batch_start(self, trainer, *_) -> None:
            if trainer.global_step == 12:
                raise KeyError

    whole = with_diagnostics("recipe.epochs=4", data=tiny_data())[1].rows
    checkpoint = tmp_path / "last.ckpt"
    with pytest.raises(KeyError):
        train(
            "recipe.epochs=4", data=tiny_data(), callbacks=[Diagnostics(lambda *_: None), Kill()], checkpoint=checkpoint
        )
    resumed = with_diagnostics("recipe.epochs=4", data=tiny_data(), checkpoint=checkpoint)[1].rows
    assert len(resumed) == 4
    assert resumed == whole


class Plant(Callback):
    """Puts such weights into a layer before a step."""

    def __init__(self, layer: str, step: int, weight: float = torch.inf) -> None:
        self.layer, self.step, self.weight = layer, step, weight

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        if trainer.global_step == self.step:
            pl_module.network.get_submodule(self.layer).weight.data[0] = self.weight


@pytest.mark.parametrize("step", [0, 3, 7])
@pytest.mark.parametrize("layer", ["stem.0.conv", "stages.1.0.body.2.conv", "head.2"])
def test_the_layer_of_infinite_weights_is_named(layer: str, step: int) -> None:
    seen = Diagnostics(lambda rows, new: None)
    assert train(data=tiny_data(), callbacks=[Plant(layer, step), seen]).done.diverged
    assert seen.first_nonfinite == f"{layer} (weight)"


@pytest.mark.parametrize("layer", ["stem.0.conv", "stages.1.0.body.2.conv"])
def test_the_layer_that_overflows_is_named_and_looking_for_it_changes_nothing(layer: str) -> None:
    seen = Diagnostics(lambda rows, new: None)
    bare, watched = (train(data=tiny_data(), callbacks=[Plant(layer, 3, 3e38), *more]) for more in ([], [seen]))
    assert seen.first_nonfinite == f"{layer} (output)"
    assert bare.done.diverged
    for name, tensor in bare.weights.items():
        torch.testing.assert_close(tensor, watched.weights[name], rtol=0, atol=0, equal_nan=True)


def recorded(folder: Path, *overrides: str) -> Record:
    config = composed(*SMALL, *overrides)
    return one_run.train(config, run_of(config, config.hydra), folder, alone=False)


HOW = [
    ("recipe.epochs=5",),
    ("recipe.epochs=5", "recipe.clip_norm=1.0"),
    ("recipe.epochs=5", "norm=group", "micro_batch=200"),
    ("recipe.epochs=null", "recipe.steps=15"),  # its last step is the one that breaks
    ("recipe.epochs=null", "recipe.steps=15", "recipe.clip_norm=1.0"),
]


@pytest.mark.parametrize("how", HOW, ids=str)
@pytest.mark.parametrize(
    ("block", "named"),
    [(NotANumber, "stages.0.0 (output)"), (NaNGradient, "stages.1.0.body.2.norm (gradient)")],
)
def test_the_record_of_a_diverged_run_names_the_layer(
    tmp_path: Path, block: type, named: str, how: tuple[str, ...]
) -> None:
    target = f"block._target_=tests.lightning_modules.training.test_ends.{block.__name__}"
    record = recorded(tmp_path / "run", target, *how)
    assert record["status"] == "diverged"
    assert record["first_nonfinite"] == named
    assert read_record(tmp_path / "run" / "record.json") == record


def test_a_run_keeps_its_diagnostics_where_claims_read_them(tmp_path: Path) -> None:
    record = recorded(tmp_path / "run")
    assert "first_nonfinite" not in record
    ratio = read_metric("diagnostics.gradient_ratio").value(record, tmp_path)
    first, last = (read_metric(f"diagnostics.gradient_norm.block_0{i}@2").value(record, tmp_path) for i in (1, 3))
    assert first is not None
    assert last
    assert ratio == pytest.approx(first / last, rel=1e-4)
    assert read_metric("diagnostics.dead_units@1").value(record, tmp_path) is not None
    again = recorded(tmp_path / "run", "diagnostics=false")
    assert again["identity"] == record["identity"]
    assert again["metrics"] == record["metrics"]
    assert not (tmp_path / "run" / "diagnostics.csv").exists(), "they were another training's"


def test_rows_become_curves_of_their_own_in_wandb() -> None:
    logged: list[dict] = []

    class Run:
        summary: ClassVar[dict] = {}

        def log(self, values: dict) -> None:
            logged.append(values)

    Log(Run()).diagnostics([{"epoch": 1, "gradient_ratio": 0.5, "response.block_01": 1.0}])
    assert logged == [{"epoch": 1, "diagnostics/gradient_ratio": 0.5, "diagnostics/response/block_01": 1.0}]


def test_rows_may_lack_what_others_have(tmp_path: Path) -> None:
    config = composed()
    Recorder(run_of(config, config.hydra), tmp_path).diagnostics([{"epoch": 1}, {"epoch": 2, "gate_openness": 0.5}])
    assert (tmp_path / "diagnostics.csv").read_text() == "epoch,gate_openness\n1,\n2,0.5\n"
