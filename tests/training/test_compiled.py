"""`trainer.compile`: the same training with the same checkpoints, but for the last bits."""

from __future__ import annotations

import pytest
import torch

from lightning_modules.compiled import Compiled
from lightning_modules.diagnostics import Diagnostics
from training.trained import composed, train


@pytest.mark.long  # ten seconds of compiling, a minute where much else is done
@pytest.mark.filterwarnings("default")  # torch's compiler warns of its own
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


def test_compiling_is_no_part_of_what_a_run_is() -> None:
    from hydra_plugins.skipbench._compose import run_of

    identities = {run_of(config, config.hydra).identity for config in (composed(), composed("trainer.compile=default"))}
    assert len(identities) == 1


def test_the_precision_of_a_gpu_is() -> None:
    from hydra_plugins.skipbench._compose import run_of

    runs = [
        run_of(config, config.hydra)
        for config in (composed(), composed("trainer=gpu"), composed("trainer=gpu", "recipe.precision=32"))
    ]
    assert runs[1].config["recipe"]["precision"] == "bf16-mixed"
    assert runs[0].identity == runs[2].identity != runs[1].identity


def test_a_mode_that_does_not_exist_is_named() -> None:
    with pytest.raises(ValueError, match=r"trainer.compile=fast is none of none, default, reduce-overhead"):
        Compiled("fast")
