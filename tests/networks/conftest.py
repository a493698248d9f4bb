"""What the config tree offers: a test that takes `block`, `norm`, … runs once for each file of that group."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf
from torch import nn

CONF = Path(__file__).parents[2] / "conf"
GROUPS = ("block", "body", "shortcut", "norm", "activation", "init")


def files(group: str) -> list[Path]:
    return list((CONF / group).glob("*.yaml"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`choice` runs over all files of all groups, `block`, `norm`, … over the files of one."""
    if "choice" in metafunc.fixturenames:
        metafunc.parametrize("choice", sorted(f"{path.parent.name}={path.stem}" for g in GROUPS for path in files(g)))
    marks = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    given = {name for names in marks for name in ([names] if isinstance(names, str) else names)}
    for group in GROUPS:
        if group in metafunc.fixturenames and group not in given:
            metafunc.parametrize(group, sorted(path.stem for path in files(group)))


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

    def composed(*overrides: str) -> DictConfig:
        files = {o for o in overrides if (CONF / o.split("=")[0]).is_dir()}
        parts = {o for o in files if o.split("=")[0] in GROUPS}
        chosen = deepcopy(_composed(frozenset(files - parts)))
        for group, name in (part.split("=") for part in parts):
            chosen[group] = OmegaConf.load(CONF / group / f"{name}.yaml")
        chosen.merge_with_dotlist([o for o in overrides if o not in files])
        return chosen

    return composed


@pytest.fixture
def composed() -> Callable[..., DictConfig]:
    """composed('block=plain', …): the same by Hydra alone."""
    return lambda *files: _composed(frozenset(files))


@pytest.fixture
def build(config: Callable[..., DictConfig]) -> Callable[..., nn.Module]:
    """build('block=plain', …): the network; a refusal is raised as the network raised it."""

    def built(*overrides: str, device: str = "cpu") -> nn.Module:
        try:
            with torch.device(device):
                return instantiate(config(*overrides).network)
        except InstantiationException as error:
            raise error.__cause__ or error from None

    return built


@pytest.fixture
def tiny(build: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    """tiny('basic', 'block=plain', …): the smallest network with a body, of half the width, for 1×8×8 images."""

    def built(body: str, *overrides: str) -> nn.Module:
        kind = get_class(OmegaConf.load(CONF / "body" / f"{body}.yaml")["_target_"])
        vectors, layers = getattr(kind, "vectors", False), getattr(kind, "layers", 2)
        family = (
            ["network=dense", f"depth={1 + 2 * layers}"] if vectors else ["network=small", f"depth={2 + 3 * layers}"]
        )
        data = ["data.channels=1", "data.size=8", "data.classes=10"]
        return build(*family, *data, f"body={body}", "width=0.5", *overrides)

    return built
