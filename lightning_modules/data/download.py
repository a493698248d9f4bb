"""Download the files of a data set once, with checksums."""

from __future__ import annotations

import gzip
import logging
import os
import shutil
import sys
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

from lightning_modules.data.errors import DataError

PATIENCE = 4.0  # seconds to connect, and for the next byte
LOCAL: ContextVar[bool] = ContextVar("local", default=False)


@contextmanager
def nothing_downloaded() -> Iterator[None]:
    """Inside, a file that is absent raises DataError and is not downloaded."""
    token = LOCAL.set(True)
    try:
        yield
    finally:
        LOCAL.reset(token)


class Remote(NamedTuple):
    """One file of a publisher's: its address, and its checksum as `algorithm:hex`."""

    url: str
    checksum: str

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[-1]


Archive = Remote  # a .tar.gz


def fetch_files(files: dict[str, Remote], folder: Path, *, data: str) -> None:
    """Download those `files` (path below `folder` to address) that are absent.

    Raises:
        DataError: one could not be downloaded.
    """
    with _one_at_a_time(folder, _absent(folder, files), data) as absent:
        for name in absent:
            advice = f"put it and its like in {(folder / name).parent}"
            _download(files[name], folder / name, wanted=name, folder=folder, data=data, advice=advice)


def fetch_archive(archive: Archive, folder: Path, members: Iterable[str], *, data: str) -> None:
    """Download and unpack an archive unless all its `members` are there (paths in the archive and below `folder`).

    A copy of the archive in `folder` is used and kept. Each file is moved into place when it is whole, so the next call
    completes what an interruption leaves.

    Raises:
        DataError: it could not be downloaded, or is damaged.
    """
    with _one_at_a_time(folder, _absent(folder, members), data) as absent:
        if not absent:
            return
        file, downloaded = folder / archive.name, False
        if not file.is_file():
            advice = f"put the files of {archive.name} there"
            _download(archive, file, wanted=absent[0], folder=folder, data=data, advice=advice)
            downloaded = True
        _extract(file, folder, absent, data=data)
        if downloaded:
            file.unlink()


def _absent(folder: Path, names: Iterable[str]) -> list[str]:
    return [name for name in names if not (folder / name).is_file()]


@contextmanager
def _one_at_a_time(folder: Path, absent: list[str], data: str) -> Iterator[list[str]]:
    """Wait until no other process downloads into `folder`; give what is still absent."""
    if not absent:
        yield []
        return
    from filelock import FileLock

    lock = FileLock(folder / f".{data}.lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise DataError(
            f"data={data}: {absent[0]} is not in {folder}, where nothing can be written ({error.strerror}): "
            "set data_dir or SKIPBENCH_DATA to the folder that holds it or to one that can be written"
        ) from error
    try:
        yield _absent(folder, absent)
    finally:
        lock.release()


def _download(remote: Remote, target: Path, *, wanted: str, folder: Path, data: str, advice: str) -> None:
    if LOCAL.get():
        raise DataError(f"data={data}: {wanted} is not in {folder}")
    import requests

    ways = f"{advice}, or set data_dir or SKIPBENCH_DATA to the folder that holds them"
    failed = f"data={data}: {wanted} is not in {folder} and could not be downloaded"
    try:
        _retrieve(remote, target)
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else "an error"
        raise DataError(f"{failed} ({remote.url} answered {status}): {ways}") from error
    except requests.ConnectionError as error:  # also a timeout
        raise DataError(f"{failed} (no network): {ways}") from error
    except requests.RequestException as error:
        raise DataError(f"{failed} ({remote.url} broke off): try again, or {ways}") from error
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{failed} (writing {target}: {reason}): free some space or set data_dir elsewhere") from error
    except ValueError as error:
        raise DataError(f"{failed} ({remote.url} has a wrong checksum): try again later, or {ways}") from error
    finally:
        for parent in target.relative_to(folder).parents:
            with suppress(OSError):  # it holds something, as after a success
                (folder / parent).rmdir()


def _retrieve(remote: Remote, target: Path) -> None:
    """Download with pooch: it writes beside the target, checks, tries once more after a failure, and then renames."""
    import pooch

    pooch.get_logger().setLevel(logging.ERROR)  # the progress bar and our errors say it
    checksums, urls = {target.name: remote.checksum}, {target.name: remote.url}
    files = pooch.create(target.parent, "", registry=checksums, urls=urls, retry_if_failed=1)
    http: Any = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=PATIENCE)
    files.fetch(target.name, downloader=http)


def _extract(file: Path, folder: Path, members: list[str], *, data: str) -> None:
    """Unpack into a temporary folder, then move each file into place."""
    damaged = f"data={data}: {file} is not a whole {file.name}: delete it and run again to download it"
    aside = folder / f".unpacking-{file.name}"
    try:
        shutil.rmtree(aside, ignore_errors=True)
        with tarfile.open(file, "r|gz") as archive:
            for member in archive:
                if member.name in members:
                    archive.extract(member, aside, filter="data")
        if absent := _absent(aside, members):
            raise DataError(f"data={data}: {file} lacks {absent[0]}: delete it and run again to download it")
        for name in members:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(aside / name, folder / name)
    except DataError:
        raise
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(damaged) from error
    except OSError as error:
        failed = f"data={data}: {file} could not be unpacked in {folder} ({error.strerror})"
        raise DataError(f"{failed}: free some space or set data_dir elsewhere") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
