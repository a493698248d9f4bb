"""What the config tree offers: a test that takes `block`, `norm`, … runs once for each file of that group."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf
from torch import nn

CONF = Path(__file__).parents[3] / "conf"
GROUPS = ("block", "body", "shortcut", "norm", "activation", "init")
CLASSICS = {
    "block": ("plain", "residual", "highway"),
    "body": ("basic", "bottleneck", "dense"),
    "shortcut": ("A", "B", "C"),
    "norm": ("batch", "group", "instance", "layer", "none"),
}
DEFAULTS = {"block": "residual", "body": "basic", "shortcut": "A", "norm": "batch"}

NEEDED = (*GROUPS, "network", "data", "depth", "width", "gate_bias", "tokens")  # what a network is made of
FACTORIES: dict[tuple[str, ...], Callable[[], nn.Module]] = {}  # what configurations were made into, most of the work


def files(group: str) -> list[Path]:
    return list((CONF / group).glob("*.yaml"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`choice` runs over all files of all groups, `block`, `norm`, … over the files of one.

    Of three groups and more, the CLASSICS meet in every combination, and every other choice meets the DEFAULTS. Of two,
    `make proofs` tries all combinations, and `make test` a fifth of them.
    """
    if "choice" in metafunc.fixturenames:
        metafunc.parametrize("choice", sorted(f"{path.parent.name}={path.stem}" for g in GROUPS for path in files(g)))
    marks = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    given = {name for names in marks for name in ([names] if isinstance(names, str) else names)}
    groups = [group for group in GROUPS if group in metafunc.fixturenames and group not in given]
    if groups:
        names = {group: sorted(path.stem for path in files(group)) for group in groups}
        cells = set(product(*(names[group] if len(groups) < 3 else CLASSICS[group] for group in groups)))
        if len(groups) > 2:
            cells |= {tuple(n if g == group else DEFAULTS[g] for g in groups) for group in groups for n in names[group]}
        if len(groups) == 1:
            metafunc.parametrize(groups[0], names[groups[0]])
            return
        places = [{name: k for k, name in enumerate(names[group])} for group in groups]
        rows = [
            pytest.param(*cell, marks=[] if _daily(groups, cell, places) else pytest.mark.long)
            for cell in sorted(cells)
        ]
        metafunc.parametrize(",".join(groups), rows)


def _daily(groups: list[str], cell: tuple[str, ...], places: list[dict[str, int]]) -> bool:
    """Whether a combination is tried every time: of two groups a fifth, in which every choice is, and the DEFAULTS."""
    usual = sum(DEFAULTS.get(group) == name for group, name in zip(groups, cell, strict=True))
    return len(groups) > 2 or usual > 0 or sum(place[name] for place, name in zip(places, cell, strict=True)) % 5 == 0


@cache
def _says(choice: str, trait: str, default: Any) -> Any:
    """What the class that `block=plain` or `body=basic` names, or the one it wraps, says about itself."""
    node = OmegaConf.to_container(_loaded(*choice.split("=")))
    while isinstance(node, dict):
        if hasattr(get_class(node["_target_"]), trait):
            return getattr(get_class(node["_target_"]), trait)
        node = node.get("body")
    return default


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@cache
def _composed(files: frozenset[str]) -> DictConfig:
    with initialize_config_dir(str(CONF), version_base=None):
        return compose("config", overrides=sorted(files))


@pytest.fixture
def config() -> Callable[..., DictConfig]:
    """config('block=plain', 'depth=8', …): the composed configuration.

    Composing costs 0.1 s, too much for some hundred combinations. So a file of one of the GROUPS is read into its place
    here, which is all that composing does with it (a law in test_choices.py), and values are set on copies.
    """

    return _chosen


def _chosen(*overrides: str, keys: tuple[str, ...] = ()) -> DictConfig:
    files = {o for o in overrides if (CONF / o.split("=")[0]).is_dir()}
    parts = {o for o in files if o.split("=")[0] in GROUPS}
    whole = _composed(frozenset(files - parts))
    chosen = OmegaConf.masked_copy(whole, keys) if keys else deepcopy(whole)
    for group, name in (part.split("=") for part in parts):
        chosen[group] = _loaded(group, name)
    chosen.merge_with_dotlist([o for o in overrides if o not in files])
    return chosen


@cache
def _loaded(group: str, name: str) -> DictConfig:
    return OmegaConf.load(CONF / group / f"{name}.yaml")


@pytest.fixture
def composed() -> Callable[..., DictConfig]:
    """composed('block=plain', …): the same by Hydra alone."""
    return lambda *files: _composed(frozenset(files))


@pytest.fixture
def read() -> Callable[[str, str], DictConfig]:
    """read('block', 'plain'): the file alone."""
    return _loaded


@pytest.fixture
def every() -> DictConfig:
    """every.block.plain, …: all choices, by Hydra alone."""
    named = [(group, path.stem) for group in GROUPS for path in files(group)]
    return _composed(frozenset(f"+{group}@every.{group}.{name}={name}" for group, name in named)).every


@pytest.fixture
def build() -> Callable[..., nn.Module]:
    """build('block=plain', …): the network; a refusal is raised as the network raised it."""

    def built(*overrides: str, device: str = "cpu") -> nn.Module:
        if overrides not in FACTORIES:
            FACTORIES[overrides] = instantiate(_chosen(*overrides, keys=NEEDED).network, _partial_=True)
        with torch.device(device):
            return FACTORIES[overrides]()

    return built


@pytest.fixture
def says() -> Callable[[str, str, Any], Any]:
    """says('body=basic', 'layers', 2): the same as the network hears it."""
    return _says


@pytest.fixture
def tiny(build: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    """tiny('basic', 'block=plain', …): the smallest network with a body, of half the width, for 1×8×8 images."""

    def built(body: str, *overrides: str) -> nn.Module:
        layers = _says(f"body={body}", "layers", 2)
        if any(o.startswith("block=") and _says(o, "grows", False) for o in overrides):
            family = ["network=densenet", "network.growth=16", f"depth={4 + 3 * layers}"]
        elif _says(f"body={body}", "vectors", False):
            family = ["network=dense", f"depth={1 + 2 * layers}"]
        elif not _says(f"body={body}", "resizes", True):
            family = ["network=transformer", "network.units=32", "depth=1"]
        else:
            family = ["network=small", f"depth={2 + 3 * layers}"]
        if "reduction" in _loaded("body", body):
            family.append("body.reduction=1")  # else one rectifier decides for all channels, and may be dead
        data = ["data.channels=1", "data.size=8", "data.classes=10"]
        return build(*family, *data, f"body={body}", "width=0.5", *overrides)

    return built


@pytest.fixture
def offered(tiny: Callable[..., nn.Module]) -> Callable[..., nn.Module | None]:
    """As `tiny`, but None where choices do not go together; the refusal is one sentence, and what it advises works."""

    def built(body: str, *overrides: str) -> nn.Module | None:
        try:
            return tiny(body, *overrides)
        except ValueError as refusal:
            sentence = str(refusal)
            advice = re.search(r": use (\w+)=(\w+)", sentence)
            assert advice, sentence
            assert "\n" not in sentence
            group, choice = advice.groups()
            others = [o for o in overrides if not o.startswith(f"{group}=")]
            tiny(*(choice, *others) if group == "body" else (body, *others, f"{group}={choice}"))
            return None

    return built
