"""Refuse what nothing uses: `+lr=0.5`, where the learning rate is `recipe.lr`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from omegaconf import DictConfig

from ablations.identity.run import reached
from ablations.question.did_you_mean import instead
from sweeps.compose.compose import conf_dir, default_axes, plain_tree


def refuse_unused(config: DictConfig, hydra: DictConfig, added: Iterable[str] = ()) -> None:
    """Raise ValueError for a key at the top of a config that the program does not have and no choice refers to.

    Args:
        hydra: the `hydra` node that was composed with the config.
        added: axes of a study's points, which may be written with a `+`.
    """
    tree = plain_tree(config)
    known = {*default_axes(conf_dir(hydra)), *hydra.runtime.choices, "by_network"}
    added = [axis.lstrip("+").partition(".")[0] for axis in added if axis.startswith("+")]
    used = {*reached(tree, [key for key in tree if key in known]), *known}
    for key in (*tree, *added):
        if key not in used:
            places = similar_settings(key, tree)
            names = sorted(name for name in used if "/" not in name)
            meant = f"; did you mean {places[0]}?" if places else instead(key, names, "there are")
            raise ValueError(f"nothing uses {key}{meant}")


def similar_settings(key: str, tree: Mapping[str, Any]) -> list[str]:
    """Return where a setting of this name, or of one like it, stands in the recipe, the data or the network."""
    names = {f"{group}.{name}": name for group, node in tree.items() if isinstance(node, dict) for name in node}
    order = [place for place in names if place.startswith("recipe.")] + list(names)
    near = get_close_matches(key, list(names.values()), n=1, cutoff=0.7)
    return [place for place in dict.fromkeys(order) if names[place] in near][:1]
