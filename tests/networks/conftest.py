"""What the config tree offers: a test that takes `block`, `norm`, … runs once for each file of that group."""

from __future__ import annotations

from collections.abc import Callable
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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marks = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    given = {name for names in marks for name in ([names] if isinstance(names, str) else names)}
    for group in GROUPS:
        if group in metafunc.fixturenames and group not in given:
            metafunc.parametrize(group, sorted(path.stem for path in (CONF / group).glob("*.yaml")))


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@cache
def _chosen(groups: frozenset[str]) -> DictConfig:
    with initialize_config_dir(str(CONF), version_base=None):
        return compose("config", overrides=sorted(groups))


@pytest.fixture
def config() -> Callable[..., DictConfig]:
    """config('block=plain', 'depth=8', …): the composed configuration.

    Composing costs 0.1 s, so each set of files is composed once, and values are set on copies.
    """

    def composed(*overrides: str) -> DictConfig:
        files = frozenset(o for o in overrides if (CONF / o.split("=")[0]).is_dir())
        return OmegaConf.merge(_chosen(files), OmegaConf.from_dotlist([o for o in overrides if o not in files]))

    return composed


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
