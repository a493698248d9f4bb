"""Find what is damaged under `runs`, say it in a sentence, and mend it or move it away. Nothing is deleted."""

from __future__ import annotations

import os
import re
import stat
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import chain, count
from pathlib import Path

from ablations.records.epochs import read_epochs
from ablations.records.files import OtherSchema, RecordError, printable, read_json
from ablations.records.kept import weights_damage
from ablations.records.layout import CHECKPOINT, CURVE, PREDICTIONS, RECORD, STATE, WEIGHTS
from ablations.records.lease import EXPIRES, expired, held, leases
from ablations.records.predictions import read_predictions
from ablations.records.record import STUDIES, read_plan, read_record, read_records, record_paths, study_of
from ablations.records.worker_deaths import NAME as DEATHS
from ablations.search import journal_repair as journal
from ablations.search.trials import WARM_START, read_trial

QUARANTINE = ".quarantine"
PART = re.compile(r"\.[\w.]+\.(?:\d+(?:\.[0-9a-f]+)?|part)")  # of a file in writing, or of a look at the clock
TOLD = "Optuna still has what it was told"
ZIPS = {  # what each is, and what follows where it is moved away
    CHECKPOINT: ("checkpoint", "its run begins anew"),
    STATE: ("state", "a longer run begins anew"),
}
OFF = 300.0  # seconds a clock may be ahead of ours before it is worth a word


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong under `runs`.

    Attributes:
        says: which file, and what is wrong with it.
        remedy: what mending it does, or why there is nothing to do.
        mend: does it; raises OSError where it cannot. None where nothing can be done.
        matters: False for what is told for information only.
    """

    says: str
    remedy: str
    mend: Callable[[], object] | None = None
    matters: bool = True


def examine(runs: Path) -> Iterator[Finding]:
    """Find all that is wrong under `runs` and change nothing; files inside a folder come before the folder itself."""
    for path in record_paths(runs):
        yield from _folder(runs, path.parent)
    for study in sorted((runs / STUDIES).iterdir()) if (runs / STUDIES).is_dir() else ():
        yield from _study(runs, study)
    yield from _places(runs)


def quarantine(runs: Path, path: Path) -> Path:
    """Move a file or a folder to `runs/.quarantine`; return its new path."""
    target = _free(runs, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    return path.rename(target)


def _free(runs: Path, path: Path) -> Path:
    """Find a free path in `runs/.quarantine`, under the old name."""
    wanted = runs / QUARANTINE / path.relative_to(runs)
    further = (wanted.with_name(f"{wanted.name}~{n}") for n in count(2))
    return next(one for one in chain([wanted], further) if not os.path.lexists(one))


def _out(runs: Path, path: Path, says: str, then: str) -> Finding:
    """Make a finding whose remedy is the quarantine."""
    return Finding(says, f"moved to {runs / QUARANTINE}, {then}", partial(quarantine, runs, path))


def _folder(runs: Path, folder: Path) -> Iterator[Finding]:
    """Find what is wrong with one run's folder."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        yield from _unreadable(folder, error)
        return
    yield from _record(runs, folder / RECORD) if RECORD in names else ()
    yield from _leases(runs, folder)
    if held(folder):  # what is being written looks damaged to a reader
        return
    yield from _leftovers(runs, folder, names)
    if DEATHS in names:
        yield from _readable(runs, folder / DEATHS, "the deaths of its workers are counted anew")
    if CURVE in names:
        try:
            read_epochs(folder / CURVE)
        except (OSError, ValueError) as error:
            yield _out(runs, folder / CURVE, f"{folder / CURVE}: no table of numbers ({error})", "no table needs it")
    for name, (what, then) in ZIPS.items():
        if name in names and (damage := _zip_damage(folder / name)):
            yield _out(runs, folder / name, f"{folder / name}: no whole {what} ({damage})", then)
    if PREDICTIONS in names:
        then = "its images are in no interval over images"
        yield from _readable(runs, folder / PREDICTIONS, then, lambda path: read_predictions(path.parent))
    if WEIGHTS in names and (damage := weights_damage(folder / WEIGHTS)):
        then = "its record stays; the run typed with retrain=true keeps weights again"
        yield _out(runs, folder / WEIGHTS, f"{folder / WEIGHTS}: {damage}", then)


def _record(runs: Path, path: Path) -> Iterator[Finding]:
    found = list(_readable(runs, path, "the next sweep that asks trains the run again", read_record))
    yield from found
    if found:
        return
    provenance = read_record(path).get("provenance") or {}
    ahead = max(_ahead(provenance.get(word)) for word in ("started", "finished"))
    if ahead > OFF:
        says = f"{path}: finished {ahead / 60:.0f} minutes in the future; a clock was off"
        yield Finding(says, "nothing to do: no number depends on it", matters=False)


def _readable(runs: Path, path: Path, then: str, read: Callable[[Path], object] = read_json) -> Iterator[Finding]:
    try:
        read(path)
    except OtherSchema as error:
        yield Finding(str(error), "nothing to do: the version that wrote it reads it")
    except RecordError as error:
        yield _out(runs, path, str(error), then)


def _leases(runs: Path, folder: Path) -> Iterator[Finding]:
    found = leases(folder)
    if not found:
        return
    last = found[-1]
    if expired(last):
        says = f"{last}: of a process that has ended or sent no sign for {EXPIRES:.0f} s"
        for path in found:
            yield _out(runs, path, says if path is last else f"{path}: was taken over", "its run is free")
    elif last.stat().st_mtime - time.time() > OFF:
        yield Finding(f"{last}: its time lies in the future; a clock was off", "set to now", partial(os.utime, last))


def _leftovers(runs: Path, folder: Path, names: list[str], *, age: float = 0.0) -> Iterator[Finding]:
    """Find parts of files whose writer was killed: nobody writes into a folder that nobody holds."""
    for name in names:
        path = folder / name
        if PART.fullmatch(name) and abs(time.time() - path.lstat().st_mtime) >= age:
            yield _out(runs, path, f"{path}: a part of a file whose writer was killed", "nothing needs it")


def _study(runs: Path, folder: Path) -> Iterator[Finding]:
    """Find what is wrong with the files of a study."""
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        yield from _unreadable(folder, error)
        return
    yield from _leftovers(runs, folder, names, age=EXPIRES)
    if "plan.json" in names:
        again = "the sweep of that study, typed again, writes it anew"
        yield from _readable(runs, folder / "plan.json", again, lambda path: read_plan(runs, study_of(folder)))
    for trial in sorted(folder.glob("trials/*/*")):
        yield from _leases(runs, trial)
        if trial.is_dir() and not held(trial):
            yield from _leftovers(runs, trial, sorted(os.listdir(trial)))
            if (trial / "trial.json").exists():
                yield from _readable(runs, trial / "trial.json", TOLD, read_trial)
        elif trial.name == WARM_START:
            yield from _readable(runs, trial, TOLD)
    for lock in journal.stale_locks(folder):
        yield _out(runs, lock, f"{lock}: the lock of a process that was killed", "the journal can be written again")
    if journal.JOURNAL in names and (damage := journal.find_damage(folder / journal.JOURNAL)):
        path = folder / journal.JOURNAL
        mend = partial(journal.repair, path, keep=_free(runs, path))
        yield Finding(f"{path}: {damage}", f"whole lines stay, a copy as it was is in {runs / QUARANTINE}", mend)


def _places(runs: Path) -> Iterator[Finding]:
    """Find records in a folder of another name than their run's, and records that two folders hold."""
    for identity, record in read_records(runs)[0].items():
        proper = f"{record['label']}-{identity[:8]}"
        mine = record["folder"].endswith(f"-{identity[:8]}")  # the label depends on the words that were typed
        if not mine and not os.path.lexists(runs / proper):
            folder = runs / record["folder"]
            says = printable(f"{folder}: holds the record of {proper}")
            yield Finding(says, f"renamed to {runs / proper}", partial(folder.rename, runs / proper))
    for folder in _doubles(runs):
        says = printable(f"{folder}: holds a record that another folder holds as well")
        yield _out(runs, folder, says, "it counted once all the same")


def _doubles(runs: Path) -> list[Path]:
    """Find folders with a record that `read_records` passes over in favour of another folder's."""
    chosen = {record["folder"] for record in read_records(runs)[0].values()}
    doubles = []
    for path in record_paths(runs):
        if path.parent.name not in chosen:
            with suppress(RecordError):
                read_record(path)
                doubles.append(path.parent)
    return doubles


def _zip_damage(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as file:
            broken = file.testzip()
        return f"{broken} has changed" if broken else None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        return str(error)


def _unreadable(folder: Path, error: OSError) -> Iterator[Finding]:
    """Find that a folder cannot be read; nothing of what is no folder."""
    if not isinstance(error, NotADirectoryError):
        mend = partial(_open, folder)
        yield Finding(f"{folder}: cannot be read ({error.strerror})", "made readable for its owner", mend)


def _open(folder: Path) -> None:
    folder.chmod(folder.stat().st_mode | stat.S_IRWXU)
    os.listdir(folder)


def _ahead(when: object) -> float:
    """Return the seconds by which a time lies in the future; 0 for what is no time."""
    try:
        then = datetime.fromisoformat(str(when))
        return (then - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return 0.0
