"""Find the weights that a run starts from: `init=trained init.run=runs/<folder>`."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

TRAINED = "lightning_modules.networks.trained.trained"


def starts_from(network: Any) -> str | None:
    """Return the folder of the run whose weights a network starts from, or None; ValueError where none is named."""
    init: Any = network.get("init")
    if not hasattr(init, "get") or init.get("_target_") != TRAINED:
        return None
    if not init.get("run"):
        raise ValueError("init=trained needs the folder of a finished run: init.run=runs/<label>-<8 digits>")
    return str(init["run"])


def identified(network: dict[str, Any], folder: str) -> dict[str, Any]:
    """Return a network node with the digest of the weights for their folder; ValueError where there are none."""
    init = {key: value for key, value in network["init"].items() if key != "run"}
    return network | {"init": init | {"weights": digest_in(folder)}}


def digest_in(folder: str) -> str:
    """Return the digest of the weights of the run in a folder; ValueError where there are none."""
    from sweeps.trained import weights_of

    path = weights_of(Path(folder))
    stat = path.stat()
    return _digest(path.absolute(), stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=256)
def _digest(path: Path, changed: int, size: int) -> str:
    from lightning_modules.training.weights import content_digest, read_weights

    return content_digest(read_weights(path)[0])
