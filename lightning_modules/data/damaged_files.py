"""Find damaged image files before a training begins: their first and last bytes tell, without decoding them all."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ENDS = {b"\xff\xd8": b"\xff\xd9", b"\x89P": b"IEND\xaeB`\x82"}  # of JPEG and PNG: how a file begins and how it ends
TOGETHER = 256  # files that are looked at between two looks at the clock
PATIENCE = 2.0  # seconds after which a progress bar is shown


def refuse_damaged(files: Sequence[Path], decode: Callable[[Path], object]) -> None:
    """Look at every file, in threads, with a progress bar on standard error where that takes long.

    A file that ends as its kind does is taken for whole. Any other is decoded to see whether it can be.

    Args:
        decode: raises OSError for a file that cannot be decoded.

    Raises:
        OSError: of the first file that is damaged or cannot be read.
    """
    from rich.console import Console
    from rich.progress import Progress

    def look(file: Path) -> None:
        if not _ends_well(file):
            decode(file)

    begun, console = time.monotonic(), Console(stderr=True)
    bar = Progress(console=console, transient=True, disable=not console.is_terminal)
    row = bar.add_task("looking for damaged images", total=len(files))
    try:
        with ThreadPoolExecutor() as pool:
            for start in range(0, len(files), TOGETHER):
                some = files[start : start + TOGETHER]
                list(pool.map(look, some))
                bar.advance(row, len(some))
                if time.monotonic() - begun > PATIENCE:
                    bar.start()
    finally:
        bar.stop()


def _ends_well(file: Path) -> bool:
    with open(file, "rb") as content:
        end = ENDS.get(content.read(2))
        if end is None or content.seek(0, 2) < len(end):
            return False
        content.seek(-len(end), 2)
        return content.read() == end
