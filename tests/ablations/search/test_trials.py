"""The Pareto front and the best trials are found in the files of a search; a damaged file is named."""

import itertools
import random
from pathlib import Path

import pytest

from ablations.records.files import RecordError
from ablations.search.trials import (
    best_trials,
    distinct_trials,
    free_words,
    pareto_front,
    read_trial,
    read_trials,
    trial_folder,
    uses_trial,
    write_trial,
)


def trial(number: int, *values: float, state: str = "complete", cell: str | None = None) -> dict:
    return {
        **{"tuning": "t", "number": number, "state": state, "point": {}, "suggested": {}, "constraints": {}},
        **{"cell": cell or f"cell {number}", "label": f"l{number}", "runs": []},
        **{"values": dict(zip(("val_error", "macs"), values, strict=False))},
    }


def test_the_front_holds_exactly_what_nothing_dominates() -> None:
    rng = random.Random(0)
    trials = [trial(k, rng.randint(0, 9), rng.randint(0, 9)) for k in range(60)]
    values = {t["number"]: (t["values"]["val_error"], t["values"]["macs"]) for t in trials}
    on_it = {t["number"] for t in pareto_front(trials, ["val_error", "macs"])}
    for one in values:
        beaten = any(
            values[other] != values[one] and all(a <= b for a, b in zip(values[other], values[one], strict=True))
            for other in values
        )
        assert (one in on_it) != beaten


def test_one_objective_is_sorted_and_a_cell_counts_once() -> None:
    trials = [trial(0, 3.0), trial(1, 1.0), trial(2, 1.0, cell="cell 1"), trial(3, 0.5, state="pruned")]
    assert [t["number"] for t in best_trials(trials, ["val_error"], 5)] == [1, 0]
    assert [t["number"] for t in best_trials(trials, ["val_error"], 1)] == [1]
    assert len(distinct_trials(trials)) == 2


def test_of_a_long_front_both_ends_are_kept() -> None:
    trials = [trial(k, 10 - k, k) for k in range(11)]
    picked = best_trials(trials, ["val_error", "macs"], 4)
    assert [t["number"] for t in picked][:: len(picked) - 1] == [10, 0]
    assert len({t["number"] for t in picked}) == 4
    gaps = [a["number"] - b["number"] for a, b in itertools.pairwise(picked)]
    assert max(gaps) - min(gaps) <= 1


def test_a_damaged_file_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    for number in range(3):
        write_trial(trial_folder(tmp_path, "s", "t", number), trial(number, 1.0))
    path = trial_folder(tmp_path, "s", "t", 1) / "trial.json"
    path.write_text(path.read_text()[:40])
    found, problems = read_trials(tmp_path, "s", ["t"])
    assert [t["number"] for t in found] == [0, 2]
    assert len(problems) == 1
    assert str(path) in problems[0]
    path.write_text('{"schema": 1, "number": 1}')
    with pytest.raises(RecordError, match="has no tuning"):
        read_trial(path)


def test_what_uses_up_no_trial_is_counted_and_the_commonest_cause_is_named() -> None:
    causes = ["depth=13", "depth=18", "depth=18"]
    free = [{**trial(k, state="infeasible"), "cause": cause} for k, cause in enumerate(causes)]
    free += [{**trial(3, 1.0), "warm_start": True}, trial(4, state="repeated")]
    others = [trial(5, 2.0), trial(6, state="pruned"), trial(7, state="failed"), trial(8, state="running")]
    assert [one["number"] for one in [*free, *others] if uses_trial(one)] == [5, 6, 7, 8]
    assert free_words([*free, *others]) == "1 trained before, 3 infeasible (most often: depth=18), 1 repeated"
    assert free_words(others) == ""
    assert [one["number"] for one in best_trials([*free, *others], ["val_error"], 2)] == [3, 5]
