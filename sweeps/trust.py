"""Refuse to call what a stranger could have written into a file of weights."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ablations.catalog.choices import OFFERS, offered
from ablations.identity.code_hash import LOOKED_UP, targets

OURS = ("lightning_modules.", "torch.nn.", "torch._C._nn.")


def refuse_untrusted(nodes: Any, trust: Sequence[str] = ()) -> None:
    """Raise ValueError if config nodes from a file call more than Skipbench, torch.nn and the user's own code.

    A name is judged by where it leads: `torch.nn.modules.module.torch.load` is torch's, not `torch.nn`'s.

    Args:
        trust: further packages whose code may be called.
    """
    from hydra.utils import get_object

    for name in sorted(targets(nodes) - LOOKED_UP):
        package = name.partition(".")[0]
        if package not in sys.modules and find_spec(package) is None:
            says = "add its folder to sys.path, or take the copy in runs/.sources"
            raise ValueError(f"the weights are of a network that calls {name}, which is not found here: {says}")
        if f"{name}.".startswith(OURS) or is_own(package) or package in trust:
            source = f"{getattr(get_object(name), '__module__', None)}."
            if source.startswith(OURS) or is_own(source.partition(".")[0]) or source.partition(".")[0] in trust:
                continue
        raise ValueError(f"the weights are of a network that calls {name}: if you trust it, say trust=[{package!r}]")


def is_own(package: str) -> bool:
    """Tell whether a top-level package is the user's: it offers choices to Skipbench, or is not installed."""
    points = [point for group in OFFERS for found in offered(group).values() for point in found]
    if package in {point.module.partition(".")[0] for point in points}:
        return True
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return False
    if spec is None:
        return False
    places = [spec.origin] if spec.has_location and spec.origin else spec.submodule_search_locations or []
    libraries = {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return bool(places) and not any(Path(place).is_relative_to(folder) for place in places for folder in libraries)
