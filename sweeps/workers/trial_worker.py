"""Take a suggestion, let Optuna choose the active axes, train the choice with every seed, tell Optuna the result."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from omegaconf import DictConfig

from ablations.question.search_space import Search
from ablations.records.recorder import Stopped, cause_of, disk_full
from ablations.records.worker_deaths import MAX_DEATHS, deaths_of
from ablations.search.space import Infeasible, Space
from ablations.search.trials import FREE, Trial, trial_folder, write_trial
from sweeps.compose.active_options import active_point
from sweeps.compose.compose import Composer, plain_tree, run_of, settings_of
from sweeps.compose.fast_compose import FastComposer
from sweeps.preflight import check, suggestions
from sweeps.spaces import Composed, as_infeasible
from sweeps.workers.trial_objectives import TrialFailed, TrialTrainer
from sweeps.workers.worker import LOOK_EVERY, PlannedRun


class Repeated(Exception):
    """A suggestion of a cell that another one, `same`, has trained, or is training."""

    def __init__(self, same: Any) -> None:
        super().__init__()
        self.same = same


@dataclass
class TrialWorker:
    """Carry out trials in a process of its own, into which the launcher pickles this object.

    Attributes:
        main, context, master: as in `Worker`.
        points: tuning → what is fixed in it.
        order: the axes of the space; an axis stands behind those that decide whether it is active.
        rest: overrides for every run.
        patience: failed trials in a row after which it stops.
        threads: CPU threads of each training; None: what the scheduler gave it.
    """

    main: Any
    context: Any
    master: DictConfig
    search: Search
    points: dict[str, dict[str, Any]]
    order: list[str]
    rest: list[str]
    patience: int
    threads: int | None = None
    runs: Path = field(init=False)
    study: str = field(init=False)

    def __post_init__(self) -> None:
        self.runs, self.study = Path(self.master.runs), self.master.study.name

    def __call__(self, _: DictConfig) -> None:
        failures = 0
        self.composer = Composer(self.context.config_loader, self.master, self.rest)
        self.fast = FastComposer(self.composer)
        self.settings = plain_tree(self.master)
        self.trainer = TrialTrainer(self.main, self.context, self.master, self.search, self.threads)
        for tuning, trial in self.claim_trials():
            outcome = self.carry_out(tuning, trial)
            if outcome["state"] not in FREE:
                failures = failures + 1 if outcome["state"] == "failed" else 0
            if failures == self.patience:
                return

    def claim_trials(self) -> Iterator[tuple[Any, Any]]:
        """Claim the suggestions of all tunings one after the other, those with the lowest numbers first.

        Where none is left to claim, another is queued, for the tuning that has the most trials to go.
        """
        composed = Composed(self.composer, self.fast)
        spaces = {name: composed.space(self.search, self.order, point) for name, point in self.points.items()}
        ours = open_tunings(self.master, self.study, self.search, spaces)
        while True:
            waiting = [(number, k) for k, one in enumerate(ours) for number in one.unfinished()]
            for number, k in sorted(waiting):
                with ours[k].acquire(number) as trial:
                    if trial is not None:
                        yield ours[k], trial
                        break
            else:
                if any(one.queue_next() for one in sorted(ours, key=lambda one: -one.left())):
                    continue
                if not any(one.undecided() for one in ours):
                    return
                time.sleep(LOOK_EVERY)  # a suggestion that others look at now may use up no trial

    def carry_out(self, tuning: Any, trial: Any) -> Trial:
        """Carry out one suggestion: choose, check, train, tell."""
        folder = trial_folder(self.runs, self.study, tuning.name, trial.number)
        outcome: Trial = {
            **{"tuning": tuning.name, "number": trial.number, "state": "running", "point": self.points[tuning.name]},
            **{"suggested": {}, "cell": None, "label": None, "runs": [], "values": {}, "constraints": {}},
        }
        try:
            with self.ends_in(outcome, trial):
                if deaths_of(folder) >= MAX_DEATHS:
                    raise TrialFailed(f"killed {MAX_DEATHS} times")
                planned = self.suggest_runs(tuning, trial, outcome)
                outcome["suggested"] = dict(trial.params)
                write_trial(folder, outcome)
                values = self.trainer.objectives(trial, outcome, planned)
                outcome |= {"state": "complete", "values": {k: fmean(v) for k, v in values.items()}}
        finally:
            outcome["suggested"] = dict(trial.params)
            write_trial(folder, outcome)
        tuning.tell(trial, outcome)
        return outcome

    @contextmanager
    def ends_in(self, outcome: Trial, trial: Any) -> Iterator[None]:
        """Write into the outcome why the body ended the trial early."""
        from ablations.search.suggestions import repeated

        try:
            yield
        except Stopped:
            outcome["state"] = "pruned"
        except Repeated as error:
            outcome |= repeated(self.search, error.same)
        except Infeasible as error:
            outcome |= {"state": "infeasible", "cause": str(error)}
            if not outcome["constraints"]:
                trial.set_constraint("can be built", 1.0)
        except Exception as error:
            if disk_full(error):
                raise
            outcome |= {"state": "failed", "cause": str(error) if isinstance(error, TrialFailed) else cause_of(error)}

    def suggest_runs(self, tuning: Any, trial: Any, outcome: Trial) -> list[PlannedRun]:
        """Let Optuna choose a value for each axis that is active given those before it; return a run for each seed.

        Raises:
            Infeasible: what was chosen cannot be built, or breaks a constraint.
            Repeated: it is the cell of another suggestion.
        """
        point = outcome["point"] = dict(self.points[tuning.name])
        tuning.space.choose(trial, point)
        with as_infeasible():
            bare = active_point(point, self.fast)
            config = self.composer(bare)
            run = run_of(config, config.hydra)
            size = check(config)
        outcome |= {"cell": run.cell, "label": run.label.rpartition("-s")[0], "epochs": size.epochs}
        outcome |= {"params": size.params, "macs": size.macs}
        for constraint in self.search.constraints:
            excess = outcome["constraints"][str(constraint)] = constraint.excess(getattr(size, constraint.quantity))
            trial.set_constraint(str(constraint), excess)
        broken = [f"not {name}" for name, excess in outcome["constraints"].items() if excess > 0]
        if broken:
            raise Infeasible(", ".join(broken))
        same = tuning.claim_cell(trial, run.cell)
        if same is not None:
            raise Repeated(same)
        seeded = [run.with_seed(seed) for seed in self.search.seeds]
        outcome["runs"] = [
            {"seed": r.seed, "identity": r.identity, "label": r.label, "folder": r.folder} for r in seeded
        ]
        settings = settings_of(plain_tree(config), self.settings)
        return [PlannedRun(one, self.composer.overrides(bare), settings) for one in seeded]


def open_tunings(master: DictConfig, study: str, search: Search, spaces: Mapping[str, Space]) -> list[Any]:
    """Open the Optuna studies of a search, with the sampler and the pruner that the config names."""
    from ablations.search.storage import open_storage
    from ablations.search.tuning import Tuning

    sampler, pruner = suggestions(master)
    runs = Path(master.runs)
    storage = open_storage(master.storage, runs, study)
    return [
        Tuning(storage, runs, study, name, search, space, sampler=sampler, pruner=pruner)
        for name, space in spaces.items()
    ]
