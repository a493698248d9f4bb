"""Everything about one GPU in one command, in under nine minutes.

    python benchmarks/gpu.py [--out FOLDER] [--data FOLDER] [--parts loops,…] [--seconds 520] [--small] [--here]

Each part is a process with a time limit of its own. What it finds is printed, and written to FOLDER/gpu.json and, as a
table for RESULTS.md, to FOLDER/gpu.md, row by row as it is found; a part that fails, or takes too long, ends with a row
that says so. `--data` holds CIFAR-10 for an epoch of it; all else is of random images. `--small` does all in a small
size, on a CPU too; `--here` in this process.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

LIMITS = {  # seconds, the most telling first; what is left of the whole time bounds them as well
    "loops": 70,
    "graphs": 80,
    "conventional": 45,
    "fused": 110,
    "epoch": 30,
    "compiled": 80,
    "headline": 50,
    "workers": 35,
    "peak": 20,
}
RATE = re.compile(r"([\d,]+) images/s")
EIGHT = re.compile(r"; 8; .*?([\d.]+)×")  # a row of benchmarks/fuse.py: setting; K; one by one; together; ratio
GRACE = 3.0  # seconds that an interrupted part has to end what it began
Keep = Callable[[list[str]], None]


def main(arguments: Sequence[str] | None = None) -> list[list[str]]:
    """Measure what is asked for, print and write it; the rows (part, what, found)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write gpu.json and gpu.md there")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="where cifar-10-batches-bin lies (random images)")
    parser.add_argument("--parts", default=",".join(LIMITS), help="of %(default)s")
    parser.add_argument("--seconds", type=float, default=520, metavar="N", help="for all (520)")
    parser.add_argument("--small", action="store_true", help="a small size of everything")
    parser.add_argument("--here", action="store_true", help="in this process and without limits")
    options = parser.parse_args(arguments)
    rows: list[list[str]] = []
    until, about = time.monotonic() + options.seconds, machine()

    def keep(row: list[str]) -> None:
        rows.append(row)
        print(f"| {' | '.join(row)} |", flush=True)
        if options.out:
            write(rows, about, options.out)

    for part in options.parts.split(","):
        if options.here:
            here(part, options, keep)
        else:
            alone(part, options, keep, until - time.monotonic())
    for what, found in bars(rows):
        keep(["bars", what, found])
    return rows


def here(part: str, options: argparse.Namespace, keep: Keep) -> None:
    """Measure a part in this process."""
    from benchmarks.gpu_parts import PARTS, Sizes
    from benchmarks.gpu_processes import PROCESSES

    def say(what: str, found: object) -> None:
        keep([part, what, str(found)])

    try:
        (PARTS | PROCESSES)[part](Sizes(small=options.small, data=options.data), say)
    except Exception as error:  # one part of many: the others are still worth having
        say("failed", f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}")


def alone(part: str, options: argparse.Namespace, keep: Keep, left: float) -> None:
    """Measure a part in a process that is ended when its time is over."""
    call = [sys.executable, __file__, "--parts", part, "--here", *(["--small"] if options.small else [])]
    call += ["--data", str(options.data)] if options.data else []
    begun, limit = time.monotonic(), max(1.0, min(LIMITS[part], left))
    with ended_after(limit, call) as process:
        for line in process.stdout or ():
            if line.startswith(f"| {part} | "):
                keep(line.strip("| \n").split(" | ", 2))
    if (took := time.monotonic() - begun) > limit:
        keep([part, "broken off", f"after {took:.0f} s"])
    elif process.returncode:
        keep([part, "failed", f"exit status {process.returncode}"])


@contextmanager
def ended_after(seconds: float, call: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that is ended, with all that it began, when its time is over; what outlives it is ended too."""
    with subprocess.Popen(call, stdout=subprocess.PIPE, encoding="utf-8", start_new_session=True) as process:
        clock = threading.Timer(seconds, end, [process.pid])
        clock.start()
        try:
            yield process
            process.wait()
        finally:
            clock.cancel()
            clock.join()
            end(process.pid)


def end(group: int) -> None:
    """Interrupt the processes of a group, and kill those that are still there a little later."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGINT)
        time.sleep(GRACE)
        os.killpg(group, signal.SIGKILL)


def machine() -> dict[str, object]:
    """What is measured on; torch, which would take seconds to say it, is not asked."""
    ask, device = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"], ""
    if shutil.which(ask[0]):
        device = subprocess.run(ask, capture_output=True, encoding="utf-8", check=False).stdout.partition("\n")[0]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "device": device or "no GPU",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "pytorch-lightning")},
        "command": f"python benchmarks/gpu.py {' '.join(sys.argv[1:])}".strip(),
    }


def write(rows: Sequence[Sequence[str]], about: dict[str, object], folder: Path) -> None:
    """gpu.json and gpu.md."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"about": about, "rows": [list(row) for row in rows]}, indent=1)
    (folder / "gpu.json").write_text(text + "\n", "utf-8")
    table = ["| part | what | found |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    words = ", ".join(f"{name} {value}" for name, value in about.items())
    (folder / "gpu.md").write_text("\n".join([words, "", *table]) + "\n", "utf-8")


def bars(rows: Sequence[Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Compare the rows with what an H100-class card should reach: (what, found), where both sides were measured."""

    def rate(*parts: str, of: str) -> float | None:
        """Images a second of the fastest, each part's first network being the shallowest."""
        firsts = [next((RATE.match(f) for p, w, f in rows if p == part and of in w), None) for part in parts]
        return max((float(found[1].replace(",", "")) for found in firsts if found), default=None)

    ours, usual = rate("loops", "graphs", "compiled", of="bf16, ours"), rate("conventional", of="conventional")
    if ours and usual:
        yield "ours, the fastest, over the conventional recipe (8 at least)", f"{ours / usual:.1f}×"
    for part in ("loops", "graphs", "compiled"):
        ours, bare = rate(part, of="bf16, ours"), rate(part, of="by hand")
        if ours and bare:
            yield f"{part}: a step of ours over one by hand, compiled alike (1.03 at most)", f"{bare / ours:.3f}×"
    for part, _, found in rows:
        if part == "fused" and (eight := EIGHT.search(found)):
            yield f"eight as one program over one by one, {found.partition(';')[0]} (4 at least)", f"{eight[1]}×"


if __name__ == "__main__":
    main()
