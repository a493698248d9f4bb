"""Open Optuna's storage of a search: a journal file, or a database that many machines share."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna

from ablations.question.study import StudyError
from ablations.records.lease import claim
from ablations.records.record import study_folder
from ablations.search.journal_repair import JOURNAL, LOCK_SECONDS, is_complete


def open_storage(where: str, runs: Path, study: str) -> optuna.storages.BaseStorage:
    """Open the storage for all tunings of a study.

    Args:
        where: `journal` for a file beside the study's plan, or the URL of a PostgreSQL or MySQL database.

    Raises:
        StudyError: the storage cannot be opened, or is SQLite, which is not safe with several workers.
    """
    if where == "journal":
        return _journal(study_folder(runs, study) / JOURNAL)
    if where.startswith("sqlite"):
        raise StudyError("storage: SQLite hands one trial to two workers; choose journal, or postgresql+psycopg://…")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with exclusive(study_folder(runs, study)):  # two processes must not both create the tables
            return optuna.storages.RDBStorage(where)
    except Exception as error:  # the drivers' errors have no common base class
        raise StudyError(f"storage={where} cannot be opened: {str(error).strip().splitlines()[0]}") from error


def _journal(path: Path) -> optuna.storages.BaseStorage:
    """Open a journal file. An incomplete last line, left by a killed process, is cut off: it would break writes."""
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalStorage

    path.parent.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # else Optuna logs every study that is opened
    lock = JournalFileOpenLock(str(path), grace_period=LOCK_SECONDS)
    backend = JournalFileBackend(str(path), lock_obj=lock)
    lock.acquire()
    try:
        with open(path, "rb+") as file:
            lines = file.read().splitlines(keepends=True)
            while lines and not is_complete(lines[-1]):
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
    """Hold the folder's lease: only one process at a time runs the block for a folder."""
    while True:
        with claim(folder) as ours:
            if ours:
                yield
                return
        time.sleep(0.1)
