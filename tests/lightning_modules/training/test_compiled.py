"""`trainer.compile`: the same training with the same checkpoints, but for the last bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from pytorch_lightning import Callback, Trainer
from torch import nn

from lightning_modules.inspection.diagnostics import Diagnostics
from lightning_modules.networks.block_finder import find_blocks
from lightning_modules.training.classifier import Classifier
from lightning_modules.training.compiled import Compiled
from tests.lightning_modules.trained import composed, tiny_data, train

pytestmark = pytest.mark.filterwarnings("default")  # torch's compiler warns of its own


@pytest.mark.long  # ten seconds of compiling, a minute where much else is done
def test_a_compiled_training_is_the_same_and_blocks_of_one_shape_share_a_program() -> None:
    from torch._dynamo.utils import counters

    def trained(*more: str):
        inside = Diagnostics(lambda rows, new: None)
        return train("depth=14", "recipe.epochs=1", "network.widths=[4]", *more, callbacks=[inside]), inside

    plain, looked = trained()
    counters.clear()
    compiled, inside = trained("trainer.compile=default")
    assert compiled.weights.keys() == plain.weights.keys()
    for name, weight in plain.weights.items():
        assert torch.allclose(compiled.weights[name], weight, atol=1e-2, rtol=1e-2), name
    assert compiled.done.metrics["train_loss"] == pytest.approx(plain.done.metrics["train_loss"], rel=1e-3)
    assert inside.rows[0].keys() == looked.rows[0].keys(), "what is measured inside is measured of compiled blocks too"
    programs = counters["stats"]["unique_graphs"]
    assert programs == 4, (
        "six blocks of one shape share what there is for a batch to train, and of 128, 104 and 29 to look at"
    )


class Traced(Callback):
    """Compiles block by block as `Compiled` does, but spares the compiler the writing of programs."""

    def on_fit_start(self, trainer: Trainer, pl_module: Classifier) -> None:  # type: ignore[override]
        for part in find_blocks(pl_module.network):
            for module in part.modules:
                module.compile(backend="eager", dynamic=False)


def test_a_block_is_missed_as_much_where_the_blocks_are_compiled() -> None:
    def lesions(*callbacks: Callback) -> list[dict[str, Any]]:
        return train("recipe.epochs=1", "network.widths=[4]", "recipe.lesions=true", callbacks=callbacks).done.lesions

    plain, compiled = lesions(), lesions(Traced())
    assert [row["name"] for row in compiled] == [row["name"] for row in plain]
    for one, other in zip(plain, compiled, strict=True):
        assert one["damage"] == pytest.approx(other["damage"], abs=1e-3)
    assert any(row["damage"] for row in plain)


def test_after_a_forward_pass_that_failed_programs_are_used_again() -> None:
    class Full(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                raise torch.OutOfMemoryError("no room")
            return x

    def network() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 10), Full())

    inside = Diagnostics(lambda rows, new: None)
    with pytest.raises(torch.OutOfMemoryError):
        train(network=network, data=tiny_data(train=16), callbacks=[inside, Traced()])
    assert compilings(lambda: None) == 1


def test_a_run_leaves_no_programs_to_the_next() -> None:
    trained = train("recipe.epochs=1")
    assert compilings(lambda: None) == 1
    assert compilings(lambda: Compiled("default").on_fit_start(trained.trainer, trained.classifier)) == 2


def compilings(between: Callable[[], object]) -> int:
    """How often a function is compiled that is called before and after."""
    programs: list[torch.fx.GraphModule] = []
    negative = torch.compile(lambda x: -x, backend=lambda program, _: programs.append(program) or program)
    negative(torch.ones(1))
    between()
    negative(torch.ones(1))
    return len(programs)


def test_blocks_of_one_shape_share_a_program_also_where_each_has_a_survival_of_its_own() -> None:
    from torch._dynamo.utils import counters

    def programs(block: str) -> int:
        torch._dynamo.reset()
        counters.clear()
        train("depth=14", "recipe.epochs=1", "network.widths=[4]", f"block={block}", callbacks=[Traced()])
        return counters["stats"]["unique_graphs"]

    assert programs("stochastic_depth") == programs("residual") > 0


def test_compiling_is_no_part_of_what_a_run_is() -> None:
    from sweeps.compose.compose import run_of

    identities = {run_of(config, config.hydra).identity for config in (composed(), composed("trainer.compile=default"))}
    assert len(identities) == 1


def test_the_precision_of_a_gpu_is() -> None:
    from sweeps.compose.compose import run_of

    runs = [
        run_of(config, config.hydra)
        for config in (composed(), composed("trainer=gpu"), composed("trainer=gpu", "recipe.precision=32"))
    ]
    assert runs[1].config["recipe"]["precision"] == "bf16-mixed"
    assert runs[0].identity == runs[2].identity != runs[1].identity


def test_a_mode_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match=r"trainer.compile=fast is none of none, default, reduce-overhead"):
        Compiled("fast")
