"""The names of Hydra that are not public, in one place: what of Hydra may move with its next version.

Skipbench needs five things for which Hydra has no public name: the parser of its command line, the folders of its
search path, and three ways to do nothing twice: to read each file once, to set values on a composed configuration, and
to leave `hydra.mode` alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy, deepcopy
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hydra.plugins.config_source import ConfigSource
from omegaconf import DictConfig

try:
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra._internal.config_repository import CachingConfigRepository
    from hydra._internal.hydra import Hydra
    from hydra._internal.sources_registry import SourcesRegistry
    from hydra._internal.utils import get_args_parser
except ImportError as error:
    tested = "hydra-core>=1.3.8,<1.5"
    raise ImportError(f"Skipbench does not know hydra-core {version('hydra-core')}: install '{tested}'") from error

hydra_parser = get_args_parser  # of Hydra's own flags
SWEEP = ("-m", "--multirun")
HARMLESS = re.compile(r"-m$|--multirun$|-cd\b|--config-dir\b")  # flags that leave hydra.mode to what follows them
SETS_MODE = ("hydra.mode", "+hydra.mode", "++hydra.mode", "hydra.searchpath", "+hydra.searchpath")


def config_source(schema: str, provider: str, path: str) -> ConfigSource:
    """Open one entry of Hydra's search path."""
    return SourcesRegistry.instance().resolve(schema)(provider, f"{schema}://{path}")


def reading_once(loader: Any) -> Any:
    """Return a copy of a loader that reads each file of choices once, not again for every configuration it composes."""
    made = copy(loader)
    made.repository = _ReadOnce(loader.repository)
    return made


class _ReadOnce(CachingConfigRepository):
    """Remembers what was read, of which each configuration gets a copy: Hydra merges the others into it."""

    def __deepcopy__(self, memo: Any) -> _ReadOnce:
        return self  # Hydra copies a repository for each configuration

    def load_config(self, config_path: str) -> Any:
        return deepcopy(super().load_config(config_path))


def set_values(config: DictConfig, overrides: Sequence[str]) -> None:
    """Set values on a composed configuration, in place, as Hydra does; HydraException where one does not exist."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed: Any = OverridesParser.create().parse_overrides(list(overrides))
    ConfigLoaderImpl._apply_overrides_to_config(parsed, config)


@contextmanager
def composed_once(words: Sequence[str], folder: str | None) -> Iterator[None]:
    """Let Hydra compose a call once. It would compose it before, only to see whether something sets `hydra.mode`.

    Where something may do that, a word, or a file of the `folder` with choices of one's own, nothing is changed.
    """
    files = Path(folder or os.devnull).rglob("*.yaml")
    named = any("hydra" in path.read_text(encoding="utf-8", errors="replace") for path in files)
    named = named or any(word.startswith(("-", *SETS_MODE)) for word in words if not HARMLESS.match(word))
    if named or not hasattr(Hydra, "get_mode"):
        yield
        return
    look, Hydra.get_mode = Hydra.get_mode, lambda self, config_name, overrides: None  # as where nothing sets it
    try:
        yield
    finally:
        Hydra.get_mode = look
