"""What is as shipped is known to be right without importing its target; all else is compared with the signature."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from ablations.catalog.choices import CONF
from sweeps.compose.signatures import check_flags, check_names, check_numbers, is_as_shipped
from sweeps.preflight import check
from tests.lightning_modules.trained import composed

GROUPS = ("trainer", "tracker", "sampler", "pruner", "data")
FILES = [path for group in GROUPS for path in sorted((CONF / group).glob("*.yaml"))]


def node_of(path: Any) -> dict[str, Any]:
    file = yaml.safe_load(path.read_text("utf-8"))
    return {key: value for key, value in file.get(path.parent.name, file).items() if key != "defaults"}


@pytest.mark.parametrize("path", [path for path in FILES if "_target_" in node_of(path)], ids=str)
def test_a_shipped_node_is_as_shipped_and_passes_both_checks(path: Any) -> None:
    node, group = node_of(path), path.parent.name
    assert is_as_shipped(node, group)
    check_flags(node, group)
    if group != "data":
        check_names(node, group)


@pytest.mark.parametrize("path", [path for path in FILES if "_target_" in node_of(path)], ids=str)
def test_every_flag_of_a_shipped_node_is_written_as_true_or_false(path: Any) -> None:
    """Otherwise a value that is neither would be taken for as shipped."""
    node, group = node_of(path), path.parent.name
    for key, value in node.items():
        if not key.startswith("_") and not isinstance(value, bool | dict):
            check_flags({**node, key: "yes"}, group)


@pytest.mark.parametrize(
    "changed", [{"deterministic": "yes"}, {"treads": 2}, {"_target_": "mine.Trainer"}, {"threads": [1]}]
)
def test_what_differs_in_kind_is_not_as_shipped(changed: dict[str, Any]) -> None:
    node = node_of(CONF / "trainer" / "auto.yaml")
    assert is_as_shipped({**node, "threads": 2, "deterministic": True, "compile": None}, "trainer")
    assert not is_as_shipped({**node, **changed}, "trainer")


HEADS = {"_target_": "lightning_modules.networks.attention.Attention", "_partial_": True}
DYT = {"_target_": "lightning_modules.networks.norms.DyT", "_partial_": True}


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        ({"body": {**HEADS, "heads": 2.0}}, "body.heads=2.0 is not a whole number: write body.heads=2"),
        ({"body": {**HEADS, "heads": "two"}}, "body.heads=two is not a whole number: write body.heads=4"),
        ({"body": {**HEADS, "heads": True}}, "body.heads=true is not a whole number: write body.heads=4"),
        (
            {"block": {"body": {**HEADS, "norm": {**DYT, "alpha": "x"}}}},
            "norm.alpha=x is not a number: write norm.alpha=0.5",
        ),
    ],
)
def test_a_number_of_another_kind_is_refused_with_one_that_is_taken(part: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        check_numbers(part, "network")
    check_numbers({"body": {**HEADS, "heads": 2, "norm": {**DYT, "alpha": 1}}}, "network")


PARTS = [path for group in ("block", "body", "norm", "activation", "network") for path in (CONF / group).glob("*.yaml")]


@pytest.mark.parametrize("path", sorted(PARTS), ids=str)
def test_the_numbers_of_shipped_networks_are_numbers(path: Any) -> None:
    file: Any = OmegaConf.to_container(OmegaConf.load(path))
    node = file.get(path.parent.name, file)
    check_numbers({key: value for key, value in node.items() if not str(value).startswith("${")}, path.parent.name)


def test_the_numbers_of_a_network_are_checked_before_it_is_built() -> None:
    with pytest.raises(ValueError, match=r"norm\.alpha=abc is not a number"):
        check(composed("norm=dyt", "norm.alpha=abc"))


class NoShortcut:
    def __init__(self, c_in: int, c_out: int, stride: int, *, body: Any) -> None: ...


OWN = {"_target_": f"{__name__}.NoShortcut", "_partial_": True, "body": 1}
NONE_USES = "nothing uses block.{}; there are c_in, c_out, stride, body"


@pytest.mark.parametrize(
    ("node", "sentence"),
    [
        (
            {**OWN, "shortcut": 1},
            NONE_USES.format("shortcut") + ": take shortcut out of the block's file, or type '~block.shortcut', or name"
            " it among the parameters of NoShortcut",
        ),
        ({**OWN, "ratio": 1}, NONE_USES.format("ratio")),
        (
            {"_target_": "lightning_modules.networks.blocks.Plain", "shortcut": 1},
            NONE_USES.format("shortcut") + ", activation",
        ),
    ],
)
def test_an_axis_that_a_class_of_ones_own_does_not_take_is_told_with_what_to_do(node: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        check_names({"block": node}, "network", top=False)
