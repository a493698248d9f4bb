"""Build what a config node describes, once for all runs that share the node."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

Node = dict[str, Any]  # of a config, resolved
P = ParamSpec("P")
T = TypeVar("T")


def instantiate(node: Any) -> Any:
    """Build what a node's `_target_` names. The only call of Hydra's `instantiate`, whose rules change with 1.4."""
    from hydra.utils import instantiate

    return instantiate(node)


def import_torch() -> None:
    """Import torch with signals held back: one that comes meanwhile can be lost in it, or leave half of it behind."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        import torch  # noqa: F401
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def once_a_node(function: Callable[P, T]) -> Callable[P, T]:
    """Call a function of config nodes once for equal arguments, and remember what it returned."""
    known: dict[str, T] = {}

    @wraps(function)
    def remembered(*nodes: P.args, **named: P.kwargs) -> T:
        key = json.dumps([nodes, named], default=str)
        if key not in known:
            known[key] = function(*nodes, **named)
        return known[key]

    return remembered
