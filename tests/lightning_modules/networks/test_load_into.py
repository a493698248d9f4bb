"""Weights that others have published are loaded in order, and refused where they do not fit or mean something else."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import skipbench
from tests.lightning_modules.trained import composed


class TheirBlock(nn.Module):
    """A block as akamaster's pytorch_resnet_cifar10 has it: zeros on both sides of the channels."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.BatchNorm2d(c_out)
        self.conv2, self.bn2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False), nn.BatchNorm2d(c_out)
        self.stride, self.more = stride, c_out - c_in

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        pads = (0, 0, 0, 0, self.more // 2, self.more // 2)
        return F.relu(y + (F.pad(x[:, :, :: self.stride, :: self.stride], pads) if self.more else x))


class TheirNet(nn.Module):
    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        sizes = [(16, 16, 1), (16, 32, 2), (32, 64, 2)]
        for number, (c_in, c_out, stride) in enumerate(sizes, start=1):
            rest = [TheirBlock(c_out, c_out, 1) for _ in range(blocks - 1)]
            setattr(self, f"layer{number}", nn.Sequential(TheirBlock(c_in, c_out, stride), *rest))
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.linear(x.mean((2, 3)))


def theirs(blocks: int = 1) -> tuple[dict[str, Tensor], tuple[Tensor, Tensor]]:
    torch.manual_seed(0)
    network = TheirNet(blocks)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    x = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        return network.state_dict(), (x, network.eval()(x))


def ours(*words: str, depth: int = 8) -> nn.Module:
    from hydra.utils import instantiate

    return instantiate(composed("data=cifar10", "network=cifar", f"depth={depth}", *words).network)


@pytest.mark.parametrize("blocks", [1, 3])
def test_published_weights_compute_what_their_network_computes(blocks: int) -> None:
    weights, (x, y) = theirs(blocks)
    named = OrderedDict((f"module.{name}", value) for name, value in weights.items() if "num_batches" not in name)
    for given in (weights, {"state_dict": named, "best_prec1": 91.7}):
        network = skipbench.load_into(ours("shortcut.pad=symmetric", depth=6 * blocks + 2), given, same_as=(x, y))
        assert torch.allclose(network(x), y, atol=1e-5)
        assert not network.training


def test_weights_that_fit_and_mean_something_else_are_refused() -> None:
    weights, same_as = theirs()
    network = ours()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(ValueError, match=r"computes something else: outputs differ by .* try shortcut.pad=symmetric"):
        skipbench.load_into(network, weights, same_as=same_as)
    with pytest.raises(ValueError, match=r"computes something else: it does not take the input"):
        skipbench.load_into(network, weights, same_as=(same_as[0][:, :1], same_as[1]))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(module.training for module in network.modules())
    with pytest.raises(ValueError, match=r"says where they go \(in .* at the end\): give same_as"):
        skipbench.load_into(network, weights)


def test_the_first_weight_that_does_not_fit_is_named() -> None:
    weights, same_as = theirs()
    fits = ours("shortcut.pad=symmetric")
    wider = {**weights, "layer2.0.conv1.weight": torch.zeros(48, 16, 3, 3)}
    with pytest.raises(ValueError, match=r"layer2.0.conv1.weight has shape \(48, 16, 3, 3\), and stages.1.0"):
        skipbench.load_into(fits, wider, same_as=same_as)
    less = {name: value for name, value in weights.items() if name != "linear.bias"}
    with pytest.raises(ValueError, match=r"36 weights do not fill the 37 of .*: head.2.bias is this network's"):
        skipbench.load_into(fits, less, same_as=same_as)
    with pytest.raises(ValueError, match=r"another.weight is the published one's alone"):
        skipbench.load_into(fits, {**weights, "another.weight": torch.zeros(3)}, same_as=same_as)
    with pytest.raises(ValueError, match="epoch of the published weights is a int and no tensor"):
        skipbench.load_into(fits, {**weights, "epoch": 3}, same_as=same_as)
