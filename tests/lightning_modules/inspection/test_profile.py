"""`profile=true`: the parts of a step add up to it, and nothing is recorded."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hydra.utils import instantiate
from rich.console import Console

from lightning_modules.inspection import profile as module
from lightning_modules.networks.counting import multiply_adds
from lightning_modules.training.classifier import Classifier
from sweeps.training import build
from tests.lightning_modules.trained import composed


def test_the_parts_of_a_step_add_up_and_the_rates_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEPS", 10)
    config = composed("recipe.epochs=50")
    network, data, recipe = build(config)
    learner = Classifier(network, recipe, seed=0)
    found = module.profile(learner, data, instantiate(config.trainer)(recipe=recipe, callbacks=[]))
    assert [*found.milliseconds] == [*module.PARTS]
    assert all(spent > 0 for spent in found.milliseconds.values())
    assert found.whole == pytest.approx(sum(found.milliseconds.values()))
    assert learner.trainer.global_step == 10 + module.WARM_UP, "no more steps than are looked at"
    assert found.flops == 6 * 128 * multiply_adds(network, data.shape)
    assert min(found.milliseconds["forward"], found.milliseconds["backward"]) > found.milliseconds["data"]
    with Console(width=100, record=True) as console:
        console.print(found.table("residual"))
    assert {"forward", "optimiser", "overhead", "convolution"} <= set(console.export_text().split())


def test_compiling_is_no_part_of_the_seconds_a_profile_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    clock, trainer = module.Clock(lambda: None), SimpleNamespace(should_stop=False)
    for seconds in [module.SECONDS, *[0.0] * (module.WARM_UP - 1), *[1.0] * 5]:  # the first step takes so long
        now[0] += seconds
        clock.on_train_batch_end(trainer, None)
        assert not trainer.should_stop
    now[0] += module.SECONDS
    clock.on_train_batch_end(trainer, None)
    assert trainer.should_stop


@pytest.mark.parametrize(
    ("precision", "dtype"), [("32", torch.float32), ("bf16-mixed", torch.bfloat16), ("64-true", torch.float64)]
)
def test_peaks_are_of_the_numbers_that_training_multiplies(
    precision: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.dtype] = []
    monkeypatch.setattr(module, "_peak", lambda work, wait: seen.append(work[0]().dtype) or 1.0)
    monkeypatch.setattr(module, "STEPS", 1)
    config = composed("recipe.epochs=50", f"recipe.precision={precision}")
    network, data, recipe = build(config)
    trainer = instantiate(config.trainer)(recipe=recipe, callbacks=[])
    module.profile(Classifier(network, recipe, seed=0), data, trainer)
    assert seen == [dtype] * 2


def test_what_cannot_be_told_apart_says_so() -> None:
    config = composed()
    network, data, recipe = build(config)
    trainer = instantiate(config.trainer)(recipe=recipe, callbacks=[])
    trainer.fit_loop.epoch_loop = object()
    with pytest.raises(ValueError, match="profile=true needs"):
        module.profile(Classifier(network, recipe, seed=0), data, trainer)


def test_nothing_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    from hydra.core.hydra_config import HydraConfig

    from sweeps import one_run

    monkeypatch.setattr(module, "STEPS", 5)
    config = composed(
        f"runs={tmp_path}", "profile=true", f"hydra.runtime.output_dir={tmp_path / 'run'}", "hydra.mode=RUN"
    )
    (tmp_path / "run" / ".hydra").mkdir(parents=True)
    monkeypatch.setattr(HydraConfig, "get", lambda: config.hydra)
    assert one_run.main(config) is None
    assert "forward" in capsys.readouterr().out
    assert not [*tmp_path.iterdir()]
