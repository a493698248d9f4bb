"""Look at every image file before a training begins: its header and its last bytes tell, without decoding them all."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lightning_modules.data.errors import DataError

ENDS = {b"\xff\xd8": b"\xff\xd9", b"\x89P": b"IEND\xaeB`\x82"}  # of JPEG and PNG: how a file begins and how it ends
TOGETHER = 256  # files that are looked at between two looks at the clock
PATIENCE = 2.0  # seconds after which a progress bar is shown
NAMED = 5  # damaged files that a sentence names


def damaged(
    files: Sequence[Path], read_header: Callable[[Path], object], decode: Callable[[Path], object]
) -> dict[int, DataError]:
    """Look at every file, in threads, with a progress bar on standard error where that takes long.

    A file whose header can be read and that ends as its kind does is taken for whole. Any other is decoded to see
    whether it can be.

    Args:
        read_header, decode: raise DataError for a file that cannot be used.

    Returns:
        The position of each file that cannot be used, and the error.
    """
    from rich.console import Console
    from rich.progress import Progress

    def look(file: Path) -> DataError | None:
        try:
            read_header(file)
            if not _ends_well(file):
                decode(file)
        except DataError as error:
            return error
        return None

    begun, console = time.monotonic(), Console(stderr=True)
    bar = Progress(console=console, transient=True, disable=not console.is_terminal)
    row = bar.add_task("looking for damaged images", total=len(files))
    found: dict[int, DataError] = {}
    try:
        with ThreadPoolExecutor() as pool:
            for start in range(0, len(files), TOGETHER):
                some = files[start : start + TOGETHER]
                errors = pool.map(look, some)
                found |= {start + k: error for k, error in enumerate(errors) if error is not None}
                bar.advance(row, len(some))
                if time.monotonic() - begun > PATIENCE:
                    bar.start()
    finally:
        bar.stop()
    return found


def refusal(files: Sequence[Path], found: dict[int, DataError]) -> DataError:
    """Return the error that names the damaged files."""
    first, *others = found
    if not others:
        return found[first]
    names = ", ".join(str(files[k]) for k in others[: NAMED - 1])
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    skip = "or leave all out with data.source.damaged=skip"
    return DataError(f"{found[first]}, {skip}; damaged as well: {names}{more}")


def _ends_well(file: Path) -> bool:
    with open(file, "rb") as content:
        end = ENDS.get(content.read(2))
        if end is None or content.seek(0, 2) < len(end):
            return False
        content.seek(-len(end), 2)
        return content.read() == end
