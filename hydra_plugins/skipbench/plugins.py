"""Offer the choices of installed packages: `[project.entry-points."skipbench.blocks"] mine = "my_package:MyBlock"`."""

from __future__ import annotations

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from ablations.catalog.choices import OFFERS, offered


class EntryPointSource(ConfigSource):
    """A folder of configs made from entry points; a package is imported when its choice is asked for."""

    @staticmethod
    def scheme() -> str:
        return "entrypoint"

    def available(self) -> bool:
        return True

    def is_group(self, config_path: str) -> bool:
        return bool(offered(config_path.rstrip("/")))

    def is_config(self, config_path: str) -> bool:
        group, _, name = config_path.rpartition("/")
        return name.removesuffix(".yaml") in offered(group)

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        if config_path == "":
            return [] if results_filter == ObjectType.CONFIG else [group for group in OFFERS if offered(group)]
        return [] if results_filter == ObjectType.GROUP else list(offered(config_path.rstrip("/")))

    def load_config(self, config_path: str) -> ConfigResult:
        from sweeps.compose.entry_points import node_of

        group, _, name = config_path.removesuffix(".yaml").rpartition("/")
        node = node_of(group, name)
        package = "_global_" if group in node else None  # as a file that says `# @package _global_`
        return ConfigResult(self.provider, self.full_path(), OmegaConf.create(node), header={"package": package})


class EntryPoints(SearchPathPlugin):
    """Adds that folder to Hydra's search path."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        search_path.append(provider="skipbench", path=f"{EntryPointSource.scheme()}://installed")
