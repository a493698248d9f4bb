"""The laws every block obeys, as a class of tests that a block's author subclasses in three lines.

    from lightning_modules.networks.testing import BlockContract

    class TestMine(BlockContract):
        block = MyBlock          # or a partial of it, with its options

and pytest runs one test a law. What the block's signature names among `body`, `shortcut`, `norm` and `activation` is
handed to it, as a network would; so is the history or the streams, if its `forward` asks for them (see
`handing_over`). A block may refuse a size, a shortcut or a norm with a ValueError of one sentence.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from inspect import Parameter
from itertools import combinations
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from lightning_modules.networks import norms, shortcuts
from lightning_modules.networks.bodies import Basic
from lightning_modules.networks.handing_over import alone, asked_by, copied, one_after_another
from lightning_modules.networks.layers import BlockFactory, Norm
from lightning_modules.networks.signature import parameters_of
from lightning_modules.networks.stages import place

SIZES = ((8, 16, 1), (8, 8, 1), (8, 16, 2))
NORMS: tuple[Norm, ...] = (norms.Batch, norms.Group, norms.Layer, norms.Instance, norms.Pixel, norms.DyT, nn.Identity)
SHORTCUTS: tuple[Callable[[Norm], BlockFactory], ...] = (
    lambda norm: shortcuts.A,
    lambda norm: partial(shortcuts.A, subsample="average", pad="symmetric"),
    lambda norm: partial(shortcuts.B, norm=norm),
    lambda norm: partial(shortcuts.C, norm=norm),
    lambda norm: partial(shortcuts.D, norm=norm),
    lambda norm: shortcuts.Projection,
    lambda norm: shortcuts.ZeroShortcut,
)


class BlockContract:
    """Set `block`; say `random = True` if it draws numbers in training, `stacks = False` if it does not take vmap."""

    block: ClassVar[Any]
    random: ClassVar[bool] = False
    stacks: ClassVar[bool] = True

    def test_its_options_have_defaults_and_its_axes_are_known(self) -> None:
        given = getattr(self.block, "keywords", {})
        needed = {
            name for name, p in parameters_of(self.block).items() if p.default is Parameter.empty and name not in given
        }
        assert needed <= {"c_in", "c_out", "stride", "body", "shortcut", "norm", "activation"}, needed

    def test_it_has_the_size_that_was_asked_for(self) -> None:
        sizes = list(self.accepted())
        assert sizes, f"it takes none of the sizes {SIZES}"
        for c_in, c_out, stride, block in sizes:
            y = alone(block, torch.randn(2, c_in, 9, 8))
            assert y.shape == (2, c_out, -(-9 // stride), -(-8 // stride)), (c_in, c_out, stride)

    def test_every_parameter_learns_within_three_steps(self) -> None:
        for c_in, c_out, _, block in self.accepted():
            learner = network = block
            if asked_by(block) == "streams":  # of which `merged` is called on the last alone
                learner = nn.Sequential(OrderedDict(first=block, last=self.make(c_out, c_out, 1)))
                network = one_after_another([learner])
                place(network)
            unmoved = dict(learner.train(not self.random).named_parameters())
            for _ in range(3):
                x = images(c_in)
                y = network(x, (x.flip(0),)) if asked_by(block) == "history" else network(x)
                (y * torch.randn_like(y)).sum().backward()
                assert all(p.grad is None or p.grad.isfinite().all() for p in learner.parameters())
                unmoved = {name: p for name, p in unmoved.items() if p.grad is None or not p.grad.any()}
                torch.optim.SGD(learner.parameters(), lr=0.01).step()
                learner.zero_grad()
            assert not unmoved, f"no gradient reaches {', '.join(unmoved)}"

    def test_evaluation_repeats_itself(self) -> None:
        c_in, block = self.settled()
        assert torch.equal(alone(block, images(c_in)), alone(block, images(c_in)))

    def test_a_batch_of_one_is_one_of_a_batch(self) -> None:
        c_in, block = self.settled()
        torch.testing.assert_close(alone(block, images(c_in)[:1]), alone(block, images(c_in))[:1])
        assert alone(block.train(), images(c_in)[:1]).shape[0] == 1

    def test_channels_last_changes_nothing(self) -> None:
        c_in, block = self.settled()
        last = deepcopy(block).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        x = images(c_in)
        torch.testing.assert_close(alone(last, x.to(memory_format=torch.channels_last)), alone(block, x))

    def test_double_precision_is_kept(self) -> None:
        c_in, block = self.settled()
        x = images(c_in)
        y = alone(deepcopy(block).double(), x.double())
        assert y.dtype == torch.float64
        torch.testing.assert_close(y.float(), alone(block, x), rtol=1e-3, atol=1e-4)

    def test_it_and_its_factory_can_be_pickled(self) -> None:
        c_in, block = self.settled()
        pickle.loads(pickle.dumps(self.block))
        assert torch.equal(alone(pickle.loads(pickle.dumps(block)), images(c_in)), alone(block, images(c_in)))

    def test_stacked_blocks_compute_as_one_by_one(self) -> None:
        if not self.stacks:
            return
        blocks = [self.settled()[1] for _ in range(3)]
        c_in, _ = self.settled()
        parameters, buffers = stack_module_state(blocks)
        skeleton, x = deepcopy(blocks[0]).to("meta"), images(c_in)
        if asked_by(skeleton) == "streams":
            x = copied(x, skeleton)
        together = vmap(lambda p, b: functional_call(skeleton, (p, b), (x,)))(parameters, buffers)
        for block, y in zip(blocks, together, strict=True):
            torch.testing.assert_close(y, block(x))

    def test_what_it_asks_for_matters(self) -> None:
        c_in, block = self.settled()
        if (asked := asked_by(block)) is None:
            return
        for parameter in block.parameters():  # a fresh block may not look at it yet
            parameter.data += 0.1 * torch.randn_like(parameter)
        x, more = images(c_in), images(c_in).flip(0)
        if asked == "history":
            ways = [block(x, history) for history in ((), (more,), (x, more))]
        else:
            ways = [block(torch.stack([first, *[x] * (block.streams - 1)], dim=1)) for first in (x, more, 2 * x)]
        assert not any(torch.equal(one, other) for one, other in combinations(ways, 2))

    def test_it_takes_every_shortcut_and_norm_or_says_why_not(self) -> None:
        for norm in NORMS:
            for shortcut in SHORTCUTS:
                for c_in, c_out, _, block in self.accepted(norm=norm, shortcut=shortcut(norm)):
                    y = alone(block, images(c_in))
                    assert y.shape[1] == c_out
                    assert y.isfinite().all()

    def make(
        self,
        c_in: int,
        c_out: int,
        stride: int,
        *,
        norm: Norm = norms.Batch,
        shortcut: BlockFactory = shortcuts.A,
        **options: Any,
    ) -> Any:
        """A block of this size with these options, handed what else its signature names."""
        parts = {
            "body": partial(Basic, norm=norm, activation=nn.ReLU),
            "shortcut": shortcut,
            "norm": norm,
            "activation": nn.ReLU,
        }
        named = {name: parts[name] for name in parameters_of(self.block) if name in parts}
        return self.block(c_in, c_out, stride, **named | options)

    def accepted(self, **parts: Any) -> Iterator[tuple[int, int, int, Any]]:
        """The sizes the block takes, each with a fresh block; checks that it refuses the others in one sentence."""
        for size in SIZES:
            try:
                block = self.make(*size, **parts)
            except ValueError as refusal:
                sentence = str(refusal)
                assert sentence.count("\n") == sentence.count(". ") == 0 < len(sentence), (
                    f"not one sentence: {sentence}"
                )
            else:
                yield *size, block

    def settled(self) -> tuple[int, Any]:
        """The block of the first size it takes, in evaluation."""
        c_in, _, _, block = next(self.accepted())
        return c_in, block.eval()


def images(channels: int) -> Tensor:
    """Eight images of 8×8, always the same."""
    return torch.randn(8, channels, 8, 8, generator=torch.Generator().manual_seed(0))
