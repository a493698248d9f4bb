"""Imports that cost less: whoever needs scipy.signal still has it, while other libraries are imported and later."""

from __future__ import annotations

import gc
import signal
import sys
from importlib import import_module
from pathlib import Path

import pytest

from sweeps.instantiate import import_quickly

ASKS = """
import gc, signal, scipy.signal
HELD = signal.pthread_sigmask(signal.SIG_BLOCK, [])
COLLECTS = gc.isenabled()
FOUND = hasattr(scipy.signal, "hamming")
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An importable folder, in a process that has not imported scipy.signal."""
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if f"{name}.".startswith("scipy.signal.")]:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path


def test_a_library_that_asks_it_for_one_old_name_does_not_import_it(place: Path) -> None:
    (place / "asks.py").write_text(ASKS)
    import_quickly("asks")
    asks = sys.modules.pop("asks")
    assert (asks.FOUND, asks.COLLECTS, signal.SIGINT in asks.HELD) == (True, False, True)
    assert "scipy.signal" not in sys.modules
    assert gc.isenabled()
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert import_module("scipy.signal").windows.hann(4).shape == (4,)


def test_a_library_that_needs_more_of_it_has_it(place: Path) -> None:
    (place / "needs.py").write_text("from scipy.signal import windows\nHANN = windows.hann(4)\n")
    import_quickly("needs")
    assert sys.modules.pop("needs").HANN.shape == (4,)
