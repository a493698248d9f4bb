"""What a signature says is what a file of conf/ would say."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import yaml

from ablations.catalog import choices
from sweeps.compose.entry_points import node_of

ROOT = Path(__file__).parents[3]
MODULE = """
from torch import nn

from lightning_modules.networks.blocks import Residual

STUDY = {"name": "mine", "question": "Is it?"}


class Scaled(Residual):
    def __init__(self, c_in, c_out, stride, *, alpha=0.5, kernel=(3, 3), act=nn.ReLU, **parts):
        super().__init__(c_in, c_out, stride, **parts)


class Bare(nn.Module):
    def __init__(self, a, b, s, *, gate_bias=-1):
        super().__init__()


def needy(c_in, c_out, stride, *, alpha):
    return None


def centred(channels, *, eps=1e-5):
    return None


def recipe(*, optimizer, augment, lr=0.1):
    return None


def network(*, block, norm, classes, in_channels, depth, groups=2):
    return None
"""


@pytest.fixture
def offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "offering.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))

    def put(group: str, value: str):
        point = EntryPoint("mine", value, choices.OFFERS[group])
        monkeypatch.setattr(choices, "_installed", lambda: {(group, "mine"): [point]})
        return node_of(group, "mine")

    return put


@pytest.mark.parametrize("name", ["plain", "residual", "highway", "preactivation", "rezero", "stochastic_depth"])
def test_a_shipped_block_as_an_entry_point_has_the_config_of_its_file(offer, name: str) -> None:
    node = yaml.safe_load((ROOT / "conf" / "block" / f"{name}.yaml").read_text())
    assert offer("block", ":".join(node["_target_"].rsplit(".", 1))) == node


@pytest.mark.parametrize("name", ["A", "B", "C", "D", "projection"])
def test_a_shipped_shortcut_too(offer, name: str) -> None:
    node = yaml.safe_load((ROOT / "conf" / "shortcut" / f"{name}.yaml").read_text())
    assert offer("shortcut", ":".join(node["_target_"].rsplit(".", 1))) == node


def test_what_is_handed_on_counts_and_what_yaml_cannot_say_stays(offer) -> None:
    parts = {name: f"${{{name}}}" for name in ("body", "shortcut", "activation")}
    expected = {"_target_": "offering.Scaled", "_partial_": True, "alpha": 0.5, "kernel": (3, 3), **parts}
    assert offer("block", "offering:Scaled") == expected


def test_an_axis_comes_from_the_command_line_whatever_its_default(offer) -> None:
    assert offer("block", "offering:Bare")["gate_bias"] == "${gate_bias}"


def test_the_other_groups(offer) -> None:
    assert offer("norm", "offering:centred") == {"_target_": "offering.centred", "_partial_": True, "eps": 1e-5}
    assert offer("network", "offering:network") == {
        **{"_target_": "offering.network", "block": "${block}", "norm": "${norm}", "depth": "${depth}", "groups": 2},
        **{"classes": "${data.classes}", "in_channels": "${data.channels}"},
    }
    assert offer("study", "offering:STUDY") == {"name": "mine", "question": "Is it?"}
    assert offer("recipe", "offering:recipe") == {
        **{"_target_": "offering.recipe", "optimizer": "${optimizer}", "augment": "${augment}", "lr": 0.1}
    }


@pytest.mark.parametrize(
    ("group", "value", "says"),
    [
        ("block", "offering:needy", "its option alpha needs a default; the axes are body, shortcut"),
        ("block", "offering:nosuch", "cannot be imported: module 'offering' has no attribute 'nosuch'"),
        ("block", "nosuch_package:Block", "cannot be imported: No module named 'nosuch_package'"),
        ("data", "offering:needy", "is not a mapping as a file of conf/data would hold"),
    ],
)
def test_what_cannot_be_a_choice_says_so(offer, group: str, value: str, says: str) -> None:
    with pytest.raises(ValueError, match=f"^{group}=mine, of a package \\({value}\\)") as refusal:
        offer(group, value)
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)
