"""End the forkserver with the sweep, and its workers with the forkserver, also when the sweep is killed by `kill -9`.

Only the forkserver imports this module. Nothing is lost: a run goes on from its checkpoint.
"""

from __future__ import annotations

import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # of prctl(2), Linux alone; elsewhere idle workers end some minutes after the sweep


def end_with_parent(parent: int) -> None:
    """Let the kernel kill this process when its parent ends; end now if the parent, of this process id, has ended."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


end_with_parent(os.getppid())
FORKSERVER = os.getpid()
os.register_at_fork(after_in_child=lambda: end_with_parent(FORKSERVER))
