from __future__ import annotations

import pytest


@pytest.fixture
def every_epoch_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    """However short an epoch is, its state is kept."""
    monkeypatch.setattr("lightning_modules.training.history.SAVING", float("inf"))
