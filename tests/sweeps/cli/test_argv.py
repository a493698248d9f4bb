"""What is typed wrong gets one sentence with what is allowed, before anything heavy is imported or anything is written.

In this process, since the words are what matters; tests/test_run.py and tests/sweeps/test_sweep.py really type.
"""

import logging
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from ablations.catalog.choices import CONF
from sweeps.cli.argv import read_words
from sweeps.cli.program import command_line
from sweeps.cli.settings import SETTINGS, check_setting
from sweeps.closing import left_words
from sweeps.compose.compose import default_axes
from sweeps.compose.hydra_internals import ConfigLoaderImpl
from tests.sweeps.conftest import Typed

pytestmark = pytest.mark.usefixtures("as_before")

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is built."""

    def build(node: Any) -> Any:
        raise AssertionError(f"built {node}")

    monkeypatch.setattr("sweeps.training.instantiate", build)
    monkeypatch.setattr("sweeps.preflight.instantiate", build)


@pytest.mark.usefixtures("no_torch")
@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("plan=true depth=8", "plan=true is for a sweep: add -m, or leave plan out"),
        ("study=shortcuts depth=8", "study=shortcuts is for a sweep: add -m, or leave study out"),
        ("-m profile=true", "profile=true is for a single run: leave out -m, or profile"),
        ("-m plan=no", "plan=no is neither true nor false: write plan=false"),
        ("hydra.job.chdir=true", "hydra.job.chdir=true moves runs and data into each run: leave it out"),
        ("-m hydra.job.chdir=true", "hydra.job.chdir=true moves runs and data into each run: leave it out"),
        ("retrain=maybe", "retrain=maybe is neither true nor false"),
        ("seed=a", "seed=a is not a whole number ≥ 0 and ≤ 9223372036854775807"),
        ("-m seed=-1", "seed=-1 is not a whole number ≥ 0 and ≤ 9223372036854775807"),
        ("depth=8.0", "depth=8.0 is not a whole number: write depth=8"),
        ("depth=[8,20]", "depth=[8,20] is not a whole number: write depth=8,20 in a sweep (-m)"),
        ("-m depth=[8,20]", "depth=[8,20] is not a whole number: write depth=8,20"),
        ("-m seed=0..3", "seed=0..3 is not a whole number ≥ 0 and ≤ 9223372036854775807: write 'seed=range(4)'"),
        (
            "seed=2-3",
            "seed=2-3 is not a whole number ≥ 0 and ≤ 9223372036854775807: write 'seed=range(2,4)' in a sweep (-m)",
        ),
        ("-m depth=8,eight plan=true", "depth=eight is not a whole number"),
        ("split=sed", "split=sed is neither fixed nor seed; did you mean seed?"),
        ("-m split=fixed,eed plan=true", "split=eed is neither fixed nor seed; did you mean seed?"),
        ("width=a", "width=a is not a finite number"),
        ("block=highway gate_bias=x", "gate_bias=x is not a finite number"),
        ("-m workers=0 plan=true", "workers=0 is not a whole number ≥ 1"),
        ("-m on_invalid=skp", "on_invalid=skp is neither stop nor skip; did you mean skip?"),
        ("-m retry=all", "retry=all is neither failed nor diverged"),
        ("micro_batch=0", "micro_batch=0 is not a whole number ≥ 1"),
        ("runs=2026", "runs=2026 is no name: write runs=./2026"),
        ("runs=/proc/none", "runs=/proc/none cannot be written (No such file or directory): choose another folder"),
        ("-m runs=afile", "runs=afile cannot be written (a file is in the way): choose another folder"),
        ("runs=afile/runs", "runs=afile/runs cannot be written (a file is in the way): choose another folder"),
    ],
)
def test_a_setting_of_another_kind_is_refused_first(refused: Typed, typed: str, says: str) -> None:
    Path("afile").touch()
    assert refused(*typed.split()) == says
    assert not list(Path().glob("runs/*")), "a mistake leaves nothing behind"


@pytest.mark.usefixtures("no_torch")
@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("depth = 8", "depth is given no value: write depth=8 without spaces"),
        ("block=plain depth =8", "depth is given no value: write depth=8 without spaces"),
        ("plain", "'plain' does not say what it is for: write block=plain"),
        ("batch", "'batch' does not say what it is for: write norm=batch"),
        ("-m plan", "plan is given no value: write plan=true"),
        ("please", "'please' says nothing: write axis=value without spaces, as depth=8"),
        ("--block=plain", "there is no flag --block=plain: write block=plain"),
        ("seed 3 depth=8", "seed is given no value: write seed=3 without spaces"),
        ("gate_bias -2", "gate_bias is given no value: write gate_bias=-2 without spaces"),
        ("recipe.lr 0.1", "recipe.lr is given no value: write recipe.lr=0.1 without spaces"),
        ("--seed 3", "there is no flag --seed: write seed=3"),
        ("seed=18446744073709551616", "seed=18446744073709551616 is not a whole number ≥ 0 and ≤ 9223372036854775807"),
        (
            "-m seed=0,18446744073709551616",
            "seeds: 18446744073709551616 is too large: the largest seed is 922337203685",
        ),
        ("data_dir=a(b", "data_dir=a(b has characters that need quotes: write 'data_dir=\"a(b\"'"),
        ("runs=a[b]", "write 'runs=\"a[b]\"'"),
        ("runs=ü", "write 'runs=\"ü\"'"),
        ("recipe.no_decay=[<=,norm,2]", "write 'recipe.no_decay=[\"<=\",norm,2]'"),
        ("lr=0.5", "there is no setting 'lr'; did you mean recipe.lr?"),
        ("epochs=2", "there is no setting 'epochs'; did you mean recipe.epochs?"),
        ("-m seeds=1,2", "there is no setting 'seeds'; did you mean seed?"),
        ("-m seed=range(2", "seed=range(2 lacks a ): write 'seed=range(2)'"),
        ("recipe.no_decay=[norm", "recipe.no_decay=[norm lacks a ]: write 'recipe.no_decay=[norm]'"),
        ("--m depth=8,20", "there is no flag --m: the flag of a sweep is -m"),
        ("+lr=0.5", "nothing uses lr; did you mean recipe.lr"),
        ("+epoch=50", "nothing uses epoch; did you mean recipe.epochs?"),
        ("+foo.bar=1", "nothing uses foo; there are activation, augment, "),
        ("-m +lr=0.5", "nothing uses lr; did you mean recipe.lr"),
        ("-m +lr=0.5,0.1", "nothing uses lr; did you mean recipe.lr"),
        ("+trainer.thread=2", "nothing uses trainer.thread; did you mean threads?"),
        ("+tracker.projct=mine", "nothing uses tracker.projct; did you mean project?"),
        ("trainer.deterministic=yes", "trainer.deterministic=yes is neither true nor false: write trainer.determ"),
        ("--depth 8", "there is no flag --depth: write depth=8"),
        ("--depth", "there is no flag --depth: write depth=20"),
        ("-n", "there is no flag -n: the flag of a sweep is -m, and --hydra-help shows the others; write axis="),
        ("--cfg", f"argument --cfg/-c: expected one argument; python {ROOT}/run.py --hydra-help shows the flags"),
        ("block=[plain,residual]", "block takes one word: for several write block=plain,residual in a sweep (-m)"),
        ("--config-dir . blok=highway", "there is no setting 'blok'; did you mean block? there are depth, width, "),
        ("block=highwy", "block=highwy: there is no block 'highwy'; did you mean highway? choose from attention_"),
        ("cifar/headline", "'cifar/headline' does not say what it is for: write study=cifar/headline"),
        ("-m study=nosuch", "there is no study 'nosuch'; choose from activation, blocks, "),
        (
            "-m study=cifar/headlin",
            "study=cifar/headlin: there is no study 'cifar/headlin'; did you mean cifar/headline? ",
        ),
        ("-m study=nosuch/blocks", "there is no study 'nosuch/blocks'; did you mean cifar/blocks? "),
        (
            "block.start=0.1",
            "there is no setting 'block.start'; there are body, shortcut, activation (+block.start=0.1 adds one)",
        ),
    ],
)
def test_words_that_mean_nothing_are_told_with_what_was_meant(refused: Typed, typed: str, says: str) -> None:
    said = refused(*typed.split())
    assert says in said
    assert "hydra," not in said
    assert said.count(",") <= 10


@pytest.mark.usefixtures("no_torch")
@pytest.mark.parametrize(
    ("typed", "new"),
    [
        ("-m study=degradation_paper", "cifar/degradation"),
        ("study=search_tuned_cifar", "cifar/search_tuned"),
        ("depth=8 study=highway_depth_paper plan=true -m", "mnist/highway_depth"),
    ],
)
def test_a_study_that_has_moved_is_told_by_its_new_name(refused: Typed, typed: str, new: str) -> None:
    (old,) = [word for word in typed.split() if word.startswith("study=")]
    assert refused(*typed.split()) == f"{old} is now study={new}"


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("block=highway block.coupled=yes", "block.coupled=yes is neither true nor false: write block.coupled=true"),
        ("block=highway block.coupled=1", "block.coupled=1 is neither true nor false: write block.coupled=true"),
        ("block=highway block.coupled=maybe", "block.coupled=maybe is neither true nor false"),
        ("-m block=highway block.coupled=yes,no", "block.coupled=yes is neither true nor false: write block.coupled=t"),
        ("+optimizer.nesterov=off", "optimizer.nesterov=off is neither true nor false: write optimizer.nesterov=false"),
        ("+optimizer.foreach=on", "optimizer.foreach=on is neither true nor false: write optimizer.foreach=true"),
        ("+recipe.epoch=3", "nothing uses recipe.epoch; did you mean epochs?"),
        ("+data.source.note=1", "data.source has no option note: it has split_seed"),
        ("+block.start=1", "nothing uses block.start; did you mean"),
    ],
)
def test_a_word_that_no_signature_takes_is_refused(refused: Typed, typed: str, says: str) -> None:
    assert says in refused(*typed.split(), "depth=8")


@pytest.mark.parametrize(
    ("group", "text", "says"),
    [
        ("study", "# @package _global_\nstudy:\n\tname: x\n", "study/mine.yaml, line 3: there is a tab; YAML is"),
        (
            "study",
            "# @package _global_\nstudy:\n  name: a\n  name: b\n",
            "line 4: name stands there twice; leave one out",
        ),
        (
            "study",
            "# @package _global_\nstudy:\n  expect: > 0\n",
            "line 3: a text that begins with > or | needs",
        ),
        ("study", "study: {name: a, grid: {depth: [8]}}\n", "its first line must be `# @package _global_`"),
        ("data", "data:\n  _target_: x\n", "data=mine: its file begins with `data:`, so its first line must be"),
        ("recipe", "recipe:\n  epochs: 3\n", "recipe=mine: its file begins with `recipe:`"),
        ("block", "_target_: a.B\n  x: 1\n", "block/mine.yaml, line 2: mapping values are not allowed here"),
        ("study", "# @package _global_\nstudie: {}\nstudy: {name: a}\n", "nothing uses studie; did you mean study?"),
        ("study", "# @package _global_\nstudy: {name: a, seed: [1]}\n", "unknown field 'seed'; did you mean seeds?"),
        ("study", "# @package _global_\nstudy: {name: a, grid: {norm: [batch, no]}}\n", "without quotes as false"),
        (
            "study",
            "# @package _global_\nstudy: {name: no, grid: {depth: 8}}\n",
            "study.name: False is not a text",
        ),
        (
            "study",
            "# @package _global_\nstudy: {name: a, fixed: {+lr: 1}}\n",
            "nothing uses lr; did you mean recipe.lr?",
        ),
        ("study", "# @package _global_\nstudy: {name: a, fixed: [8]}\n", "study.fixed: [8] is not a mapping"),
        (
            "study",
            "# @package _global_\nstudy: {name: a, grid: {depth: [8]}}\n",
            "study=mine says name: a in its file; write name: mine, or rename the file",
        ),
    ],
)
def test_a_file_of_ones_own_that_is_malformed_is_named(refused: Typed, group: str, text: str, says: str) -> None:
    Path("own", group).mkdir(parents=True)
    Path("own", group, "mine.yaml").write_text(text)
    sweep = ["-m"] * (group == "study")
    assert says in refused(*sweep, "--config-dir", "own", f"{group}=mine")


def test_a_choice_of_a_folder_that_was_not_named_is_found(refused: Typed) -> None:
    Path("own/block").mkdir(parents=True)
    Path("own/block/mine.yaml").write_text("# Mine.\ndefaults: [residual, _self_]\n")
    assert refused("block=mine") == "block=mine: there is no block 'mine'; for own/block/mine.yaml add --config-dir own"


@pytest.mark.parametrize(("word", "sweep"), [("runs=elsewhere", []), ("runs=elsewhere", ["-m"]), ("depth=8", [])])
def test_a_folder_of_ones_own_that_is_named_like_a_setting_is_told(refused: Typed, word: str, sweep: list[str]) -> None:
    name = word.partition("=")[0]
    Path("own", name).mkdir(parents=True)
    says = f"{word}: own/{name} is a folder, which Hydra takes for choices called {name}: rename it, or give"
    assert refused(*sweep, "--config-dir", "own", word).startswith(says)
    read_words(["--config-dir", "own", "-m", f"{name}=1,2"])


def test_a_space_before_the_equals_sign_is_told(refused: Typed) -> None:
    assert (
        refused("-m", "block = plain,residual")
        == "'block = plain,residual' has a space before its `=`: write block=plain,residual"
    )


def test_flags_and_overrides_may_be_mixed() -> None:
    ordered, typed = read_words(["block=plain", "--config-dir", "own", "depth=8", "-m", "seed=1", "--info", "all"])
    assert ordered == ["-m", "block=plain", "depth=8", "seed=1", "--config-dir", "own", "--info", "all"]
    assert typed.overrides == ["block=plain", "depth=8", "seed=1"]
    assert read_words(ordered)[0] == ordered


def test_a_class_that_is_not_there_is_told_with_those_that_are(refused: Typed) -> None:
    Path("a_block.py").write_text(
        "from lightning_modules.networks.blocks import Residual\n\n\nclass Mine(Residual): ...\n"
    )
    assert refused("block._target_=a_block.Min") == "a_block has no Min; did you mean Mine? there are Mine"


@pytest.mark.parametrize(
    ("wrong", "ours"),
    [
        ("-m block=plain depth=21 plan=false", True),  # our own words, after Hydra, in a cell
        ("augment=resize augment.size=x", False),  # what Python says
        ("block=highway block.gate_kernel=x", True),
        ("recipe.lr=-1", True),
    ],
)
def test_an_error_that_nobody_meant_says_how_to_see_more(refused: Typed, wrong: str, ours: bool) -> None:
    said = refused(*wrong.split())
    assert said.endswith(" (SKIPBENCH_DEBUG=1 shows where)") != ours, said


def test_the_version_and_the_help_are_of_the_program_that_was_typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/skipbench", "--version"])
    command_line()
    assert capsys.readouterr().out == f"Skipbench {version('skipbench')}\n"
    monkeypatch.setattr(sys, "argv", ["/somewhere/skipbench", "--help"])
    command_line()
    said = capsys.readouterr().out
    assert "\nskipbench -m study=shortcuts " in said
    assert "run.py" not in said


def test_a_warning_looks_as_every_other() -> None:
    log = yaml.safe_load((CONF / "hydra" / "job_logging" / "skipbench.yaml").read_text())
    shown = log["formatters"][log["handlers"]["console"]["formatter"]]["format"]
    warning = logging.makeLogRecord({"msg": "a record is damaged", "levelname": "WARNING"})
    assert logging.Formatter(shown).format(warning) == "! a record is damaged"


@pytest.mark.parametrize(
    ("left", "failed", "says"),
    [(1, 0, "1 run was left: the same command goes on"), (3, 5, "3 runs were left: a worker stops after 5 failures")],
)
def test_runs_that_are_left_say_why(left: int, failed: int, says: str) -> None:
    assert left_words(left, failed, 5).startswith(says)


def test_every_setting_of_the_program_is_in_the_table_and_ships_with_a_value_it_takes() -> None:
    shipped = default_axes(CONF)
    scalars = {name for name in shipped if not (CONF / name).is_dir() and "/" not in name}
    assert scalars == set(SETTINGS)
    for name in scalars:
        check_setting(name, shipped[name])


@pytest.mark.parametrize(
    ("words", "times"),
    [
        ([], 1),
        (["-m"], 1),
        (["--config-dir", "own"], 1),
        (["hydra.mode=RUN"], 2),
        (["--config-dir", "theirs"], 2),
        (["--config-name", "config"], 2),
    ],
)
def test_a_call_is_composed_once_where_nothing_sets_hydras_mode(
    refused: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], times: int
) -> None:
    for name, mode in (("own", ""), ("theirs", "hydra: {mode: MULTIRUN}\n")):
        (tmp_path / name / "block").mkdir(parents=True)
        (tmp_path / name / "block" / "mine.yaml").write_text(f"# @package _global_\n{mode}")
    composed: list[Any] = []
    load = ConfigLoaderImpl.load_configuration
    monkeypatch.setattr(ConfigLoaderImpl, "load_configuration", lambda *a, **k: composed.append(a) or load(*a, **k))
    assert "max_consecutive_failures=0" in refused("max_consecutive_failures=0", *words)
    assert len(composed) == times


def test_a_study_of_ones_own_may_ask_for_a_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own" / "study").mkdir(parents=True)
    study = "study: {name: mine, question: Which, grid: [{block: [plain, residual]}], seeds: [0], fixed: {depth: 8}}\n"
    text = f"# @package _global_\nhydra: {{mode: MULTIRUN}}\n{study}"
    (tmp_path / "own" / "study" / "mine.yaml").write_text(text)
    monkeypatch.setattr(sys, "argv", ["run.py", "--config-dir", "own", "study=mine", "plan=true", "tracker=none"])
    command_line()
    assert "2 to train" in capsys.readouterr().out
