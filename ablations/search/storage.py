"""Where Optuna keeps the trials of a search: a journal file, or a database for many machines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna

from ablations.question.study import StudyError
from ablations.records.lease import claim
from ablations.records.record import study_folder
from ablations.search.journal_repair import GRACE, NAME, whole


def open_storage(where: str, runs: Path, study: str) -> optuna.storages.BaseStorage:
    """The storage of a study's tunings.

    Args:
        where: `journal`, a file beside the study's plan; or the URL of a PostgreSQL (or MySQL) database.

    Raises:
        StudyError: it cannot be opened, or cannot be trusted with several workers.
    """
    if where == "journal":
        return _journal(study_folder(runs, study) / NAME)
    if where.startswith("sqlite"):
        raise StudyError("storage: SQLite hands one trial to two workers; choose journal, or postgresql+psycopg://…")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with exclusive(study_folder(runs, study)):  # of two that find no tables, both would make them
            return optuna.storages.RDBStorage(where)
    except Exception as error:  # SQLAlchemy's and each driver's own, with no parent in common
        raise StudyError(f"storage={where} cannot be opened: {str(error).strip().splitlines()[0]}") from error


def _journal(path: Path) -> optuna.storages.BaseStorage:
    """A journal file. A last line that a killed writer left torn is cut off: every later write would fail."""
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalStorage

    path.parent.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # or it tells of every study it opens
    lock = JournalFileOpenLock(str(path), grace_period=GRACE)
    backend = JournalFileBackend(str(path), lock_obj=lock)
    lock.acquire()
    try:
        with open(path, "rb+") as file:
            lines = file.read().splitlines(keepends=True)
            while lines and not whole(lines[-1]):
                lines.pop()
            file.truncate(sum(map(len, lines)))
    finally:
        lock.release()
    try:
        return JournalStorage(backend)
    except ValueError as error:
        raise StudyError(f"{path} is damaged ({error}); python -m ablations doctor --repair sets it aside") from error


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Wait until no other process is in here with the same folder."""
    while True:
        with claim(folder) as ours:
            if ours:
                yield
                return
        time.sleep(0.1)
