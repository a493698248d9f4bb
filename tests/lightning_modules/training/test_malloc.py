"""Memory that is freed and taken again, counted in a process of its own by the kernel's faults."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_modules.training.malloc import SAID

ROOT = Path(__file__).parents[3]
PAGES = 64 * 2**20 // 4096
STEPS = """
import resource
import torch
from lightning_modules.training.malloc import give_back, keep_what_is_freed
from tests.lightning_modules.trained import composed, instantiate

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def resident():
    return int(open("/proc/self/statm").read().split()[1])

config = composed()
instantiate(config.trainer)(recipe=instantiate(config.recipe), callbacks=())
for step in range(6):
    if step == 2:
        before = faults()
    tensors = [torch.ones(2**22) for _ in range(4)]
    del tensors
print(faults() - before)
before = resident()
give_back()
print(before - resident())
"""
pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this C library is not glibc")


def counted(**env: str) -> list[int]:
    """Pages that four steps, each of 64 MiB, fault in after the first two; pages given back at the end."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(SAID)}
    around = clean | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])} | env
    call = [sys.executable, "-c", STEPS]
    done = subprocess.run(call, cwd=ROOT, env=around, capture_output=True, text=True, check=True, timeout=120)
    return [int(word) for word in done.stdout.split()]


def test_a_step_takes_what_the_one_before_has_freed() -> None:
    faulted, returned = counted()
    assert faulted < PAGES, "of four times as many"
    assert returned > PAGES / 2


def test_what_the_environment_says_stands() -> None:
    faulted, _ = counted(MALLOC_TRIM_THRESHOLD_="131072")
    assert faulted > 3 * PAGES
