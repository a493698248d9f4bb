"""Changed code makes records stale, which is said, and reuses none of them unasked."""

import json
from pathlib import Path

import pytest

from ablations.identity.run import Run
from ablations.plan.plan import Cell, Plan
from ablations.plan.staleness import accept, differing, set_aside_for_retry, stale_records, stale_words
from ablations.records.files import write_json
from tests.ablations.records.test_record import WHOLE

CONFIG = {"network": {"_target_": "lightning_modules.networks.blocks.Plain"}, "data": {}, "recipe": {}}


def run(seed: int = 0) -> Run:
    return Run(axes={"block": "plain", "depth": 8}, seed=seed, config=CONFIG)


@pytest.fixture
def plan() -> Plan:
    cell = Cell(run(), [{"block": "plain"}], [], runs={seed: run(seed) for seed in (0, 1)}, first=2)
    return Plan("headline", {}, [], "python run.py -m", [cell])


def recorded(one: Run, **changes: object) -> dict:
    fresh = {"identity": one.identity, "config": one.config, "code": one.code, "seed": one.seed, "folder": one.folder}
    return {**WHOLE, **fresh, "label": one.label, **changes}


def old(one: Run) -> dict:
    code = {**one.code, "lightning_modules/networks/blocks.py": "0" * 16}
    return recorded(one, identity="f" * 64, code=code, folder="before")


def test_a_record_of_other_code_is_stale_and_the_file_is_named(plan: Plan) -> None:
    records = {"f" * 64: old(run(0))}
    stale = stale_records(plan, records)
    assert list(stale) == [run(0).identity]
    assert differing(records["f" * 64]["code"], run(0).code) == ["lightning_modules/networks/blocks.py"]
    assert stale_words(plan, stale, accepted=False) == (
        "1 record is stale: lightning_modules/networks/blocks.py changed; trained again unless stale=accept"
    )
    assert len(plan.missing(records)) == 2, "nothing is reused unasked"


def test_of_many_changed_files_three_are_named(plan: Plan) -> None:
    record = old(run(0)) | {"code": {}}
    files = list(run().code)
    assert len(files) > 4
    words = f"{', '.join(sorted(files)[:3])} and {len(files) - 3} more files changed; accepted as asked"
    assert stale_words(plan, {run(0).identity: record}, accepted=True) == f"1 record is stale: {words}"


def test_a_record_of_this_code_is_not_stale_and_another_config_is_none_of_ours(plan: Plan) -> None:
    fresh = recorded(run(0))
    other = recorded(run(1), identity="e" * 64, config={**CONFIG, "recipe": {"lr": 1}})
    assert stale_records(plan, {fresh["identity"]: fresh, "e" * 64: other}) == {}


def test_accepted_records_answer_their_runs(plan: Plan) -> None:
    records = {"f" * 64: old(run(0))}
    accept(plan, stale_records(plan, records))
    assert [missing.seed for _, missing in plan.missing(records)] == [1]
    entries = plan.as_json()["cells"][0]["runs"]
    assert [entry["folder"] for entry in entries] == ["before", run(1).folder]
    assert entries[0]["identity"] == "f" * 64


def test_a_retried_record_is_kept_under_another_name(plan: Plan, tmp_path: Path) -> None:
    one = run(0)
    for n in (1, 2):
        made = recorded(one, status="failed", cause=f"error: {n}")
        write_json(tmp_path / one.folder / "record.json", made)
        records = {one.identity: made}
        assert set_aside_for_retry(plan, records, "diverged", tmp_path) == []
        assert set_aside_for_retry(plan, records, "failed", tmp_path) == [one.label]
        assert records == {}
    kept = sorted((tmp_path / one.folder).glob("record*.json"))
    assert [json.loads(path.read_text())["cause"] for path in kept] == ["error: 1", "error: 2"]
    assert not (tmp_path / one.folder / "record.json").exists()
