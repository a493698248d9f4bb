"""One side of a comparison in a process of its own, so that what the other does to its process is not done to it."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import torch

_made: Iterator[Any] = iter(())


class Apart(Iterator[Any]):
    """An iterator that another process makes and keeps; it moves there whenever its next item is asked for here.

    Args:
        make: called there with `arguments`, which are pickled.
        threads: of torch, there.
    """

    def __init__(self, make: Callable[..., Iterator[Any]], *arguments: Any, threads: int) -> None:
        self.pool = ProcessPoolExecutor(1, get_context("spawn"), _begin, (threads, make, arguments))

    def __next__(self) -> Any:
        return self.pool.submit(_go_on).result()

    def __enter__(self) -> Apart:
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown()


def _begin(threads: int, make: Callable[..., Iterator[Any]], arguments: tuple[Any, ...]) -> None:
    global _made
    torch.set_num_threads(threads)
    _made = make(*arguments)


def _go_on() -> Any:
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        return next(_made)
