"""A batch taken in parts is the same step; where memory runs out a run is begun again with smaller parts."""

import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from lightning_modules.data.augment import NoAugment
from lightning_modules.tasks.classification import Classification
from lightning_modules.tasks.losses import cross_entropy
from lightning_modules.training.classifier import Classifier
from lightning_modules.training.micro_batch import MicroBatched, classifier, smaller
from tests.typed import typed

RECIPE = SimpleNamespace(
    channels_last=True, augment=NoAugment(), learnt=Classification(loss=partial(cross_entropy, label_smoothing=0.1))
)


def gradients(module: Classifier, batch: tuple[torch.Tensor, torch.Tensor]) -> tuple[list[torch.Tensor], torch.Tensor]:
    backward = SimpleNamespace(backward=lambda loss, _: loss.backward())
    module._trainer = SimpleNamespace(strategy=backward)  # type: ignore[assignment]
    if not isinstance(module, MicroBatched):
        module.zero_grad()
    module.training_step(batch, 0).backward()
    assert module.sums is not None
    return [p.grad.clone() for p in module.parameters() if p.grad is not None], module.sums


@pytest.mark.parametrize("size", [1, 3, 7, 8, 100])
def test_parts_of_a_batch_give_the_gradient_of_the_whole(size: int) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(4 * 36, 5)).double()
    batch = torch.randn(8, 3, 8, 8, dtype=torch.float64), torch.randint(5, (8,))
    whole, sums = gradients(Classifier(network, RECIPE, seed=0), batch)  # type: ignore[arg-type]
    parts, again = gradients(MicroBatched(network, RECIPE, seed=0, size=size), batch)  # type: ignore[arg-type]
    for a, b in zip(whole, parts, strict=True):
        torch.testing.assert_close(a, b)
    torch.testing.assert_close(sums, again)


def test_batch_norm_wants_the_whole_batch() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    assert smaller(network, 128) is None
    assert smaller(network[0], 128) == 64
    assert smaller(network[0], 1) == 1
    with pytest.raises(ValueError, match="batch norm needs the whole batch; choose norm=group or leave it out"):
        classifier(network, RECIPE, 0, 32)  # type: ignore[arg-type]


OOM = (
    "from torch import OutOfMemoryError\nfrom lightning_modules.networks.blocks import Residual\n\n\n"
    "class Hungry(Residual):\n    def join(self, x, fx):\n        if self.training and not x.is_meta and len(x) > 40:\n"
    "            raise OutOfMemoryError('no room')\n        return super().join(x, fx)\n"
)


@pytest.mark.parametrize(("norm", "status"), [("group", "finished"), ("batch", "failed")])
def test_a_run_without_memory_is_begun_again_in_smaller_parts(tmp_path: Path, norm: str, status: str) -> None:
    (tmp_path / "mine.py").write_text(OOM)
    asked = [f"norm={norm}", "depth=8", "recipe.epochs=1", "tracker=none", "block._target_=mine.Hungry"]
    typed(f"runs={tmp_path}", *asked, at=tmp_path)
    (path,) = tmp_path.glob("*/record.json")
    record = json.loads(path.read_text())
    assert record["status"] == status
    assert record["cause"] == (None if status == "finished" else "oom")
    assert record.get("micro_batch") == (32 if status == "finished" else None)
