from __future__ import annotations

import subprocess
import sys
from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from lightning_modules.networks import recompute


def step(network: nn.Module) -> None:
    """A forward and a backward pass, and an update; what is drawn at random is the same each time."""
    torch.manual_seed(2)
    network(torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(1))).square().mean().backward()
    torch.optim.SGD(network.parameters(), lr=0.1).step()


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_recomputing_changes_not_a_bit(build, says, block, norm):
    if says(f"block={block}", "grows", False):
        return  # network=densenet recomputes nothing
    chosen = ["network=small", "depth=20", "data.channels=1", f"block={block}", f"norm={norm}"]
    kept = build(*chosen).train()
    if type(kept.stages) is not nn.Sequential:
        with pytest.raises(ValueError, match="recomputes activations, hands a block its input alone"):
            build(*chosen, "network.checkpoint_from=20")
        return
    recomputed = deepcopy(kept)
    recomputed.recomputes = True
    for _ in range(3):
        step(kept)
        step(recomputed)
    for name, tensor in kept.state_dict().items():
        assert torch.equal(tensor, recomputed.state_dict()[name]), name
    for (name, p), q in zip(kept.named_parameters(), recomputed.parameters(), strict=True):
        assert torch.equal(p.grad, q.grad), name


def test_recomputing_keeps_less(build):
    def kept(checkpoint_from: int) -> int:
        network = build("network=small", "depth=56", "data.channels=1", f"network.checkpoint_from={checkpoint_from}")
        sizes: list[int] = []
        with saved_tensors_hooks(lambda tensor: sizes.append(tensor.numel()) or tensor, lambda tensor: tensor):
            network(torch.zeros(2, 1, 8, 8))
        return sum(sizes)

    assert kept(56) < kept(57) / 8


@pytest.mark.parametrize(("blocks", "segments"), [(1, 1), (9, 3), (100, 10), (200, 14)])
def test_segments_are_about_the_root_of_the_blocks(monkeypatch, blocks, segments):
    lengths: list[int] = []
    monkeypatch.setattr(recompute, "checkpoint", lambda segment, x, **options: lengths.append(len(segment)) or x)
    recompute.run(nn.Sequential(*(nn.Identity() for _ in range(blocks))), torch.zeros(1))
    assert (sum(lengths), len(lengths)) == (blocks, segments)


@pytest.mark.parametrize("training", [True, False])
def test_only_training_recomputes(build, monkeypatch, training):
    runs: list[nn.Module] = []
    monkeypatch.setattr(recompute, "run", lambda stage, x: runs.append(stage) or stage(x))
    network = build("network=small", "depth=8", "network.checkpoint_from=8", "data.channels=1").train(training)
    x = torch.zeros(2, 1, 8, 8)
    network(x)
    assert len(runs) == (3 if training else 0)
    with torch.no_grad():
        network(x)
    assert len(runs) == (3 if training else 0)


STEP = """
import resource, torch
from functools import partial
from torch import nn
from lightning_modules.networks import blocks, bodies, cifar, inits, norms, shortcuts
body = partial(bodies.Basic, norm=norms.Batch, activation=nn.ReLU)
block = partial(blocks.Residual, body=body, shortcut=shortcuts.A, activation=nn.ReLU)
network = cifar.CifarNet(1202, 1, 3, 10, block=block, norm=norms.Batch, activation=nn.ReLU, init=inits.he_fan_out)
network(torch.randn(2, 3, 32, 32)).sum().backward()
assert all(p.grad.isfinite().all() for p in network.parameters())
print(sum(p.numel() for p in network.parameters()), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


@pytest.mark.long
def test_a_step_of_1202_layers_fits_into_8_gib(pytestconfig):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", STEP],
        cwd=pytestconfig.rootpath,
        capture_output=True,
        text=True,
        check=True,
    )
    parameters, gib = map(float, done.stdout.split())
    assert parameters == 19_421_274  # He et al. 2015, Table 6: 19.4 M
    assert gib < 8
