"""A search on a real PostgreSQL server that this test starts: three workers, twenty trials, none twice."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ablations.search.test_tuning import exactly, work_together

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
FOUND = shutil.which("initdb") or next((str(path) for folder in PROGRAMS for path in folder.glob("initdb")), None)


def as_server(*call: str, folder: Path) -> None:
    """Run one of the server's programs, which refuse to be run by root, as the user `postgres` then."""
    user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    subprocess.run(call, check=True, capture_output=True, timeout=60, cwd=folder, **user)


@pytest.fixture
def server() -> Iterator[str]:
    """The URL of an empty database on loopback."""
    if FOUND is None:
        pytest.skip("PostgreSQL is not installed: on Debian, apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))  # the tests' own folders are closed to other users
    if os.geteuid() == 0:
        try:
            owner = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("this is root, as whom PostgreSQL refuses to run, and there is no user postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    programs, data = Path(FOUND).parent, folder / "data"
    as_server(str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "skipbench", folder=folder)
    options = f"-c listen_addresses=127.0.0.1 -c unix_socket_directories='' -p {port} -c fsync=off"
    control = [str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log")]
    as_server(*control, "-o", options, "start", folder=folder)
    try:
        yield f"postgresql+psycopg://skipbench@127.0.0.1:{port}/postgres"
    finally:
        as_server(*control, "-m", "immediate", "stop", folder=folder)
        shutil.rmtree(folder)


@pytest.mark.slow
def test_three_workers_carry_out_twenty_trials_once_each(tmp_path: Path, server: str) -> None:
    exactly(20, work_together(tmp_path, server, processes=3, trials=20))
