"""Read the parameters of a factory from its signature."""

from __future__ import annotations

from functools import partial
from inspect import Parameter, signature
from typing import Any


def parameters_of(factory: Any) -> dict[str, Parameter]:
    """Name → parameter of a class or function, what it hands on as **keywords to the class above included."""
    while isinstance(factory, partial):
        factory = factory.func
    found: dict[str, Parameter] = {}
    for kind in factory.__mro__ if isinstance(factory, type) else (factory,):
        start = kind.__dict__.get("__init__") if isinstance(kind, type) else kind
        if start is None:
            continue
        parameters = signature(start).parameters
        found = {n: p for n, p in parameters.items() if n != "self" and p.kind != Parameter.VAR_KEYWORD} | found
        if not any(p.kind == Parameter.VAR_KEYWORD for p in parameters.values()):
            break
    return found
