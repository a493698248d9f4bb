"""A checkpoint is data: a damaged one is named, and nothing in one is executed."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from lightning_modules.training.checkpoint import refusal
from tests.lightning_modules.trained import perceptron, tiny_data, train


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, bait: Path) -> None:
        self.bait = bait

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.bait}",)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A checkpoint as training leaves it."""
    path = tmp_path_factory.mktemp("whole") / "last.ckpt"
    train("recipe.epochs=1", network=perceptron, data=tiny_data(), checkpoint=path)
    assert refusal(path, {}) is None
    return path.read_bytes()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda whole: b"", "is no whole checkpoint"),
        (lambda whole: whole[: len(whole) // 2], "is no whole checkpoint"),
        (lambda whole: whole[:-1], "is no whole checkpoint"),
        (lambda whole: b"PK garbage" * 100, "is no whole checkpoint"),
        (lambda whole: bytes(len(whole)), "is no whole checkpoint"),
        (lambda whole: whole[:3000] + bytes([whole[3000] ^ 1]) + whole[3001:], "is damaged in"),
    ],
    ids=["empty", "half", "cut", "garbage", "zeros", "one bit"],
)
def test_damage_is_seen(tmp_path: Path, whole: bytes, change: Callable[[bytes], bytes], says: str) -> None:
    path = tmp_path / "last.ckpt"
    path.write_bytes(change(whole))
    found = refusal(path, {})
    assert found is not None
    assert says in found
    assert "\n" not in found
    assert "weights_only" not in found, "torch's advice to execute it is not passed on"


def test_a_checkpoint_of_something_else_is_none(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "epoch": 1}, tmp_path / "last.ckpt")
    assert "lacks optimizer_states" in str(refusal(tmp_path / "last.ckpt", {}))
    torch.save([1], tmp_path / "last.ckpt")
    assert "lacks state_dict" in str(refusal(tmp_path / "last.ckpt", {}))


def test_what_a_checkpoint_would_do_is_not_done(tmp_path: Path, whole: bytes) -> None:
    bait, path = tmp_path / "bait", tmp_path / "last.ckpt"
    path.write_bytes(whole)
    state = torch.load(path, weights_only=True)
    torch.save(state | {"callbacks": {"Curve": Bomb(bait)}}, path)
    assert refusal(path, {}) == "holds more than numbers and names, which is not executed"
    with pytest.raises(pickle.UnpicklingError):  # nor is it where nobody looked before
        train("recipe.epochs=2", network=perceptron, data=tiny_data(), checkpoint=path)
    path.write_bytes(pickle.dumps(Bomb(bait)))
    assert "is no whole checkpoint" in str(refusal(path, {}))
    assert not bait.exists()
    pickle.loads(path.read_bytes())
    assert bait.exists(), "the bomb works"


def test_a_checkpoint_that_lies_about_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under Slurm, Lightning would go on from any hpc_ckpt_1.ckpt in the folder of the call, whosever it is."""
    short = {"network": perceptron, "data": tiny_data()}
    train("recipe.epochs=1", "recipe.lr=1e-4", **short, checkpoint=tmp_path / "hpc_ckpt_1.ckpt")
    alone = train("recipe.epochs=1", **short)
    monkeypatch.chdir(tmp_path)
    under_slurm(monkeypatch, NTASKS="1")
    assert train("recipe.epochs=1", **short).done.metrics == alone.done.metrics


def test_slurms_signal_is_for_the_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under Slurm, Lightning would requeue the worker on its own, and refuse more tasks than devices."""
    under_slurm(monkeypatch, NTASKS="2")
    seen = []

    class Look(Callback):
        def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            seen.append(signal.getsignal(signal.SIGUSR1))

    train("recipe.epochs=1", network=perceptron, data=tiny_data(), callbacks=[Look()])
    assert seen == [signal.getsignal(signal.SIGUSR1)] == [signal.SIG_DFL]


def under_slurm(monkeypatch: pytest.MonkeyPatch, *, NTASKS: str) -> None:
    slurm = {"NTASKS": NTASKS, "JOB_NAME": "x", "JOB_ID": "1", "LOCALID": "0", "NODEID": "0", "PROCID": "0"}
    for name, value in slurm.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
