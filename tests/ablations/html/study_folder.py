"""Studies as files, as runs leave them: records, curves, diagnostics; small, large or hostile."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ablations.records.files import write_json
from ablations.records.record import plan_path

CLAIM = {
    "says": "Plain is worse.",
    "metric": "test_error",
    "contrast": {"plus": {"block": "plain", "depth": 56}, "minus": {"block": "residual", "depth": 56}},
    "expect": "> 0",
    "published": 3.5,
}
HOSTILE = "</script><img src=x onerror=hacked=1><script>hacked=2</script>{{data}} \u2028 & \" ' `"


def write_study(
    runs: Path,
    plan: Mapping[str, Any],
    records: Iterable[Mapping[str, Any]],
    *,
    epochs: int = 3,
    blocks: int = 0,
) -> None:
    """Plan, records, and beside each a curve that falls with the epochs, and diagnostics of so many blocks."""
    write_json(plan_path(runs, plan["name"]), dict(plan))
    for record in records:
        folder = runs / record["folder"]
        write_json(folder / "record.json", dict(record))
        write_curve(folder, epochs=epochs, shift=record["seed"])
        if blocks:
            write_diagnostics(folder, epochs=epochs, blocks=blocks)


def write_curve(folder: Path, *, epochs: int, shift: float = 0.0) -> None:
    """Training error 60/epoch + shift, validation 10 more."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{e},{60 / e + shift},{70 / e + shift},nan" for e in range(1, epochs + 1)]
    (folder / "curve.csv").write_text(
        "\n".join(["epoch,train_error,val_error,train_loss", *lines]) + "\n", encoding="utf-8"
    )


def write_diagnostics(folder: Path, *, epochs: int, blocks: int) -> None:
    """Gradient norms that grow with the block, and how open its gate is."""
    kinds = ("gradient_norm", "gate_openness")
    heads = ["epoch", *(f"{kind}.stages.0.{b}" for kind in kinds for b in range(blocks))]
    lines = [
        [e, *(math.exp(b / 5) / e for b in range(blocks)), *(b / blocks for b in range(blocks))]
        for e in range(1, epochs + 1)
    ]
    text = "\n".join(",".join(map(str, line)) for line in [heads, *lines])
    (folder / "diagnostics.csv").write_text(text + "\n", encoding="utf-8")
