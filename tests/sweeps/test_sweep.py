"""`python run.py -m`, really typed: it plans, trains what is missing, reuses the rest and reports."""

import json
import re
from pathlib import Path
from shutil import rmtree

import pytest

from ablations.analysis.results import PROXIES
from ablations.records.lease import here
from tests.sweeps.conftest import Typed
from tests.typed import Done, typed

pytestmark = pytest.mark.slow

QUICK = ["recipe.epochs=1", "tracker=none"]
BASIC = "hydra/launcher=basic"  # workers in processes of their own take seconds to begin


def sweep(*arguments: str, runs: Path, cold: bool = False, **env: str) -> Done:
    own = any("hydra/launcher" in argument for argument in arguments)
    launcher = [] if own else [BASIC]
    return typed("-m", f"runs={runs}", *launcher, *arguments, at=runs, cold=cold, **env)


def records(runs: Path) -> dict[str, dict]:
    found = [json.loads(path.read_text()) for path in runs.glob("*/record.json")]
    assert len({record["identity"] for record in found}) == len(found)
    assert len({record["label"] for record in found}) == len(found), "labels tell the runs of a study apart"
    return {record["label"]: record for record in found}


def stamps(runs: Path) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in runs.glob("*/record.json")}


def plan(runs: Path) -> dict:
    (path,) = runs.glob(".studies/*/plan.json")
    return json.loads(path.read_text())


def test_a_sweep_trains_what_is_missing_and_only_that(tmp_path: Path) -> None:
    first = sweep("block=plain,residual", "depth=8", "seed=0,1", *QUICK, runs=tmp_path)
    assert first.returncode == 0, first.stderr
    assert first.stderr == ""
    assert "2 cells × 2 seeds: 4 to train, 0 reused" in first.stdout
    assert not {"cost", "expect"} & set(plan(tmp_path)["study"]), "those were of the grid as written"
    before = stamps(tmp_path)
    assert len(before) == 4
    assert {label.rpartition("-")[2] for label in records(tmp_path)} == {"s0", "s1"}
    for folder in before:  # each is a Hydra run of its own
        assert (tmp_path / folder / ".hydra" / "overrides.yaml").exists()
    table = [line for line in first.stdout.splitlines() if re.search(r" (plain|residual) .* ± ", line)]
    assert len(table) == 2

    left = tmp_path / min(before) / "lease.json"
    left.write_text(json.dumps({**here(), "pid": 2**22 + 1}))  # killed between record and release
    again = sweep(
        "block=plain,residual", "depth=8", "seed=0,1", *QUICK, runs=tmp_path, cold=True, PYTHONPROFILEIMPORTTIME="1"
    )
    assert again.returncode == 0, again.stderr
    imported = {
        line.rpartition("|")[2].strip() for line in again.stderr.splitlines() if line.startswith("import time:")
    }
    assert "sweeps.sweep" in imported
    assert not {"torch", "pytorch_lightning", "optuna"} & imported, "where nothing is missing the answer comes at once"
    assert not left.exists()
    assert "0 to train, 4 reused" in again.stdout
    assert stamps(tmp_path) == before
    assert [line for line in again.stdout.splitlines() if line in table] == table, "the same table from the records"

    more = sweep("block=plain,residual", "depth=8,14", "seed=0,1", *QUICK, runs=tmp_path)
    assert "4 to train, 4 reused" in more.stdout
    after = stamps(tmp_path)
    assert len(after) == 8
    assert before.items() <= after.items(), "what was there is untouched"


@pytest.mark.long
def test_seeds_are_paired_and_a_launcher_changes_nothing(tmp_path: Path) -> None:
    grids = [["hydra/launcher=basic"], ["hydra/launcher=joblib"]]
    found = []
    for cold, launcher in enumerate(grids):
        runs = tmp_path / str(cold)
        runs.mkdir()
        asked = ["block=residual,plain", "depth=8", "seed=0", "trainer.threads=1", *launcher, *QUICK]
        done = sweep(*asked, runs=runs, cold=bool(cold))
        assert done.returncode == 0, done.stderr
        found.append({label: record["metrics"] for label, record in records(runs).items()})
    assert found[0] == found[1]
    assert len(found[0]) == 2


GRID = """# @package _global_
study:
  name: mine
  question: Does a shortcut matter to a plain net?
  grid: {block: [plain], shortcut: [A, B, C]}
  fixed: {data: digits, recipe: digits_quick, depth: 8, recipe.epochs: null, recipe.steps: 25}
  seeds: [0]
"""


def test_plan_names_what_is_equivalent_and_trains_nothing(tmp_path: Path) -> None:
    name = "mine/deep/er"
    own = tmp_path / "own" / "study" / f"{name}.yaml"
    own.parent.mkdir(parents=True)
    own.write_text(GRID.replace("mine", name))
    done = sweep("--config-dir", str(tmp_path / "own"), f"study={name}", "plan=true", runs=tmp_path)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    shared = "with data=digits recipe=digits_quick depth=8 recipe.epochs=null recipe.steps=25 block=plain"
    assert said[-4:] == [shared, "train  1 × shortcut=A", "  equivalent: shortcut=B", "  equivalent: shortcut=C"]
    assert "3 cells × 1 seed: 1 to train, 0 reused, 2 equivalent to others" in done.stdout
    assert not stamps(tmp_path)
    assert plan(tmp_path)["name"] == name
    assert "plan=true" not in plan(tmp_path)["command"], "it names what trains the runs"
    (cell,) = plan(tmp_path)["cells"]
    assert [point["shortcut"] for point in cell["points"]] == ["A", "B", "C"]
    assert "shortcut" not in cell["axes"]
    assert cell["epochs"] == 3, "ten batches an epoch"


def test_a_sweep_is_a_sweep_wherever_its_flag_stands_and_a_grid_looked_at_leaves_nothing(tmp_path: Path) -> None:
    asked = ["block=plain", "-m", "depth=8", "seed=0", "plan=true"]
    done = typed(f"runs={tmp_path}", *asked, at=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 to train" in done.stdout
    assert not list(tmp_path.iterdir())


def test_an_invalid_cell_stops_the_sweep_before_anything_trains_or_is_left_out(tmp_path: Path, refused: Typed) -> None:
    asked = ["block=plain", "depth=8,21", "seed=0", *QUICK]
    stopped = sweep(*asked, runs=tmp_path)
    assert stopped.returncode == 1
    assert not stopped.stdout  # what is wrong is said once
    (line,) = stopped.stderr.strip().splitlines()
    assert "depth=21 is not 6n+2" in line
    assert "on_invalid=skip" in line
    assert not stamps(tmp_path)
    assert not list(tmp_path.glob(".studies/*")), "what is refused is no study"
    nothing = refused("-m", "block=plain", "depth=21", "on_invalid=skip", BASIC)
    assert nothing == "nothing can be built: depth=21 is not 6n+2; the nearest are 20 and 26"
    skipped = sweep(*asked, "on_invalid=skip", runs=tmp_path)
    assert skipped.returncode == 0, skipped.stderr
    assert list(records(tmp_path)) == ["plain-batch-d8-epochs=1-s0"]


BLOCKS = """
from lightning_modules.networks.blocks import Residual


class Looks(Residual):
    def join(self, x, fx):
        return super().join(x, fx) if fx.mean().item() < 1e9 else fx


class Raises(Residual):
    def join(self, x, fx):
        raise StopIteration("my own mistake")


class Misfits(Residual):
    def join(self, x, fx):
        return super().join(x, fx[:, 1:])
"""


def test_a_cell_whose_network_cannot_run_is_invalid_and_one_that_looks_at_values_is_not(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(BLOCKS)
    blocks = "block._target_=mine.Looks,mine.Raises,mine.Misfits,lightning_modules.networks.blocks.Residual"
    done = sweep("block=residual", blocks, "depth=8", "seed=0", "plan=true", "on_invalid=skip", runs=tmp_path)
    assert done.returncode == 0, done.stderr
    plain = " ".join(done.stdout.split())
    assert "2 to train" in plain
    assert plain.count("StopIteration: my own mistake (SKIPBENCH_DEBUG=1 shows where)") == 1
    assert "RuntimeError: The size of tensor a" in plain
    for sweeping in (["-m", "hydra/launcher=basic"], []):
        asked = [f"runs={tmp_path}", "block=residual", "block._target_=mine.Raises", "depth=8", "seed=0", *QUICK]
        refused = typed(*sweeping, *asked, at=tmp_path)
        assert refused.returncode == 1
        (line,) = refused.stderr.splitlines()
        assert "StopIteration: my own mistake" in line
    assert not stamps(tmp_path)


def test_a_trainer_that_raises_is_told_in_a_sentence_or_recorded(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def trainer(**_):\n    raise StopIteration('my own mistake')\n")
    asked = [f"runs={tmp_path}", "trainer._target_=mine.trainer", "depth=8", *QUICK]
    single = typed(*asked, at=tmp_path)
    assert (single.returncode, single.stdout) == (1, "")
    assert single.stderr == "error: StopIteration: my own mistake (SKIPBENCH_DEBUG=1 shows where)\n"
    swept = typed(*asked, "-m", "hydra/launcher=basic", "block=plain", "seed=0", at=tmp_path)
    assert swept.returncode == 2
    assert "Traceback" not in swept.stderr
    (record,) = records(tmp_path).values()
    assert record["cause"] == "error: my own mistake"


def test_another_sweeper_is_refused(tmp_path: Path, refused: Typed) -> None:
    said = refused("-m", "hydra/sweeper=basic", BASIC, "depth=8,14", *QUICK)
    assert said == "another sweeper trains again what has a record: leave hydra/sweeper=skipbench"
    assert not list(tmp_path.rglob("curve.csv"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["study=nosuch"], "choose from"),
        (["study=headline,shortcuts"], "study cannot be swept"),
        (["seed=0,0"], "different whole numbers"),
        (["seed=-1,1"], "[-1, 1] is not a list of different whole numbers"),
        (["block=plain,residul"], "did you mean residual?"),
        (["depth=interval(8,56)"], "a range to search belongs into a study's `space`"),
        (["on_invalid=shrug"], "neither stop nor skip"),
        (["recipe.lr=-1"], "recipe.lr=-1 must be > 0"),
        (["recipe.lr=inf,0.1", "on_invalid=skip"], "recipe.lr=inf is not a finite number"),
        (["optimizer.momentum=nan"], "optimizer.momentum=nan is not a finite number"),
        (["recipe.precision=16-mixed", "trainer=cpu"], "needs a GPU: on a CPU choose bf16-mixed or 32"),
        (["trainer.fuse=many"], "trainer.fuse=many is neither auto nor a whole number"),
        (["trainer.compile=fast"], "trainer.compile=fast is none of none, default, reduce-overhead"),
        (["data=cifar10", "data_dir=nowhere"], "data_batch_1.bin"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_gets_one_sentence_before_anything_trains(refused: Typed, arguments: list[str], says: str) -> None:
    assert says in refused("-m", BASIC, *arguments)


def test_a_diverged_run_is_in_the_table_and_not_trained_again(tmp_path: Path) -> None:
    asked = ["recipe.lr=0.1,1e4", "norm=none", "depth=8", "seed=0,1", *QUICK]
    done = sweep(*asked, runs=tmp_path)
    assert done.returncode == 0, done.stderr
    statuses = [record["status"] for record in records(tmp_path).values() if record["axes"]["recipe.lr"] == 1e4]
    assert statuses == ["diverged", "diverged"]
    spread = r"\d+\.\d\d ± \d+\.\d\d"
    assert re.search(rf"^ +10000\.0 +2 +{spread} +{spread} +{spread} +2 +19\.0 k", done.stdout, re.MULTILINE), (
        "2 diverged"
    )
    assert re.search(rf" 0\.1 +2 +{spread} +{spread} +{spread} +19\.0 k", done.stdout), "none diverged"
    assert "runs diverged, counted as the worst: residual-A-none-d8-epochs=1-lr=10000.0-s0" in done.stdout
    assert "0 to train, 4 reused" in sweep(*asked, runs=tmp_path).stdout


def test_a_failing_run_is_recorded_with_its_cause_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from lightning_modules.networks.blocks import Residual\n\n\n"
        "class Mine(Residual):\n    def join(self, x, fx):\n"
        "        if self.training and x.device.type == 'cpu':\n            raise RuntimeError('my own mistake')\n"
        "        return super().join(x, fx)\n"
    )
    blocks = "block._target_=mine.Mine,lightning_modules.networks.blocks.Residual"
    done = sweep("depth=8", "seed=0,1", *QUICK, blocks, runs=tmp_path)
    assert done.returncode == 2, done.stderr
    found = list(records(tmp_path).values())
    assert sorted(record["status"] for record in found) == ["failed", "failed", "finished", "finished"]
    failed = [record for record in found if record["status"] == "failed"]
    assert {record["cause"] for record in failed} == {"error: my own mistake"}
    assert "my own mistake" in " ".join(done.stdout.split())
    assert "RuntimeError" in (tmp_path / failed[0]["folder"] / "traceback.txt").read_text()


def test_what_cannot_even_be_begun_is_recorded_with_its_cause_and_the_others_go_on(tmp_path: Path) -> None:
    asked = ["block=plain", "depth=8", "seed=0,1", *QUICK]
    assert sweep(*asked, runs=tmp_path).returncode == 0
    names = sorted(stamps(tmp_path))
    for name in names:
        (tmp_path / name / "record.json").unlink()
    rmtree(tmp_path / names[0] / ".hydra")
    (tmp_path / names[0] / ".hydra").write_text("a file where Hydra wants a folder")
    done = sweep(*asked, runs=tmp_path)
    assert done.returncode == 2, done.stderr
    found = {record["folder"]: record for record in records(tmp_path).values()}
    assert {name: found[name]["status"] for name in names} == {names[0]: "failed", names[1]: "finished"}
    assert ".hydra" in found[names[0]]["cause"]


def test_a_sweep_trains_again_what_lacks_the_numbers_that_it_asks_for_now(tmp_path: Path) -> None:
    asked = ["block=plain", "depth=8", "seed=0", *QUICK, "data.take=200"]
    assert sweep(*asked, runs=tmp_path).returncode == 0
    (before,) = records(tmp_path).values()
    planned = sweep(*asked, "stress=true", "proxies=true", "plan=true", runs=tmp_path)
    assert "1 record has no numbers of stress=true or proxies=true: trained again" in " ".join(planned.stdout.split())
    assert "1 to train" in planned.stdout
    new = {"stress_gain", "stress_rate", "stress_memory", "stress_gain_trained"}
    for setting, names in (("stress", new), ("proxies", {*new, *PROXIES})):
        measured = sweep(*asked, f"{setting}=true", runs=tmp_path)
        assert f"1 record has no numbers of {setting}=true: trained again" in " ".join(measured.stdout.split())
        (after,) = records(tmp_path).values()
        assert {name for name in after["metrics"] if name not in before["metrics"]} == names, "what was measured stays"
        assert {name: after["metrics"][name] for name in before["metrics"]} == before["metrics"]
    assert "0 to train, 1 reused" in sweep(*asked, "stress=true", "proxies=true", runs=tmp_path).stdout
