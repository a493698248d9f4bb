"""Everything about one GPU in one command, in under nine minutes.

    python benchmarks/gpu.py [--out FOLDER] [--data FOLDER] [--parts loops,…] [--seconds 520] [--small] [--here]

Each part is a process with a time limit of its own. What it finds is printed at once, and written to FOLDER/gpu.json
and, as a table for RESULTS.md, to FOLDER/gpu.md. `--data` holds CIFAR-10; without it images are random. `--small` does
all in a small size, on a CPU too; `--here` in this process. One that fails, or takes too long, is a row that says so.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

LIMITS = {  # seconds, the most telling first; what is left of the whole time bounds them as well
    "loops": 90,
    "conventional": 70,
    "epoch": 50,
    "compiled": 110,
    "headline": 90,
    "fused": 90,
    "graphs": 90,
    "workers": 70,
    "peak": 40,
}


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
    until = time.monotonic() + options.seconds
    for part in options.parts.split(","):
        rows += here(part, options) if options.here else alone(part, options, until - time.monotonic())
        if options.out:
            write(rows, options.out)
    return rows


def here(part: str, options: argparse.Namespace) -> list[list[str]]:
    """The rows of a part, measured in this process."""
    from benchmarks.gpu_parts import PARTS, Sizes
    from benchmarks.gpu_processes import PROCESSES

    rows: list[list[str]] = []

    def say(what: str, found: object) -> None:
        rows.append([part, what, str(found)])
        print(f"| {part} | {what} | {found} |", flush=True)

    try:
        (PARTS | PROCESSES)[part](Sizes(small=options.small, data=options.data), say)
    except Exception as error:  # one part of many: the others are still worth having
        say("failed", f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}")
    return rows


def alone(part: str, options: argparse.Namespace, left: float) -> list[list[str]]:
    """The rows of a part, measured in a process that is ended when its time is over."""
    limit = min(LIMITS[part], left)
    call = [sys.executable, __file__, "--parts", part, "--here", *(["--small"] if options.small else [])]
    call += ["--data", str(options.data)] if options.data else []
    process = subprocess.Popen(call, stdout=subprocess.PIPE, text=True)
    begun, over = time.monotonic(), False
    try:
        said, _ = process.communicate(timeout=max(1.0, limit))
    except subprocess.TimeoutExpired:
        process.kill()
        said, over = process.communicate()[0], True
    lines = [line for line in said.splitlines() if line.startswith(f"| {part} | ")]
    lines += [f"| {part} | broken off | after {time.monotonic() - begun:.0f} s |"] if over else []
    lines += [f"| {part} | failed | exit status {process.returncode} |"] if process.returncode and not over else []
    print("\n".join(lines), flush=True)
    return [line.strip("| ").split(" | ", 2) for line in lines]


def write(rows: Sequence[Sequence[str]], folder: Path) -> None:
    """gpu.json and gpu.md, with what they were measured on."""
    import pytorch_lightning
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    about = {
        "date": datetime.now(UTC).date().isoformat(),
        "device": device,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "pytorch-lightning": pytorch_lightning.__version__,
        "command": f"python benchmarks/gpu.py {' '.join(sys.argv[1:])}".strip(),
    }
    (folder / "gpu.json").write_text(json.dumps({"about": about, "rows": [list(row) for row in rows]}, indent=1) + "\n")
    table = ["| part | what | found |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    words = ", ".join(f"{name} {value}" for name, value in about.items())
    (folder / "gpu.md").write_text("\n".join([words, "", *table]) + "\n")


if __name__ == "__main__":
    main()
