"""Settings of all tests."""

import os
import signal
from collections.abc import Iterator
from tempfile import TemporaryDirectory

import pytest


def pytest_configure() -> None:
    """Heed Ctrl-C: a process in the background (`make test &`) starts with it ignored, and its children would too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that have slow tests, so that at the end no process waits for another."""
    slow = {item.nodeid.partition("::")[0] for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.nodeid.partition("::")[0] not in slow)


@pytest.fixture(scope="session", autouse=True)
def own_temporary_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Take away what processes that are killed leave in the folder for temporary files."""
    tmp_path_factory.getbasetemp()  # lies beside it, and stays
    with TemporaryDirectory(ignore_cleanup_errors=True) as place, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", place)
        yield


@pytest.fixture(autouse=True)
def own_service() -> Iterator[None]:
    """Keep the service that W&B has started in this process from the processes that later tests start."""
    yield
    os.environ.pop("WANDB_SERVICE", None)
