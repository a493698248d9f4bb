"""Settings of all tests."""

import gc
import os
import signal
import tempfile
from collections.abc import Iterator

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Heed Ctrl-C, forget the W&B of who types, and take away what killed processes leave among temporary files.

    A process in the background (`make test &`) starts with Ctrl-C ignored, and its children would too.
    """
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())  # where the folders of tests stay
    place = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    os.chmod(place.name, 0o755)  # some tests begin a process of another user
    os.environ["TMPDIR"] = tempfile.tempdir = place.name
    config.add_cleanup(place.cleanup)
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        del os.environ[name]
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Look for no garbage in what is imported and collected: it stays to the end."""
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that have slow tests, so that at the end no process waits for another."""
    slow = {item.nodeid.partition("::")[0] for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.nodeid.partition("::")[0] not in slow)


@pytest.fixture(autouse=True)
def own_service() -> Iterator[None]:
    """Keep the service that W&B has started in this process from the processes that later tests start."""
    yield
    os.environ.pop("WANDB_SERVICE", None)
