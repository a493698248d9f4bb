"""Find the folder of a run and the record in it; remove a folder in which nothing was begun."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ablations.identity.run import Run
from ablations.records.files import OtherSchema, RecordError
from ablations.records.layout import CHECKPOINT, CONFIG, CURVE, RECORD
from ablations.records.lease import NAME as LEASE
from ablations.records.record import Record, read_record


def known(folder: Path, run: Run) -> Record | None:
    """Return the record that a run has in a folder; None where there is none, or a damaged one.

    Raises:
        OtherSchema: there is one of another version of this package.
    """
    path = folder / RECORD
    try:
        record = read_record(path) if path.exists() else None
    except OtherSchema:
        raise
    except RecordError:
        return None
    return record if record and record["identity"] == run.identity else None


def folder_of(runs: Path, run: Run) -> Path:
    """Return the folder under `runs` in which a run is, or will be.

    The same run can be typed in other words and then has another label. So a folder with its record comes first, then
    one that an interruption left, then the one that is named after it.
    """
    own = runs / run.folder
    others = [path for path in sorted(runs.glob(f"*-{run.identity[:8]}")) if path != own and path.is_dir()]
    for folder in (own, *others):
        with suppress(OtherSchema):
            if known(folder, run) is not None:
                return folder
    unfinished = [path for path in (own, *others) if (path / CHECKPOINT).exists()]
    return unfinished[0] if unfinished else own


@contextmanager
def unbegun_removed(folder: Path) -> Iterator[None]:
    """Remove the folder that Hydra made for a run that did not begin, unless it holds anything else."""
    try:
        yield
    finally:
        if not any((folder / name).exists() for name in (CONFIG, RECORD, CURVE, CHECKPOINT, LEASE)):
            with suppress(OSError):
                _remove_what_hydra_made(folder)


def _remove_what_hydra_made(folder: Path) -> None:
    """Remove Hydra's own files and the folder; raise OSError where somebody else's files are left, which stay."""
    for name in ("config", "hydra", "overrides"):
        (folder / ".hydra" / f"{name}.yaml").unlink(missing_ok=True)
    for log in folder.glob("*.log"):
        if not log.stat().st_size:
            log.unlink()
    for place in (folder / ".hydra", folder):
        if place.exists():
            place.rmdir()
