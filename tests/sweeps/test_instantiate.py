"""Libraries are imported without a search for garbage, and whole, whatever signal comes meanwhile."""

from __future__ import annotations

import gc
import signal
import sys
from pathlib import Path

import pytest

from sweeps.instantiate import import_quickly

ASKS = """
import gc, signal
HELD = signal.pthread_sigmask(signal.SIG_BLOCK, [])
COLLECTS = gc.isenabled()
"""


@pytest.mark.parametrize("collects", [True, False])
def test_meanwhile_signals_are_held_and_no_garbage_is_looked_for_and_then_all_is_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, collects: bool
) -> None:
    (tmp_path / "asks.py").write_text(ASKS)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        if not collects:
            gc.disable()
        import_quickly("asks")
        after = gc.isenabled()
    finally:
        gc.enable()
    asks = sys.modules.pop("asks")
    assert (asks.COLLECTS, signal.SIGINT in asks.HELD, after) == (False, True, collects)
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
