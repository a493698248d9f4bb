"""Show runs in W&B: online where there are credentials and a network, else in files that `wandb sync` uploads.

Nothing here asks, raises or blocks for long: a failure becomes one warning, and training goes on without W&B. The
records are the truth; all that W&B shows can be sent again from them.
"""

from __future__ import annotations

import functools
import importlib
import logging
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ablations.analysis.results import Record
from ablations.identity.run import Run
from ablations.records.recorder import Paused, Stopped
from ablations.wandb_view.log import Log, sentence, warn
from ablations.wandb_view.offline import id_of, run_id

MODES = ("auto", "none", "offline", "online")
PROJECT = "skipbench"  # unless another is chosen
INIT_TIMEOUT = 20  # seconds for the network to answer before a run goes offline
FINISH_TIMEOUT = 60  # seconds for the last uploads of a run; `wandb sync` can send the rest
TAGGED = ("block", "data", "recipe")
IMPORTED_LATE = "wandb.sdk.launch.inputs.internal"  # by wandb.init, for a third of a second


@dataclass(frozen=True)
class Tracker:
    """Where runs are shown: `auto` is online with credentials and a network, else offline; ValueError for others."""

    mode: str = "auto"
    project: str = PROJECT

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"no tracker mode {self.mode!r}; allowed are {', '.join(MODES)}")
        object.__setattr__(self, "project", self.project or PROJECT)  # WANDB_PROJECT may be set to nothing

    def track(self, run: Run | Record, folder: Path, *, group: str | None) -> AbstractContextManager[Log]:
        """Track a run in training, or send it from its record: axes and seed as config, grouped by study.

        Its id is made from its folder, whose name ends with digits of its identity.
        """
        known = run if isinstance(run, Mapping) else {"label": run.label, "axes": run.axes, "seed": run.seed}
        tags = [str(known["axes"][axis]) for axis in TAGGED if axis in known["axes"]]
        config = {**known["axes"], "seed": known["seed"]}
        about = {"name": str(known["label"]), "id": id_of(folder), "group": group, "tags": tags}
        return self.run(folder.parent, config=config, **about)

    @contextmanager
    def run(
        self,
        folder: Path,
        *,
        name: str,
        id: str | None = None,
        group: str | None = None,
        config: Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
        job_type: str = "run",
    ) -> Iterator[Log]:
        """Track what happens in the `with` block, in files under `folder`/wandb; goes on where W&B has this id."""
        about = {"name": name, "id": run_id(id or name), "group": group, "job_type": job_type}
        about |= {"config": dict(config or {}), "resume": "allow"}
        about |= {"tags": [tag[:64] for tag in dict.fromkeys(tags) if tag]}
        log, failed = Log(self._start(Path(folder), about)), True
        try:
            yield log
            failed = False
        except Stopped as error:
            if not isinstance(error, Paused):
                log.pruned()
            failed = False
            raise
        finally:
            log.finish(failed=failed)

    @property
    def enabled(self) -> bool:
        return self.mode != "none" and os.environ.get("WANDB_MODE") != "disabled"

    @property
    def sends(self) -> bool:
        """Whether runs go to W&B's server, and not into files only."""
        return self.enabled and self.mode != "offline" and _online(asked=self.mode == "online")

    def prepare(self) -> None:
        """Import wandb and start its service early. Errors are ignored here: the next run reports them."""
        if not self.enabled:
            return
        try:
            import wandb

            importlib.import_module(IMPORTED_LATE)
            wandb.setup()
        except Exception:
            logging.getLogger(__name__).debug("W&B could not be started ahead", exc_info=True)

    def _start(self, folder: Path, about: Mapping[str, Any]) -> Any:
        """A W&B run, or None."""
        if not self.enabled:
            return None
        try:
            place = folder / "wandb"
            place.mkdir(parents=True, exist_ok=True)
            if not os.access(place, os.W_OK):
                raise PermissionError(f"{place} cannot be written to")
            if self.sends:
                try:
                    return _init("online", self.project, folder, about)
                except Exception as error:
                    warn(f"W&B goes offline: {sentence(error)}")
            return _init("offline", self.project, folder, about)
        except Exception as error:
            warn(f"no W&B, training goes on: {sentence(error)}")
            return None


def _init(mode: str, project: str, folder: Path, about: Mapping[str, Any]) -> Any:
    import wandb

    settings = wandb.Settings(
        silent=True,
        console="off",
        init_timeout=INIT_TIMEOUT,
        finish_timeout=FINISH_TIMEOUT,
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
    """Whether runs can be sent; warns if they cannot and that was asked for."""
    if os.environ.get("WANDB_MODE", "online") != "online" and not asked:
        return False
    reason = _obstacle()
    if reason and (asked or reason != NO_CREDENTIALS):
        warn(f"W&B goes offline: {reason}")
    return not reason


NO_CREDENTIALS = "no credentials; `wandb login` sets them"


@functools.cache
def _obstacle() -> str:
    """The reason why nothing can be sent, or ''; asked once a process: without a network it takes a while."""
    found: list[str] = []

    def look() -> None:
        try:
            import wandb

            found.append("" if wandb.login(prompt=False, verify=True) else NO_CREDENTIALS)
        except Exception as error:
            found.append(sentence(error))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(INIT_TIMEOUT)
    return found[0] if found else f"no answer within {INIT_TIMEOUT} s"
