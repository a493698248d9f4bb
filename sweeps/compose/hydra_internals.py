"""The names of Hydra that are not public, in one place: what of Hydra may move with its next version.

Skipbench needs three things for which Hydra has no public name: the parser of its command line, the folders of its
search path, and a way to set values on a composed configuration without composing it again.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from hydra.plugins.config_source import ConfigSource
from omegaconf import DictConfig

try:
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra._internal.sources_registry import SourcesRegistry
    from hydra._internal.utils import get_args_parser
except ImportError as error:
    tested = "hydra-core>=1.3.8,<1.5"
    raise ImportError(f"Skipbench does not know hydra-core {version('hydra-core')}: install '{tested}'") from error


def hydra_parser() -> ArgumentParser:
    """Return the parser of Hydra's own flags."""
    return get_args_parser()


def config_source(schema: str, provider: str, path: str) -> ConfigSource:
    """Open one entry of Hydra's search path."""
    return SourcesRegistry.instance().resolve(schema)(provider, f"{schema}://{path}")


def set_values(config: DictConfig, overrides: Sequence[str]) -> None:
    """Set values on a composed configuration, in place, as Hydra sets them when it composes.

    Raises:
        HydraException: a setting does not exist.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed: Any = OverridesParser.create().parse_overrides(list(overrides))
    ConfigLoaderImpl._apply_overrides_to_config(parsed, config)
