"""Check a checkpoint before a training goes on from it, executing nothing in it; and keep one in memory."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins import TorchCheckpointIO

PARTS = ("state_dict", "optimizer_states", "lr_schedulers", "loops", "callbacks", "epoch", "global_step")
ORIGINS = {"identity": "another run or other code", "data_digest": "other images"}


def refusal(path: Path, origin: Mapping[str, str | None]) -> str | None:
    """Return why a training cannot continue from a checkpoint, as the end of a sentence; None if it can.

    Args:
        origin: what `LastEpoch` was given when the checkpoint was made, if it is of this run: identity, data_digest.
    """
    try:
        with zipfile.ZipFile(path) as file:
            if broken := file.testzip():  # torch itself would not see a bit that changed
                return f"is damaged in {broken}"
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        return "holds more than numbers and names, which is not executed"
    except Exception as error:  # whatever a strange file makes zipfile and torch say
        return f"is no whole checkpoint ({(str(error).splitlines() or [type(error).__name__])[0]})"
    missing = [part for part in PARTS if not isinstance(state, dict) or part not in state]
    if missing:
        return f"lacks {', '.join(missing)}"
    found = state["callbacks"].get("LastEpoch", {}) if isinstance(state["callbacks"], dict) else {}
    other = [what for name, what in ORIGINS.items() if found.get(name) != origin.get(name)]
    return f"is of {' and '.join(other)}" if other else None


class InMemory(TorchCheckpointIO):
    """Copies what is to be saved into the memory of this machine; the devices that do not save have no copy."""

    state: dict[str, Any] | None = None

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        self.state = _copied(checkpoint)


def _copied(value: Any) -> Any:
    """Plain data with copies of its tensors, on the CPU."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value
