"""Groups of parameters learn at their own rate and decay; where nothing is asked for there are none."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lightning_modules.networks.block_finder import find_blocks
from lightning_modules.training.parameter_groups import parameter_groups
from tests.lightning_modules.trained import composed, instantiate, train


def network(*words: str) -> nn.Module:
    return instantiate(composed(*words).network)


def rates(groups: list[dict]) -> dict[nn.Parameter, tuple[float, float]]:
    found = {}
    for group in groups:
        found |= dict.fromkeys(group["params"], (group.get("lr", 1.0), group.get("weight_decay", 1.0)))
    return found


def test_without_them_the_optimiser_gets_the_parameters_as_they_are() -> None:
    made = network()
    assert list(parameter_groups(made, lr=1.0)) == list(made.parameters())


@pytest.mark.parametrize(
    "words", [("norm=batch",), ("norm=group", "block=highway"), ("norm=layer", "network=cifar"), ("norm=derf",)]
)
def test_norms_and_biases_are_spared_the_decay_and_nothing_else(words: tuple[str, ...]) -> None:
    made = network(*words)
    found = rates(list(parameter_groups(made, lr=1.0, no_decay=["norm", "bias"])))
    assert len(found) == len(list(made.parameters()))
    for name, parameter in made.named_parameters():
        assert found[parameter] == (1.0, 0.0 if parameter.ndim < 2 else 1.0), name
    only_norms = rates(list(parameter_groups(made, lr=1.0, no_decay=["norm"])))
    head = [parameter for name, parameter in made.named_parameters() if name.endswith("bias")][-1]
    assert only_norms[head] == (1.0, 1.0), "the bias of the last layer is no norm's"


def test_fitnet_lets_no_bias_decay_whatever_the_recipe_unless_that_says_which() -> None:
    for word, kinds in (("recipe=he2015", ["bias"]), ("recipe=digits_adamw", ["norm", "bias"]), ("network=cifar", [])):
        words = ("network=fitnet", "depth=19", word) if word.startswith("recipe") else (word,)
        assert list(composed(*words).recipe.no_decay) == kinds
    config = composed("data=cifar10", "network=fitnet", "depth=19", "recipe.weight_decay=0.01")
    made, recipe = instantiate(config.network), instantiate(config.recipe)
    optimizer, _ = recipe.optimization(recipe.groups(made), 10)
    found = rates(optimizer.param_groups)
    decays = {name: found[parameter][1] for name, parameter in made.named_parameters()}
    assert {decay for name, decay in decays.items() if name.endswith("bias")} == {0.0}
    assert {decay for name, decay in decays.items() if not name.endswith("bias")} == {0.01}


def test_each_block_learns_at_a_fixed_share_of_the_rate_of_the_next() -> None:
    made = network("depth=20")
    blocks = find_blocks(made)
    found = rates(list(parameter_groups(made, lr=0.5, layer_decay=0.8)))
    assert len(blocks) == 9
    for level, block in enumerate(blocks, start=1):
        assert {found[parameter][0] for parameter in block.parameters()} == {0.5 * 0.8 ** (10 - level)}
    inside = {parameter for block in blocks for parameter in block.parameters()}
    first, *_, last = [parameter for parameter in made.parameters() if parameter not in inside]
    assert (found[first][0], found[last][0]) == (0.5 * 0.8**10, 0.5)


def test_the_step_of_each_group_is_that_of_its_rate_and_decay() -> None:
    """Plain SGD: Δw = −lr · ξ^k · (gradient + decay · w), the decay left out where it is asked to be."""
    made = network()
    words = ("optimizer=plain_sgd", "recipe.weight_decay=0.1", "recipe.layer_decay=0.5", "recipe.no_decay=[norm,bias]")
    recipe = instantiate(composed("schedule=constant", *words).recipe)
    optimizer, _ = recipe.optimization(recipe.groups(made), 10)
    found = rates(optimizer.param_groups)
    before = {parameter: parameter.detach().clone() for parameter in made.parameters()}
    made(torch.randn(4, 1, 8, 8)).square().sum().backward()
    optimizer.step()
    for name, parameter in made.named_parameters():
        rate, decay = found[parameter]
        assert decay == (0.0 if parameter.ndim < 2 else 0.1)
        expected = before[parameter] - rate * (parameter.grad + decay * before[parameter])
        torch.testing.assert_close(parameter.detach(), expected, msg=name)


def test_a_training_with_every_factor_1_is_the_one_without_groups() -> None:
    plain, grouped = train(), train("recipe.layer_decay=1")
    assert grouped.done.metrics == plain.done.metrics
    assert [row["lr"] for row in grouped.curve.rows] == [row["lr"] for row in plain.curve.rows]


@pytest.mark.parametrize(
    ("word", "says"), [("recipe.no_decay=[gain]", "no_decay=gain"), ("recipe.layer_decay=1.5", "must be > 0 and ≤ 1")]
)
def test_other_kinds_and_factors_are_refused(word: str, says: str) -> None:
    with pytest.raises(Exception, match=says):
        instantiate(composed(word).recipe)
