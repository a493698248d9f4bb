"""Read and write the file of a table: Parquet with its description as metadata, or CSV with it in a first line."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablations.records.files import write_bytes
from ablations.search.table import KINDS, SCHEMA, STATUSES, Axis, Table

if TYPE_CHECKING:
    from pandas import DataFrame

KEY = "skipbench"  # of Parquet's metadata; the first line of a CSV begins with it, behind a #
ENDINGS = (".parquet", ".csv", ".csv.gz")
WHOLE = ("seed", "epoch", "params", "macs")
TEXTS = ("status", "cause", "label", "identity", "cell")


def check_ending(path: Path) -> None:
    """Raise ValueError unless a table can be written to or read from a file of this name, here and now."""
    if not path.name.endswith(ENDINGS):
        raise ValueError(f"{path}: a table ends in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}")
    if path.suffix == ".parquet":
        _fastparquet()


def write_table(table: Table, path: Path) -> None:
    """Write a table as the ending says; ValueError for another ending, or where the package for Parquet is missing."""
    check_ending(path)
    axes = {name: axis.as_json() for name, axis in table.axes.items()}
    about = json.dumps({"schema": SCHEMA, "axes": axes, **table.about}, allow_nan=False, ensure_ascii=False)
    if path.suffix == ".parquet":
        kept = io.BytesIO()
        kept.close = lambda: None  # fastparquet closes what it has written
        said = {KEY: about}
        _fastparquet().write(
            path.name, _as_text(table), open_with=lambda *_: kept, custom_metadata=said, compression="ZSTD"
        )
        write_bytes(path, kept.getvalue())
        return
    text = f"# {KEY} {about}\n{table.frame.to_csv(index=False, lineterminator=chr(10))}".encode()
    write_bytes(path, gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)


def read_table(path: Path) -> Table:
    """Read a table and check that it is one.

    Raises:
        ValueError: the file is no table, of another version, or damaged; or the package for Parquet is not installed.
        OSError: the file cannot be read.
    """
    check_ending(path)
    content = path.read_bytes()
    try:
        about, frame = _parquet(content) if path.suffix == ".parquet" else _csv(content, packed=path.suffix == ".gz")
        if about.get("schema") != SCHEMA:
            raise ValueError(f"of schema {about.get('schema')}; this version reads schema {SCHEMA}")
        return checked(about, frame)
    except Exception as error:  # what the libraries raise that read a damaged file, there is no list of
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        said = str(error).partition("\n")[0]
        raise ValueError(f"{path} is no table of Skipbench, or damaged ({kind}{said})") from error


def checked(about: Mapping[str, Any], frame: DataFrame) -> Table:
    """Make a table of what was read.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: something is missing, contradicts itself or is of another type.
    """
    axes: dict[str, Axis] = {}
    for name, said in about["axes"].items():
        axis = Axis.read(said)
        if axis.kind not in KINDS or not {*axis.depends_on} <= {*axes}:
            raise ValueError(f"its axis {name} is of no known kind, or depends on one that does not stand before it")
        axes[name] = axis
    if lacking := [name for name in (*axes, *WHOLE, *TEXTS, "seconds") if name not in frame]:
        raise ValueError(f"it has no column {', '.join(lacking)}")
    rest = {key: value for key, value in about.items() if key not in ("axes", "schema")}
    if not (
        isinstance(rest["fixed"], dict)
        and isinstance(rest["metrics"], dict)
        and len(rest["judged"]) == 2
        and rest["whole"] in (True, False)
    ):
        raise ValueError("its description lacks what is fixed, measured or judged, or whether it is whole")
    if not all(isinstance(one, dict) and {"name", "question"} <= {*one} for one in rest["studies"]):
        raise ValueError("its description names no studies")
    table = Table(typed(frame, axes), axes, rest)
    _check_rows(table)
    return table


def _check_rows(table: Table) -> None:
    """Raise ValueError for a row that no run leaves, for one that is there twice, and where there is none."""
    frame = table.frame
    runs = frame.loc[frame.status != "infeasible"]
    wrong = [f"no {name}" for name in ("seed", "epoch", "label", "identity", "cell") if runs[name].isna().any()]
    wrong += [f"the status {word}" for word in {*frame.status} - {*STATUSES}]
    wrong += [f"another {name} than its axis" for name in table.axes if _is_odd(table, name)]
    if runs.empty or wrong:
        raise ValueError(f"a row has {wrong[0]}" if wrong else f"it has no row of the studies {table.names}")
    twice = runs.loc[runs.duplicated([*table.axes, "identity", "epoch"])]
    if not twice.empty:
        raise ValueError(f"{twice.label.iloc[0]} has epoch {twice.epoch.iloc[0]} twice")


def _is_odd(table: Table, name: str) -> bool:
    """Whether a row has a value that its axis does not have."""
    return not {*table.frame[name].dropna()} <= {*table.axes[name].values}


def typed(frame: DataFrame, axes: dict[str, Axis]) -> DataFrame:
    """Give every column its type: categories for texts and categorical axes, Int64 for whole numbers, else float."""
    import pandas as pd

    columns: dict[str, Any] = {}
    for name, column in frame.items():
        axis = axes.get(str(name))
        if axis is not None and axis.kind == "categorical":
            values = {str(value): value for value in axis.values}
            known = [values[str(value)] if pd.notna(value) else None for value in column]
            columns[str(name)] = pd.Categorical(known, categories=list(axis.values))
        elif name in TEXTS:
            columns[str(name)] = column.astype("category")
        elif name in WHOLE or (axis is not None and axis.kind == "whole"):
            columns[str(name)] = column.astype(float).astype("Int64")
        else:
            columns[str(name)] = column.astype(float)
    return pd.DataFrame(columns)


def _parquet(content: bytes) -> tuple[dict[str, Any], DataFrame]:
    file = _fastparquet().ParquetFile(io.BytesIO(content))
    if KEY not in file.key_value_metadata:
        raise ValueError(f"its metadata has no {KEY!r}")
    return json.loads(file.key_value_metadata[KEY]), file.to_pandas()


def _csv(content: bytes, *, packed: bool) -> tuple[dict[str, Any], DataFrame]:
    import pandas as pd

    text = (gzip.decompress(content) if packed else content).decode()
    first, _, rest = text.partition("\n")
    if not first.startswith(f"# {KEY} "):
        raise ValueError(f"its first line does not begin with '# {KEY}'")
    about = json.loads(first.removeprefix(f"# {KEY} "))
    # As text: the pandas that are allowed differ in how they read numbers, and Python reads back what was written.
    frame = pd.read_csv(io.StringIO(rest), dtype=str, keep_default_na=False, na_values=[""])
    return about, frame


def _as_text(table: Table) -> DataFrame:
    """The frame with the values of categorical axes as text, which is all that Parquet's categories can be."""
    frame = table.frame.copy()
    for name, axis in table.axes.items():
        if axis.kind == "categorical":
            frame[name] = frame[name].cat.rename_categories(str)
    return frame


def _fastparquet() -> Any:
    try:
        import fastparquet
    except ImportError:
        words = "Parquet needs a package: pip install 'skipbench[parquet]', or write .csv.gz"
        raise ValueError(words) from None
    return fastparquet
