"""Build what a config node describes, once for all runs that share the node."""

from __future__ import annotations

import gc
import json
import signal
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any, ParamSpec, TypeVar

Node = dict[str, Any]  # of a config, resolved
P = ParamSpec("P")
T = TypeVar("T")


def instantiate(node: Any) -> Any:
    """Build what a node's `_target_` names. The only call of Hydra's `instantiate`, whose rules change with 1.4."""
    from hydra.utils import instantiate

    return instantiate(node)


def import_quickly(*libraries: str) -> None:
    """Import torch, or Lightning too, without a search for garbage: what is imported stays.

    Signals are held back: one that comes meanwhile can be lost in torch, or leave half of it behind.
    """
    held = {signal.SIGINT, signal.SIGTERM} if hasattr(signal, "pthread_sigmask") else set()  # Windows cannot
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held) if held else set()
    collects = gc.isenabled()
    gc.disable()
    try:
        for library in libraries:
            import_module(library)
    finally:
        if collects:
            gc.enable()
        if held:
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
