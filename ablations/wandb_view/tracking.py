"""W&B as a view of the runs: what can be sent is sent, what cannot is kept in files, and training never waits for it.

Nothing in here prompts, raises or blocks for long: any failure becomes one warning line and training goes on. Records
are the truth; everything W&B shows can be made again from them.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablations.analysis.results import Record
from ablations.identity.run import Run
from ablations.wandb_view.offline import run_id

MODES = ("auto", "none", "offline", "online")
PATIENCE = 20  # seconds for the network to answer before a run goes offline
FAREWELL = 60  # seconds for the last uploads of a run; what is left can be sent by `wandb sync`


class Log:
    """The W&B side of one run; the first failure ends it with one warning line. Logging nowhere is fine too."""

    def __init__(self, run: Any = None) -> None:
        self._run = run
        self._failed = False

    @property
    def step(self) -> int:
        """How many rows the run has already, from when it was logged before."""
        return int(getattr(self._run, "step", 0) or 0)

    @property
    def epoch_reached(self) -> int:
        """The last epoch the run has already; 0 of a new one."""
        return int(self._run.summary.get("epoch") or 0) if self._run is not None else 0

    @property
    def address(self) -> tuple[str, str] | None:
        """Entity and project, of a run that is sent; None offline or nowhere."""
        run = self._run
        return None if run is None or run.offline else (str(run.entity), str(run.project))

    def epoch(self, values: Mapping[str, float | None]) -> None:
        """Log one epoch; `epoch` in `values` is the x-axis of all curves."""
        self._attempt(lambda run: run.log({key: value for key, value in values.items() if value is not None}))

    def epochs(self, rows: Iterable[Mapping[str, float | None]]) -> None:
        """Log epochs in order: after an interruption, those before it too."""
        for row in rows:
            self.epoch(row)

    def diagnostics(self, rows: Iterable[Mapping[str, float | None]]) -> None:
        """Log what was measured inside the network: `name.block_01` as `diagnostics/name/block_01`."""
        for row in rows:
            inside = {f"diagnostics/{name.replace('.', '/')}": row[name] for name in row if name != "epoch"}
            self.epoch({"epoch": row["epoch"], **inside})

    def summary(self, values: Mapping[str, Any] | Callable[[], Mapping[str, Any]]) -> None:
        """Set what the run is summed up by."""
        self._attempt(lambda run: run.summary.update(dict(values() if callable(values) else values)))

    def record(self, record: Record) -> None:
        """Sum the run up by its record; a failed one is marked so."""
        self._failed = record["status"] == "failed"
        kept = ("status", "cause", "first_nonfinite", "epochs", "steps", "seconds", "params", "macs")
        self.summary({**record["metrics"], **{key: record[key] for key in kept if key in record}})

    def media(self, make: Callable[[Any], Mapping[str, Any]]) -> None:
        """Log tables and plots; `make(wandb)` is called only if there is a run to show them in."""

        def act(run: Any) -> None:
            import wandb

            run.log(dict(make(wandb)))

        self._attempt(act)

    def finish(self, *, failed: bool = False) -> None:
        """Close the run and wait, not for ever, until its data is written or sent."""
        self._attempt(lambda run: run.finish(exit_code=1 if failed or self._failed else 0))
        self._run = None

    def _attempt(self, act: Callable[[Any], Any]) -> None:
        if self._run is None:
            return
        try:
            act(self._run)
        except Exception as error:
            _warn(f"W&B stopped, training goes on: {_sentence(error)}")
            run, self._run = self._run, None
            with _anything_goes():
                run.finish(exit_code=1)


@dataclass(frozen=True)
class Tracker:
    """Where runs are shown: `auto` is online with credentials and a network, otherwise offline.

    Raises:
        ValueError: unknown mode.
    """

    mode: str = "auto"
    project: str = "skipbench"

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"no tracker mode {self.mode!r}; allowed are {', '.join(MODES)}")

    @contextmanager
    def run(
        self,
        *,
        folder: Path,
        label: str,
        group: str | None = None,
        config: Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
        job_type: str = "run",
        id: str | None = None,
        again: bool = False,
    ) -> Iterator[Log]:
        """Track what happens in the `with` block; files go to `folder`/wandb, the name is the label.

        Args:
            id: which W&B keeps apart from all others; the label where there is none.
            again: go on where a run with this id left off, if W&B has one.
        """
        about = {"name": label, "group": group, "job_type": job_type, "config": dict(config or {})}
        about |= {"id": run_id(id or label), **({"resume": "allow"} if again else {})}
        about["tags"] = [tag[:64] for tag in dict.fromkeys(map(str, tags)) if tag]
        log, failed = Log(self._start(Path(folder), about)), True
        try:
            yield log
            failed = False
        finally:
            log.finish(failed=failed)

    def track(self, run: Run, folder: Path, *, group: str | None) -> AbstractContextManager[Log]:
        """Track a run: its axes as config, grouped by study; its id is its folder's name, which no other run has."""
        tags = [str(value) for axis, value in run.axes.items() if axis in ("block", "data", "recipe")]
        config = {**run.axes, "seed": run.seed}
        about = {"folder": folder.parent, "label": run.label, "id": folder.name}
        return self.run(**about, group=group, config=config, tags=tags)

    @property
    def sends(self) -> bool:
        """Whether runs go to W&B's server, or only into files."""
        if self.mode in ("none", "offline") or os.environ.get("WANDB_MODE") == "disabled":
            return False
        return _online(asked=self.mode == "online")

    def _start(self, folder: Path, about: Mapping[str, Any]) -> Any:
        """A W&B run, or None."""
        if self.mode == "none" or os.environ.get("WANDB_MODE") == "disabled":
            return None
        try:
            place = folder / "wandb"
            place.mkdir(parents=True, exist_ok=True)
            if not os.access(place, os.W_OK):
                raise PermissionError(f"{place} cannot be written to")
            if self.mode == "offline" or not _online(asked=self.mode == "online"):
                return _init("offline", self.project, folder, about)
            try:
                return _init("online", self.project, folder, about)
            except Exception as error:
                _warn(f"W&B goes offline: {_sentence(error)}")
                return _init("offline", self.project, folder, about)
        except Exception as error:
            _warn(f"no W&B, training goes on: {_sentence(error)}")
            return None


def _init(mode: str, project: str, folder: Path, about: Mapping[str, Any]) -> Any:
    import wandb

    settings = wandb.Settings(
        silent=True,
        console="off",
        init_timeout=PATIENCE,
        finish_timeout=FAREWELL,
        disable_git=True,
        disable_code=True,
        x_disable_stats=True,
        x_save_requirements=False,
    )
    keys = {"project": project, "dir": str(folder), "mode": mode, "reinit": "create_new", "settings": settings}
    run = wandb.init(**keys, **about)
    if about["job_type"] == "run":
        run.define_metric("epoch")
        run.define_metric("*", step_metric="epoch")
    return run


def _online(*, asked: bool) -> bool:
    """Whether runs can be sent; says why not where that was asked for."""
    if os.environ.get("WANDB_MODE", "online") != "online" and not asked:
        return False
    reason = _obstacle()
    if reason and (asked or reason != NO_CREDENTIALS):
        _warn(f"W&B goes offline: {reason}")
    return not reason


NO_CREDENTIALS = "no credentials; `wandb login` sets them"


@functools.cache
def _obstacle() -> str:
    """Why nothing can be sent, or ''; found out once a process, since without a network it takes a while."""
    found: list[str] = []

    def look() -> None:
        try:
            import wandb

            found.append("" if wandb.login(prompt=False, verify=True) else NO_CREDENTIALS)
        except Exception as error:
            found.append(_sentence(error))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return found[0] if found else f"no answer within {PATIENCE} s"


@functools.cache
def _warn(message: str) -> None:
    """One line, once a process."""
    logging.getLogger(__name__).warning(message)


@contextmanager
def _anything_goes() -> Iterator[None]:
    try:
        yield
    except Exception:
        logging.getLogger(__name__).debug("W&B could not be closed", exc_info=True)


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
