"""The search itself, by Optuna's ask and tell: where its trials are stored, who takes which, what is suggested.

A tuning is one Optuna study. All its trials are queued when it is opened, so that there are never more or fewer; a
worker takes one by the lease of its folder. A trial whose worker died is taken up by the next, with the choices made.
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
SIGNIFICANT_DIGITS = 4  # of a suggested real number: 0.03127 is as good as 0.031273882, and can be read


def check_sampler(search: Search, sampler: Callable[..., Any]) -> None:
    """Let a sampler suggest three points of the space, told nonsense.

    Raises:
        StudyError: it cannot: too many objectives, an infinite space, a package that is not installed.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # or it tells of every study it makes
    study = optuna.create_study(directions=[optuna.study.StudyDirection.MINIMIZE for _ in search.objectives])
    try:
        for k in range(3):
            study.sampler = seeded(sampler, k)
            trial = study.ask({axis: optuna_distribution(options) for axis, options in search.space.items()})
            study.tell(trial, [float(k)] * len(search.objectives))
    except (ValueError, ImportError, NotImplementedError) as error:
        raise StudyError(f"this sampler cannot search this space: {str(error).splitlines()[0]}") from error


def seeded(sampler: Callable[..., Any], seed: int) -> Any:
    """A sampler with a seed; one that has its own in the config, as Sobol's sequence, keeps it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # what the config asks for, it gets
        return sampler() if "seed" in getattr(sampler, "keywords", {}) else sampler(seed=seed)


class Tuning:
    """One Optuna study, as one process sees it.

    Args:
        name: of the tuning, unique in its study.
        sampler: `sampler(seed=…)`, or `sampler()` where it takes its seed from the config.
        pruner: looked at after every report.
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

    def fill(self) -> None:
        """Queue what is missing of the tuning's trials; those that only the files know are put back first."""
        with exclusive(trial_folder(self.runs, self.study_name, self.name, 0).parent):
            have = len(self.study.get_trials(deepcopy=False)) - len(self._retried)
            if not have:
                for trial in read_trials(self.runs, self.study_name, [self.name])[0]:
                    have += self._put_back(trial)
            for _ in range(self.search.trials - have):
                self.study.enqueue_trial({})

    def retry(self, status: str) -> list[Trial]:
        """Queue the trials that failed, or of which a run diverged, once more with the choices they had; those trials.

        Args:
            status: failed or diverged.
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

    def _put_back(self, trial: Trial) -> int:
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

    def same(self, number: int, cell: str) -> FrozenTrial | None:
        """Another trial that was trained, or pruned, as the very same cell."""
        done = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
        trained = (t for t in done if t.user_attrs.get("cell") == cell and t.user_attrs["state"] != "infeasible")
        return next((trial for trial in trained if trial.number not in (number, *self._retried)), None)

    def open_trials(self) -> list[FrozenTrial]:
        """The trials nobody has finished, in the order of their numbers."""
        open_states = (TrialState.RUNNING, TrialState.WAITING)
        return self.study.get_trials(deepcopy=False, states=open_states)

    @contextmanager
    def take(self, number: int, trial_id: int) -> Iterator[optuna.Trial | None]:
        """Take a trial for this process; None where another has it or has finished it."""
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
        """Seeded by (seed, number), so that a suggestion depends on what was told before and not on who asks."""
        text = f"{self.search.seed} {number}".encode()
        return seeded(self.sampler, int.from_bytes(hashlib.sha256(text).digest()[:4]))

    def tell(self, trial: optuna.Trial, outcome: Trial) -> None:
        """Tell Optuna what became of a trial: its values, or that it was pruned, infeasible or failed."""
        for key, value in _attributes(outcome).items():
            trial.set_user_attr(key, value)
        if outcome["state"] == "complete":
            self.study.tell(trial, [outcome["values"][name] for name in self.search.objectives])
        else:
            self.study.tell(trial, state=OPTUNA_STATE[outcome["state"]])


def suggest(trial: optuna.Trial, axis: str, options: Choice | Range) -> Any:
    """Ask Optuna for a value of one axis. Real numbers are rounded to four digits."""
    if isinstance(options, Choice):
        return trial.suggest_categorical(axis, list(options.values))
    if options.whole:
        return trial.suggest_int(
            axis, int(options.low), int(options.high), step=int(options.step or 1), log=options.log
        )
    value = trial.suggest_float(axis, options.low, options.high, step=options.step, log=options.log)
    return min(max(float(f"{value:.{SIGNIFICANT_DIGITS}g}"), options.low), options.high)


def optuna_distribution(options: Choice | Range) -> optuna.distributions.BaseDistribution:
    """The same, as Optuna stores it."""
    if isinstance(options, Choice):
        return optuna.distributions.CategoricalDistribution(list(options.values))
    if options.whole:
        low, high, step = int(options.low), int(options.high), int(options.step or 1)
        return optuna.distributions.IntDistribution(low, high, log=options.log, step=step)
    return optuna.distributions.FloatDistribution(options.low, options.high, log=options.log, step=options.step)


def _attributes(outcome: Trial) -> dict[str, Any]:
    """What the dashboard shows of a trial beside its parameters."""
    kept = ("label", "cell", "params", "macs", "seed_values", "same_as", "cause", "state")
    return {key: outcome[key] for key in kept if outcome.get(key) is not None}
