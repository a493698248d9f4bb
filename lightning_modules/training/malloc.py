"""What a training on a CPU frees, its process keeps for the next step."""

from __future__ import annotations

import ctypes
import os
import platform
from functools import cache
from typing import Any

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # as malloc.h numbers them
NEVER = 2**31 - 1  # bytes, the most that mallopt takes
MAPPED = (
    2**30,
    2**25,
)  # bytes from which memory is a mapping of its own: the second is the most that older versions take
SAID = "MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD"  # how the environment's words on it begin


def keep_what_is_freed() -> bool:
    """Have glibc's malloc keep freed memory, in this process from now on; whether it does.

    By itself it gives the large tensors of a step back to the kernel, which hands the same memory out again in the next
    one, page by page and cleared: 16,000 pages for a step of ResNet-20 on 32×32 images, 6% of the time. Numbers are the
    same. Where the environment says how to allocate, or with another C library, nothing is changed.
    """
    libc = _glibc()
    if libc is None or any(name.startswith(SAID) for name in os.environ):
        return False
    return bool(libc.mallopt(TRIM_THRESHOLD, NEVER) and any(libc.mallopt(MMAP_THRESHOLD, size) for size in MAPPED))


def give_back() -> None:
    """Give the kernel what is free after all: a training has ended, and the next one may be smaller."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


@cache
def _glibc() -> Any:
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None
