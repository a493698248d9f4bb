"""Run a search by Optuna's ask and tell: queue its trials, share them among the workers, suggest values.

A tuning is one Optuna study. All its trials are queued when it is opened, so their number is exact however many workers
there are. A worker takes a trial by the lease of the trial's folder. If a worker dies, the next one continues its trial
with the values suggested so far.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from ablations.question.search_space import Choice, Range, Search
from ablations.question.study import StudyError
from ablations.records.layout import RECORD
from ablations.records.lease import claim
from ablations.records.record import read_record, usable
from ablations.search.storage import exclusive
from ablations.search.trials import Trial, read_trials, trial_folder

OPTUNA_STATE = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "infeasible": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}
SIGNIFICANT_DIGITS = 4  # of a suggested real number: 0.03127 is as good as 0.031273882 and easier to read


def check_sampler(search: Search, sampler: Callable[..., Any]) -> None:
    """Check that a sampler can search a space: let it suggest three points, with made-up results.

    Raises:
        StudyError: it cannot, because of several objectives, an infinite space or a missing package.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # else Optuna logs every study that is created
    study = optuna.create_study(directions=[optuna.study.StudyDirection.MINIMIZE for _ in search.objectives])
    try:
        for k in range(3):
            study.sampler = seeded(sampler, k)
            trial = study.ask({axis: optuna_distribution(options) for axis, options in search.space.items()})
            study.tell(trial, [float(k)] * len(search.objectives))
    except (ValueError, ImportError, NotImplementedError) as error:
        raise StudyError(f"this sampler cannot search this space: {str(error).splitlines()[0]}") from error


def seeded(sampler: Callable[..., Any], seed: int) -> Any:
    """Create the sampler with a seed, unless its config already gives one (as for Sobol's sequence)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # the config chose it
        return sampler() if "seed" in getattr(sampler, "keywords", {}) else sampler(seed=seed)


class Tuning:
    """One Optuna study, opened by one process.

    Args:
        name: of the tuning, unique in its study.
        sampler: called as `sampler(seed=…)`, or as `sampler()` if the config gives its seed.
        pruner: Optuna's, asked after every report.
    """

    def __init__(
        self,
        storage: optuna.storages.BaseStorage,
        runs: Path,
        study: str,
        name: str,
        search: Search,
        *,
        sampler: Callable[..., Any],
        pruner: Any,
    ) -> None:
        self.name, self.search, self.runs, self.study_name = name, search, runs, study
        self.sampler, self.pruner, self.storage = sampler, pruner, storage
        self.study = optuna.create_study(
            storage=storage,
            study_name=f"{study} {name}",
            directions=[optuna.study.StudyDirection.MINIMIZE for _ in search.objectives],
            sampler=optuna.samplers.RandomSampler(),
            pruner=pruner,
            load_if_exists=True,
        )

    def enqueue_missing(self) -> None:
        """Queue trials until there are as many as the search asks for.

        If Optuna's storage is empty, the trials that left files are added to it first.
        """
        with exclusive(trial_folder(self.runs, self.study_name, self.name, 0).parent):
            have = len(self.study.get_trials(deepcopy=False)) - len(self._retried)
            if not have:
                for trial in read_trials(self.runs, self.study_name, [self.name])[0]:
                    have += self._restore(trial)
            for _ in range(self.search.trials - have):
                self.study.enqueue_trial({})

    def retry(self, status: str) -> list[Trial]:
        """Queue the trials that ended with a status once more, with the same values; return these trials.

        Args:
            status: failed, or diverged (one of the trial's runs did).
        """
        with exclusive(trial_folder(self.runs, self.study_name, self.name, 0).parent):
            known, _ = read_trials(self.runs, self.study_name, [self.name])
            again = [trial for trial in known if trial["number"] not in self._retried and self._ended(trial) == status]
            suggested = {trial.number: trial.params for trial in self.study.get_trials(deepcopy=False)}
            for trial in again:
                self.study.enqueue_trial(suggested[trial["number"]])
            self.study.set_user_attr("retried", [*self._retried, *(trial["number"] for trial in again)])
        return again

    def _ended(self, trial: Trial) -> str:
        paths = (self.runs / run["folder"] / RECORD for run in trial["runs"])
        diverged = any(usable(path) and read_record(path)["status"] == "diverged" for path in paths)
        return "diverged" if diverged else trial["state"]

    @property
    def _retried(self) -> list[int]:
        return self.study.user_attrs.get("retried", [])

    def _restore(self, trial: Trial) -> int:
        """Add a trial to Optuna's storage from its file; return how many were added (0 or 1)."""
        if trial["state"] == "running" or trial["number"] >= self.search.trials:
            return 0
        self.study.add_trial(
            optuna.create_trial(
                state=OPTUNA_STATE[trial["state"]],
                values=[trial["values"][name] for name in self.search.objectives] if trial["values"] else None,
                params=trial["suggested"],
                distributions={axis: optuna_distribution(self.search.space[axis]) for axis in trial["suggested"]},
                user_attrs=_attributes(trial),
                constraints=trial["constraints"] or None,
            )
        )
        return 1

    def find_duplicate(self, number: int, cell: str) -> FrozenTrial | None:
        """Another trial of the same cell that was completed or pruned."""
        done = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        trained = (t for t in done if t.user_attrs.get("cell") == cell and t.user_attrs["state"] != "infeasible")
        return next((trial for trial in trained if trial.number not in (number, *self._retried)), None)

    def unfinished(self) -> list[int]:
        """The numbers of the trials that are waiting or running, in ascending order."""
        states = (TrialState.RUNNING, TrialState.WAITING)
        return [trial.number for trial in self.study.get_trials(deepcopy=False, states=states)]

    @contextmanager
    def acquire(self, number: int) -> Iterator[optuna.Trial | None]:
        """Reserve a trial for this process; None if another process has reserved or finished it."""
        study_id = self.storage.get_study_id_from_name(self.study.study_name)
        trial_id = self.storage.get_trial_id_from_study_id_trial_number(study_id, number)
        with claim(trial_folder(self.runs, self.study_name, self.name, number)) as ours:
            state = self.storage.get_trial(trial_id).state
            if not ours or state.is_finished():
                yield None
                return
            if state == TrialState.WAITING:
                self.storage.set_trial_state_values(trial_id, state=TrialState.RUNNING)
            self.study.sampler = self._sampler(number)
            yield optuna.Trial(self.study, trial_id)

    def _sampler(self, number: int) -> Any:
        """The sampler, seeded by (seed, number): the suggestion does not depend on which worker asks."""
        text = f"{self.search.seed} {number}".encode()
        return seeded(self.sampler, int.from_bytes(hashlib.sha256(text).digest()[:4]))

    def tell(self, trial: optuna.Trial, outcome: Trial) -> None:
        """Tell Optuna the outcome of a trial: its values, or that it was pruned, infeasible or failed."""
        for key, value in _attributes(outcome).items():
            trial.set_user_attr(key, value)
        if outcome["state"] == "complete":
            self.study.tell(trial, [outcome["values"][name] for name in self.search.objectives])
        else:
            self.study.tell(trial, state=OPTUNA_STATE[outcome["state"]])


def suggest(trial: optuna.Trial, axis: str, options: Choice | Range) -> Any:
    """Ask Optuna for a value of one axis. Real numbers are rounded to SIGNIFICANT_DIGITS."""
    if isinstance(options, Choice):
        return trial.suggest_categorical(axis, list(options.values))
    if options.whole:
        return trial.suggest_int(
            axis, int(options.low), int(options.high), step=int(options.step or 1), log=options.log
        )
    value = trial.suggest_float(axis, options.low, options.high, step=options.step, log=options.log)
    return min(max(float(f"{value:.{SIGNIFICANT_DIGITS}g}"), options.low), options.high)


def optuna_distribution(options: Choice | Range) -> optuna.distributions.BaseDistribution:
    """The values of one axis as an Optuna distribution."""
    if isinstance(options, Choice):
        return optuna.distributions.CategoricalDistribution(list(options.values))
    if options.whole:
        low, high, step = int(options.low), int(options.high), int(options.step or 1)
        return optuna.distributions.IntDistribution(low, high, log=options.log, step=step)
    return optuna.distributions.FloatDistribution(options.low, options.high, log=options.log, step=options.step)


def _attributes(outcome: Trial) -> dict[str, Any]:
    """The user attributes of a trial, which optuna-dashboard shows."""
    kept = ("label", "cell", "params", "macs", "seed_values", "same_as", "cause", "state")
    return {key: outcome[key] for key in kept if outcome.get(key) is not None}
