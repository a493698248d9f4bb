"""Start a deep network as a shallow one: further blocks are added later as the identity, which changes nothing.

He et al. 2015, Sec. 1, argue with this construction that a deeper network need not be worse; Net2Net (Chen et al. 2016,
Sec. 2.3) trains it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_modules.networks.handing_over import WithHistory, WithStreams, require_input_alone
from lightning_modules.networks.inits import WEIGHTED, last_layer, zero


class PendingBlock(nn.Module):
    """A block that the shallow network does not have: y = x and nothing to train, until it is `active`."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block
        self.active = True

    def forward(self, x: Tensor) -> Tensor:
        return self.block(x) if self.active else x


def init_from_shallow(deep: nn.Module, shallow: nn.Module, shape: tuple[int, ...]) -> None:
    """Give `deep` the weights of `shallow`, and make the blocks that it has beyond them the identity.

    A block with a shortcut is the identity where the last layer of its body is zero, if its activation changes nothing
    that has passed one; a plain one where each of its layers is, which no norm leaves alone. That is
    tested: two images of `shape` (C, H, W) are passed through.

    Raises:
        ValueError: the two differ in more than their number of blocks, or a block cannot be the identity.
    """
    if isinstance(stages := getattr(deep, "stages", None), WithHistory | WithStreams):
        require_input_alone(next(stages[0].children()), "a network that grows")
    surplus: list[PendingBlock] = []
    try:
        stages = zip(deep.get_submodule("stages").children(), shallow.get_submodule("stages").children(), strict=True)
        for long, short in stages:
            surplus += _fill(long, short)
        for name, module in shallow.named_children():
            if name != "stages":
                deep.get_submodule(name).load_state_dict(module.state_dict())
    except (AttributeError, RuntimeError, ValueError) as error:
        raise ValueError("the deep and the shallow network differ in more than their number of blocks") from error
    for one in surplus:
        _become_identity(one.block)
    if (strange := _not_identity(deep, surplus, shape)) is not None:
        raise ValueError(f"{strange} cannot begin as the identity: use block=residual with shortcut=A, and relu")


def set_pending_active(network: nn.Module, *, active: bool) -> None:
    """Add the pending blocks of a network, or take them out again."""
    for module in network.modules():
        if isinstance(module, PendingBlock):
            module.active = active


def _fill(long: nn.Module, short: nn.Module) -> list[PendingBlock]:
    """Copy the blocks of a short stage to the first places and the last of a long one; the others are pending."""
    blocks, given = list(long.children()), list(short.children())
    kept = [*range(len(given) - 1), len(blocks) - 1] if len(given) > 1 else [0]
    for index, block in zip(kept, given, strict=True):
        blocks[index].load_state_dict(block.state_dict())
    found = {index: PendingBlock(block) for index, block in enumerate(blocks) if index not in kept}
    for index, block in found.items():
        setattr(long, str(index), block)
    return list(found.values())


def _become_identity(block: nn.Module) -> None:
    if getattr(block, "closed", False):  # it is, and with a zero in its body too nothing would ever learn
        return
    if hasattr(block, "shortcut"):
        zero(last_layer(block))
        return
    for layer in block.modules():
        if isinstance(layer, WEIGHTED):
            zero(layer)
            (nn.init.eye_ if isinstance(layer, nn.Linear) else nn.init.dirac_)(layer.weight)


@torch.no_grad()
def _not_identity(network: nn.Module, surplus: list[PendingBlock], shape: tuple[int, ...]) -> str | None:
    """The class of a pending block whose output is not its input, in evaluation; None if there is none."""
    found: list[str] = []

    def look(module: PendingBlock, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        same = output.shape == inputs[0].shape and torch.allclose(output, inputs[0], rtol=1e-6, atol=1e-7)
        found.extend([] if same else [type(module.block).__name__])

    handles = [one.register_forward_hook(look) for one in surplus]
    training = network.training
    network.eval()(torch.randn(2, *shape, generator=torch.Generator().manual_seed(0)))
    network.train(training)
    for handle in handles:
        handle.remove()
    return found[0] if found else None
