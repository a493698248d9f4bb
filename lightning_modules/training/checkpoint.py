"""Whether a checkpoint can be gone on from. It may come from anywhere: it is data, and nothing in it is executed."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import torch

PARTS = ("state_dict", "optimizer_states", "lr_schedulers", "loops", "callbacks", "epoch", "global_step")


def damage(path: Path) -> str | None:
    """What is wrong with a checkpoint, to stand after its name; None if it is whole."""
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
    return f"lacks {', '.join(missing)}" if missing else None
