"""Freed memory stays with the process during a training, and goes back afterwards: counted by page faults."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from lightning_modules.training.malloc import ENVIRONMENT, keep_freed_memory

ROOT = Path(__file__).parents[3]
PAGES = 64 * 2**20 // 4096
STEPS = """
import resource
from sweeps.instantiate import import_quickly
import_quickly("torch", "pytorch_lightning")
import torch
from lightning_modules.training.malloc import release_freed_memory
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
release_freed_memory()
print(before - resident())
"""
pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="this C library is not glibc")


def counted() -> list[int]:
    """Pages that four steps, each of 64 MiB, fault in after the first two; pages given back at the end."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT)}
    around = clean | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    call = [sys.executable, "-c", STEPS]
    done = subprocess.run(call, cwd=ROOT, env=around, capture_output=True, text=True, check=True, timeout=120)
    return [int(word) for word in done.stdout.split()]


def test_a_step_takes_what_the_one_before_has_freed() -> None:
    faulted, returned = counted()
    assert faulted < PAGES, "of four times as many"
    assert returned > PAGES / 2


@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD"])
def test_an_allocator_that_the_environment_chooses_is_left_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for set_outside in [found for found in os.environ if found.startswith(ENVIRONMENT)]:
        monkeypatch.delenv(set_outside)
    monkeypatch.setenv(name, "131072")
    assert not keep_freed_memory()
