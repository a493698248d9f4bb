from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE = 4.0  # seconds to connect, and for the next byte
TRIES = 2  # in a row without a byte: no network is an error within 10 s
MOST_TRIES = 20
CHUNK = 1 << 16


def resume(target: Path) -> Callable[[str, str, Any], None]:
    """A downloader for pooch that keeps what it got in `target`.part and continues there, in this run or the next.

    It raises what `requests` raises once `TRIES` attempts in a row have brought nothing.
    """
    part = target.with_name(f"{target.name}.part")

    def download(url: str, output_file: str, pooch: Any) -> None:
        import requests

        with progress(target.name) as report:
            fruitless = 0
            for attempt in range(1, MOST_TRIES + 1):
                had = _size(part)
                try:
                    continued(url, part, report)
                    break
                except (requests.ConnectionError, requests.Timeout) as error:
                    fruitless = 0 if _size(part) > had else fruitless + 1
                    failure = error
                except requests.HTTPError as error:
                    if error.response is None or error.response.status_code < 500:
                        raise
                    fruitless, failure = fruitless + 1, error
                if fruitless == TRIES or attempt == MOST_TRIES:
                    raise failure
                time.sleep(0.3)
        os.replace(part, output_file)

    return download


def continued(url: str, part: Path, report: Callable[[int, int | None], None]) -> None:
    """Gets what `part` lacks of `url`: by an HTTP Range request, or all of it from a server that knows none."""
    import requests
    from urllib3.exceptions import HTTPError

    had = _size(part)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={had}-"} if had else {})
    response = within(PATIENCE, lambda: requests.get(url, headers=headers, stream=True, timeout=PATIENCE))
    with response:
        span = response.headers.get("Content-Range", "")
        if response.status_code == 416:  # nothing after `had`: whole, or of another file
            if span.rpartition("/")[2] == str(had):
                return
            part.unlink()
            raise requests.ConnectionError(f"{part} is longer than {url}")
        response.raise_for_status()
        append = response.status_code == 206 and span.startswith(f"bytes {had}-")
        had = had if append else 0
        length = response.headers.get("Content-Length")
        total = had + int(length) if length else None
        with open(part, "ab" if append else "wb") as file:
            try:
                for chunk in response.raw.stream(CHUNK, decode_content=False):
                    file.write(chunk)
                    report(file.tell(), total)
            except HTTPError as error:  # also IncompleteRead and ReadTimeoutError
                raise requests.Timeout(str(error)) from error
        if total is not None and _size(part) != total:
            raise requests.Timeout(f"{url} broke off")


def within(seconds: float, call: Callable[[], Any]) -> Any:
    """call(), or requests.ConnectionError after `seconds`: looking up a name has no timeout of its own."""
    import requests

    outcome: dict[str, Any] = {}

    def run() -> None:
        try:
            outcome["value"] = call()
        except BaseException as error:
            outcome["error"] = error

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if "error" in outcome:
        raise outcome["error"]
    if "value" not in outcome:
        raise requests.ConnectionError(f"no answer within {seconds:.0f} s")
    return outcome["value"]


@contextmanager
def progress(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """Gives report(done, total), in bytes: a bar on standard error with size, speed and time left."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        row = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(row, completed=done, total=total)


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
