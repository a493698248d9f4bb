"""Settings of all tests."""

import signal


def pytest_configure() -> None:
    """Heed Ctrl-C: a process in the background (`make test &`) starts with it ignored, and its children would too."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
