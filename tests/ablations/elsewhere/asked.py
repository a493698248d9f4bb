"""A table of runs and a file of claims about it, as a test wants them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ablations.elsewhere.claims_file import read_claims_file
from ablations.elsewhere.study import TableStudy, table_study
from ablations.elsewhere.table import read_table

GAIN = {
    "says": "Dropout helps.",
    "metric": "accuracy",
    "contrast": {"plus": {"model": "drop"}, "minus": {"model": "base"}},
    "expect": "> 0",
}
BASE, DROP = (0.90, 0.91, 0.905, 0.902), (0.92, 0.927, 0.925, 0.921)


def table_text(
    base: Sequence[object] = BASE, drop: Sequence[object] = DROP, *, head: str = "model,seed,accuracy"
) -> str:
    """A CSV table with a row a run; an object can be any text."""
    rows = [
        f"{model},{seed},{value}"
        for model, values in (("base", base), ("drop", drop))
        for seed, value in enumerate(values)
    ]
    return "\n".join([head, *rows]) + "\n"


def written(folder: Path, text: str = "", name: str = "runs.csv", **asked: Any) -> tuple[str, str]:
    """Write a table and a file of claims; return their paths. A field of the file that is None is left out."""
    table, claims = folder / name, folder / "claims.yaml"
    table.write_text(text or table_text(), encoding="utf-8")
    fields = {"metrics": {"accuracy": "higher"}, "claims": [GAIN]} | asked
    claims.write_text(yaml.safe_dump({key: value for key, value in fields.items() if value is not None}))
    return str(table), str(claims)


def study_of(folder: Path, text: str = "", name: str = "runs.csv", **asked: Any) -> TableStudy:
    table, claims = written(folder, text, name, **asked)
    return table_study(read_table(table), read_claims_file(claims), command="")


def values(study: TableStudy) -> dict[str, Mapping[str, Any]]:
    """The records by label, without the place in the table."""
    return {record["label"].partition(" ")[0]: record for record in study.records.values()}
