"""What `gpu.py` measures of whole processes: several on one GPU, a study from the shell, several networks as one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from benchmarks.gpu_parts import CUDA, READY, ROOT, Say, Sizes


def workers(sizes: Sizes, say: Say) -> None:
    """Several processes, each with a training of its own, on one GPU."""
    for count in (1, 2) if sizes.small else (1, 8, 4, 2):
        images = 2 * count * (sizes.of_worker // sizes.batch * sizes.batch)
        total = images / max(side_by_side(count, small=sizes.small))
        say(f"ResNet-{sizes.depths[0]} bf16, {count} process(es) on one device", f"{total:,.0f} images/s in all")


def side_by_side(count: int, *, small: bool) -> list[float]:
    """The seconds that each of so many processes took for its two epochs, which all began at once."""
    call = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), "--parts", "worker", "--here"]
    call += ["--small"] if small else []
    ways: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    ways["env"] = {**os.environ, "OMP_NUM_THREADS": "1"}
    with ExitStack() as ends:
        began = [ends.enter_context(subprocess.Popen(call, **ways)) for _ in range(count)]
        for process in began:
            ends.callback(process.kill)
        if not all(READY in map(str.strip, process.stdout) for process in began):
            raise RuntimeError(f"one of {count} processes did not come to its second epoch")
        for process in began:
            process.stdin.write("go\n")
            process.stdin.flush()
        lines = [line for process in began for line in process.stdout]
    seconds = [float(line.split("|")[3]) for line in lines if line.startswith("| worker | worker |")]
    if len(seconds) < count:
        raise RuntimeError(f"{count - len(seconds)} of {count} processes did not come to their end")
    return seconds


def headline(sizes: Sizes, say: Say) -> None:
    """The headline study from the shell to its table."""
    asked = ["workers=8"]
    if sizes.small:
        asked = ["block=plain", "depth=8", "seed=0", "recipe.epochs=1", "hydra/launcher=basic"]
    with tempfile.TemporaryDirectory() as runs:
        begun = time.perf_counter()
        list(said([sys.executable, str(ROOT / "run.py"), "-m", f"runs={runs}", "tracker=none", *asked]))
        say(f"python run.py -m {' '.join(asked)}", f"{time.perf_counter() - begun:.1f} s")


def fused(sizes: Sizes, say: Say) -> None:
    """Several networks as one program; eight of them first."""
    call = [sys.executable, str(ROOT / "benchmarks" / "fuse.py"), "--device", "cuda" if CUDA else "cpu"]
    call += ["--quick"] if sizes.small else ["--rounds", "1", "--counts", "1", "8", "4", "2", "16"]
    for line in said(call):
        if line.startswith("|") and not line.startswith("|-"):
            say("benchmarks/fuse.py", line.strip("| \n").replace(" | ", "; "))


def said(call: Sequence[str]) -> Iterator[str]:
    """What a process says, line by line as it says it. Raises RuntimeError with its last word if it fails."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=errors, encoding="utf-8") as process:
            yield from process.stdout or ()
        if process.returncode:
            errors.seek(0)
            raise RuntimeError([f"exit status {process.returncode}", *errors.read().strip().splitlines()][-1])


PROCESSES = {"workers": workers, "headline": headline, "fused": fused}
