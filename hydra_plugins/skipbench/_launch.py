"""Workers through Hydra's configured launcher, and what a person sees while they work."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from ablations.identity import Run
from ablations.plan import Cell
from hydra_plugins.skipbench._arguments import words
from hydra_plugins.skipbench._worker import Worker

PLAIN_EVERY = 15.0  # seconds between two lines where there is no terminal


def launch(
    missing: list[tuple[Cell, Run]],
    *,
    name: str,
    rest: list[str],
    context: HydraContext,
    main: TaskFunction,
    config: DictConfig,
    console: Console,
) -> None:
    """Train the missing runs with as many workers as the launcher has places, and show how far they are.

    Args:
        name: the study's, which groups its runs in W&B.
        rest: what else was typed, for every run.
    """
    from hydra.core.plugins import Plugins

    workers = min(worker_count(config), len(missing))
    threads = max(1, (os.cpu_count() or 1) // workers)
    own = any(text.startswith("trainer.threads=") for text in rest)
    extra = {"study.name": name} | ({} if own else {"trainer.threads": threads})
    todo = [
        (run.folder, [*cell.overrides, *words(extra | {"seed": run.seed, "hydra.sweep.subdir": run.folder})])
        for cell, run in missing
    ]
    worker = Worker(main, context, config, Path(config.runs), todo)
    launcher = Plugins.instance().instantiate_launcher(config=config, hydra_context=context, task_function=worker)
    jobs = [[*rest, f"hydra.sweep.subdir='.workers/{k}'", "hydra.output_subdir=null"] for k in range(workers)]
    with Display(missing, Path(config.runs), console, workers):
        returns = launcher.launch(jobs, initial_job_idx=0)
    for done in returns:
        _ = done.return_value  # raises what stopped a worker


def worker_count(config: DictConfig) -> int:
    """How many workers the configured launcher runs at once."""
    jobs = OmegaConf.select(config, "hydra.launcher.n_jobs")
    if jobs is None:
        return 1
    return jobs if jobs > 0 else max(1, (os.cpu_count() or 1) + 1 + jobs)


class Display:
    """Reads the progress of the runs from their files: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, missing: list[tuple[Cell, Run]], runs: Path, console: Console, workers: int) -> None:
        self.left = {run.folder: (run, max(1, cell.cost)) for cell, run in missing}
        self.runs, self.console = runs, console
        self.count, self.cost = len(missing), sum(max(1, cell.cost) for cell, _ in missing)
        self.done_cost, self.failed = 0.0, 0
        self.words = f"{self.count} runs, {workers} worker{'' if workers == 1 else 's'}"
        self.stop = threading.Event()

    def __enter__(self) -> Display:
        self.started = time.monotonic()
        self.thread = threading.Thread(target=self.show if self.console.is_terminal else self.tell, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop.set()
        self.thread.join()

    def read(self) -> tuple[int, float]:
        """Runs done, and the share of the whole work done, unfinished epochs counted."""
        under_way = 0.0
        for folder, (run, cost) in list(self.left.items()):
            if (self.runs / folder / "record.json").exists():
                del self.left[folder]
                self.done_cost += cost
            else:
                under_way += cost * _epochs_done(self.runs / folder, run)
        return self.count - len(self.left), (self.done_cost + under_way) / self.cost

    def show(self) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self.console, transient=True) as progress:
            bar = progress.add_task(f"0 of {self.words}", total=1.0)
            while not self.stop.wait(0.3):
                done, share = self.read()
                progress.update(bar, completed=share, description=f"{done} of {self.words}")

    def tell(self) -> None:
        while not self.stop.wait(PLAIN_EVERY):
            done, share = self.read()
            spent = time.monotonic() - self.started
            left = f", about {spent * (1 - share) / share:.0f} s left" if share > 0.02 else ""
            self.console.print(f"{done} of {self.words}{left}", highlight=False)


def _epochs_done(folder: Path, run: Run) -> float:
    """Share of a run's epochs that its curve has; 0 where that is not known."""
    epochs: Any = run.config["recipe"].get("epochs")
    try:
        rows = (folder / "curve.csv").read_text().count("\n") - 1
    except OSError:
        return 0.0
    return min(1.0, rows / epochs) if epochs and rows > 0 else 0.0
