"""Keep the source of code that is not Skipbench's, such as a block of one's own, with the records of its runs."""

from __future__ import annotations

import hashlib
import subprocess
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from ablations.identity.code_hash import foreign, targets
from ablations.identity.run import Run
from ablations.records.files import write_bytes

SOURCES = ".sources"  # under `runs`; a file there is named after its content, and so is there once


def keep_sources(run: Run, runs: Path) -> dict[str, dict[str, Any]]:
    """Copy the foreign source files that a run depends on into `runs/.sources`.

    Returns:
        of each file, as `code` names it: `sha256`, whose first 16 digits are the name of the copy; `git`, the commit of
        the repository it lies in; `version`, of the package that it is installed with. The last two may be null.
    """
    kept: dict[str, dict[str, Any]] = {}
    for name, (path, text) in foreign(targets(run.config)).items():
        content = text.encode()
        digest = hashlib.sha256(content).hexdigest()
        copy = runs / SOURCES / f"{digest[:16]}.py"
        if not copy.exists():
            write_bytes(copy, content)
        kept[name] = {"sha256": digest, "git": commit_of(path), "version": _version(path, name)}
    return kept


@lru_cache(maxsize=256)
def commit_of(path: Path) -> str | None:
    """Return the commit of the repository a file lies in, with `-dirty` if it has changed; None if it is in none."""
    tracked = _git(path.parent, "ls-files", "--error-unmatch", path.name)
    commit = _git(path.parent, "rev-parse", "--short=12", "HEAD") if tracked else None
    changed = commit and _git(path.parent, "status", "--porcelain", "--", path.name)
    return f"{commit}-dirty" if changed else commit


def _git(folder: Path, *words: str) -> str | None:
    call = ["git", "-C", str(folder), *words]
    try:
        done = subprocess.run(call, capture_output=True, encoding="utf-8", errors="replace", timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def _version(path: Path, name: str) -> str | None:
    """Return `package 1.2` of a file that is installed."""
    if "site-packages" not in path.parts:
        return None
    top = name.partition("/")[0].removesuffix(".py")
    found = metadata.packages_distributions().get(top)
    return f"{found[0]} {metadata.version(found[0])}" if found else None
