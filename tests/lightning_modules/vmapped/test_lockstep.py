"""Bodies in turn and what interrupts them: nothing is left half done, and nobody is waited for who need not be."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lightning_modules.vmapped.lockstep import Halted, Member, run_in_lockstep
from lightning_modules.vmapped.signals import held_back


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """Ctrl-C is heard, also where the tests themselves were put into the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def asking(ends: list[str], name: str) -> Callable[[Member], None]:
    def body(turn: Member) -> None:
        try:
            while True:
                time.sleep(0.01)
                turn.ask(name)
        except Halted:
            ends.append(name)
            raise

    return body


def test_an_answer_that_is_begun_is_given() -> None:
    ends: list[str] = []
    given: list[int] = []

    def answer(turns: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        given.append(len(turns))

    with pytest.raises(KeyboardInterrupt):
        run_in_lockstep([Member(asking(ends, "a")), Member(asking(ends, "b"))], answer)
    assert (given, ends) == ([2], ["a", "b"])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_one_that_waits_for_no_answers_hears_of_it_too() -> None:
    ends: list[str] = []

    def answer(turns: Any) -> None:
        for turn in turns:
            turn.free = True
        threading.Timer(0.3, signal.raise_signal, [signal.SIGINT]).start()

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_in_lockstep([Member(asking(ends, "a")), Member(asking(ends, "b"))], answer)
    assert time.monotonic() - begun < 10
    assert ends == ["a", "b"]


def test_what_came_is_done_afterwards_once() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: seen.append(number))
    try:
        with held_back() as heed:
            signal.raise_signal(signal.SIGUSR1)
            assert not seen
            heed()
            assert seen == [signal.SIGUSR1]
            signal.raise_signal(signal.SIGUSR1)
        assert seen == [signal.SIGUSR1] * 2
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_what_is_ignored_stays_ignored_and_a_thread_hears_nothing() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with held_back():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    heard: list[bool] = []

    def body() -> None:
        with held_back() as heed:
            heed()
            heard.append(True)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert heard == [True]
