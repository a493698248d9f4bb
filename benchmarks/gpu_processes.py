"""What `gpu.py` measures of whole processes: several on one GPU, a study from the shell, several networks as one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from typing import Any

from benchmarks.gpu_parts import CUDA, ROOT, Say, Sizes


def workers(sizes: Sizes, say: Say) -> None:
    """Several processes, each with a training of its own, on one GPU."""
    call = [sys.executable, str(ROOT / "benchmarks" / "gpu.py"), "--parts", "worker", "--here"]
    call += ["--small"] if sizes.small else []
    for count in (1, 2) if sizes.small else (1, 2, 4, 8):
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        ways: dict[str, Any] = {"stdout": subprocess.PIPE, "text": True, "env": environment}
        began = [subprocess.Popen(call, **ways) for _ in range(count)]
        lines = [line for process in began for line in process.communicate()[0].splitlines()]
        seconds = [float(line.split("|")[3]) for line in lines if line.startswith("| worker | worker |")]
        total = sum(sizes.train // sizes.batch * sizes.batch / each for each in seconds)
        say(f"ResNet-{sizes.depths[0]} bf16, {count} process(es) on one device", f"{total:,.0f} images/s in all")


def headline(sizes: Sizes, say: Say) -> None:
    """The headline study from the shell to its table."""
    asked = ["workers=8"]
    if sizes.small:
        asked = ["block=plain", "depth=8", "seed=0", "recipe.epochs=1", "hydra/launcher=basic"]
    with tempfile.TemporaryDirectory() as runs:
        begun = time.perf_counter()
        call = [sys.executable, str(ROOT / "run.py"), "-m", f"runs={runs}", "tracker=none", *asked]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError((done.stderr or done.stdout).strip().splitlines()[-1])
        say(f"python run.py -m {' '.join(asked)}", f"{time.perf_counter() - begun:.1f} s")


def fused(sizes: Sizes, say: Say) -> None:
    """Several networks as one program."""
    script = ROOT / "benchmarks" / "fuse.py"
    if not script.exists():
        raise RuntimeError("not there")
    call = [sys.executable, str(script), "--device", "cuda" if CUDA else "cpu", *(["--quick"] if sizes.small else [])]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        if line.startswith("|") and not line.startswith("|-"):
            say("benchmarks/fuse.py", line.strip("| ").replace(" | ", "; "))
    if done.returncode:
        raise RuntimeError((done.stderr or done.stdout).strip().splitlines()[-1])


PROCESSES = {"workers": workers, "headline": headline, "fused": fused}
