"""Skipbench from Python: the same runs and the same sentences as on the command line, and nothing left behind."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

import skipbench
from ablations.__main__ import main
from ablations.records.lease import held, holder
from ablations.records.record import read_record
from tests.pages import FILES, TEXTS
from tests.typed import ROOT, typed

QUICK = ("recipe.epochs=1", "tracker=none")
BASIC = "hydra/launcher=basic"  # the notebook and the wheel have workers of their own
PACKAGES = "ablations", "conf", "hydra_plugins", "lightning_modules", "sweeps", "skipbench.py"
BESIDE = ["LICENSE", "README.md", "pyproject.toml"]
OWN = """\
from lightning_modules.networks.blocks import Residual


class Mine(Residual):
    def __init__(self, c_in, c_out, stride, *, alpha, **parts):
        super().__init__(c_in, c_out, stride, **parts)
        self.alpha = alpha

    def join(self, x, fx):
        return self.alpha * fx + self.shortcut(x)
"""
YAML = "defaults: [residual, _self_]\n_target_: mine.Mine\nalpha: 0.5\n"
PAGE = "docs/python.md"


def state() -> dict[str, Any]:
    """What a process could find changed behind its back."""
    return {
        "signals": [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)],
        "warnings": list(warnings.filters),
        "hydra": (GlobalHydra.instance().is_initialized(), id(GlobalHydra.instance().hydra), HydraConfig.initialized()),
        "resolvers": [OmegaConf.has_resolver(name) for name in ("folder", "choices")],
        "folder": (os.getcwd(), list(sys.argv), list(sys.path), dict(os.environ)),
        "torch": (torch.get_default_dtype(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()),
        "random": (torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()),
    }


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the records of two blocks, one of them under two versions of its code."""
    place = tmp_path_factory.mktemp("python")
    (place / "own" / "block").mkdir(parents=True)
    (place / "own" / "mine.py").write_text(OWN)
    (place / "own" / "block" / "mine.yaml").write_text(YAML)
    words = ["-m", "--config-dir", "own", *QUICK, BASIC, "block=plain,mine", "depth=8", "seed=0,1,2"]
    done = typed(*words, at=place)
    assert done.returncode == 0, done.stderr
    (place / "own" / "mine.py").write_text(OWN.replace("self.alpha * fx", "0 * fx"))
    return place


@pytest.fixture(scope="module")
def study(place: Path) -> Any:
    """The study after the change, trained from Python."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        words = ("--config-dir", "own", *QUICK, BASIC)
        return skipbench.sweep(*words, quiet=True, block=["plain", "mine"], depth=[8], seed=range(3))


def test_importing_it_imports_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import skipbench; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    found = {name.partition(".")[0] for name in eval(done.stdout)}
    assert found - set(sys.stdlib_module_names) == {"skipbench"}


def test_a_run_is_that_of_the_command_line_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("block=plain", "depth=8", "seed=4", *QUICK)
    assert typed(*words, "runs=typed", at=tmp_path).returncode == 0
    monkeypatch.chdir(tmp_path)
    torch.set_default_dtype(torch.float64)  # as a notebook may have done
    try:
        with hydra.initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            before = state()
            first = skipbench.run(*words, quiet=True)
            network = skipbench.build("block=plain", "depth=8", seed=4)
            again = skipbench.run("block=plain", "recipe.epochs=1", depth=8, seed=4, tracker="none", quiet=True)
            assert state() == before
    finally:
        torch.set_default_dtype(torch.float32)
    (path,) = tmp_path.glob("typed/*/record.json")
    asked = read_record(path)
    assert first.data["identity"] == again.data["identity"] == asked["identity"]
    assert first.metrics == asked["metrics"]
    assert first.data["provenance"]["finished"] == again.data["provenance"]["finished"]
    assert sum(one.numel() for one in network.parameters()) == asked["params"]
    assert first.curve().val_error.tolist()[-1] == first.metrics["val_error"]
    assert first.label in first._repr_html_()


def test_a_built_network_has_the_weights_that_a_run_begins_with() -> None:
    one, other = (skipbench.build("depth=8", seed=seed).state_dict() for seed in (3, 4))
    assert not all(torch.equal(one[name], other[name]) for name in one)
    with hydra.initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        from sweeps.training import build

        config = hydra.compose("config", ["depth=8", "seed=3"])
        begun = build(config).network.state_dict()
    assert all(torch.equal(one[name], begun[name]) for name in one)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: skipbench.run("depth=21"), "depth=21 is not 6n+2; the nearest are 20 and 26"),
        (lambda: skipbench.build(depth=21), "depth=21 is not 6n+2; the nearest are 20 and 26"),
        (lambda: skipbench.build(blok="plain"), "there is no setting 'blok'; did you mean block?"),
        (lambda: skipbench.sweep(study="shortcut"), "did you mean shortcuts?"),
        (lambda: skipbench.sweep(depth=[]), "depth has no value"),
        (lambda: skipbench.run("-m", "depth=8"), "write skipbench.sweep"),
        (lambda: skipbench.run(8), "8 is not a word"),  # pyright: ignore[reportArgumentType]
        (lambda: skipbench.sweep("plan=true", "block=plain", "depth=8", "seed=0"), "trains nothing"),
        (lambda: skipbench.study("headline"), "has not been run"),
        (lambda: skipbench.records("nowhere"), "there is no folder nowhere"),
    ],
)
def test_a_mistake_is_a_value_error_with_the_sentence(
    call: Any, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"\w") as error:
        call()
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_run_that_failed_is_a_record_and_no_error(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    breaks = "1 / float(x.grad_fn is None)\n        return self.alpha"  # as soon as there is a gradient
    broken = OWN.replace("Mine", "Broken").replace("return self.alpha", breaks)
    (place / "own" / "broken.py").write_text(broken)
    (place / "own" / "block" / "broken.yaml").write_text(YAML.replace("mine.Mine", "broken.Broken"))
    monkeypatch.chdir(place)
    record = skipbench.run("--config-dir", "own", "block=broken", "depth=8", "runs=failed", *QUICK, quiet=True)
    assert (record.status, record.cause) == ("failed", "error: float division by zero")
    (row,) = skipbench.records("failed").itertuples()
    assert (row.status, row.cause) == ("failed", record.cause)


def test_a_sweep_reuses_what_the_command_line_has_trained(place: Path, study: Any) -> None:
    assert len(list(place.glob("runs/plain*/record.json"))) == 3
    assert len(list(place.glob("runs/mine*/record.json"))) == 6
    assert study.table().n.tolist() == [3, 3]


def test_data_frames_hold_what_the_records_say(place: Path, study: Any) -> None:
    frame = skipbench.records(place / "runs")
    assert len(frame) == 9
    row = frame.iloc[0]
    record = read_record(place / "runs" / row.folder / "record.json")
    assert row.test_error == record["metrics"]["test_error"]
    assert (row.params, row.git, row.status) == (record["params"], record["provenance"]["git"], "finished")
    assert set(study.records().folder) < set(frame.folder)
    assert study.table().test_error_mean.tolist() == pytest.approx(
        study.records().groupby("block", sort=False).test_error.mean().tolist()
    )
    curves, inside = skipbench.curves(place / "runs"), skipbench.diagnostics(place / "runs")
    assert len(curves) == 9
    assert sorted(set(inside.block_number)) == [0, 1, 2, 3]
    assert set(inside.block) == {"plain", "mine"}
    assert inside.query("block_number > 0").gradient_norm.notna().all()


def test_a_damaged_record_is_a_warning_and_the_rest_is_read(place: Path, tmp_path: Path) -> None:
    (good, *_) = place.glob("runs/plain*/record.json")
    for name in (good.parent.name, "damaged"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "record.json").write_text(good.read_text()[: None if name != "damaged" else 40])
    with pytest.warns(UserWarning, match="damaged"):
        assert len(skipbench.records(tmp_path)) == 1


def test_a_study_shows_itself(study: Any, tmp_path: Path) -> None:
    assert study.figure()._repr_svg_().startswith("<svg")
    assert "mine" in study._repr_html_()
    assert "2 cells, 6 runs" in repr(study)
    study.figure("curves").save(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    study.figure("curves").save(tmp_path / "curves.pdf")
    assert (tmp_path / "curves.pdf").read_bytes().startswith(b"%PDF")
    with pytest.raises(ValueError, match="did you mean curves"):
        study.figure("curve")
    with pytest.raises(ValueError, match=r"ends in \.svg, \.png, \.pdf"):
        study.figure().save("curves.jpeg")


def test_what_a_record_says_is_text_in_html(place: Path) -> None:
    (path, *_) = place.glob("runs/plain*")
    from ablations.notebook import Record

    data = read_record(path / "record.json") | {"cause": "<script>"}
    assert "<script>" not in Record(path, data)._repr_html_()


def test_the_runs_of_a_study_as_csv_are_those_of_the_data_frame(
    place: Path, study: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", study.name, "--runs", str(place / "runs"), "--format"]
    assert main([*words, "csv", "--rows", "runs"]) == 0
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    frame = study.records()
    assert list(lines[0]) == list(frame.columns)
    assert [float(line["test_error"]) for line in lines] == frame.test_error.tolist()
    assert main([*words, "md", "--rows", "runs"]) == 1
    assert "--rows runs is for --format csv" in capsys.readouterr().err


def test_old_and_new_code_of_a_block_are_compared(place: Path, study: Any, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compare", study.name, "--runs", str(place / "runs")]
    assert main([*words, "--code", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (pair,) = found["pairs"]
    assert pair["cell"] == {"block": "mine"}
    frame = skipbench.records(place / "runs").query("block == 'mine'").sort_values("finished")
    before, after = frame[:3].test_error.mean(), frame[3:].test_error.mean()
    assert (pair["first"], pair["second"]) == pytest.approx((before, after))
    assert pair["estimate"] == pytest.approx(after - before)
    assert pair["n"] == 3
    assert "mine.py" in found["notes"][0]
    name = found["notes"][0].partition("mine.py ")[2][:8]
    assert main([*words, "--code", name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pairs"] == found["pairs"]
    assert main([*words, "--code", "0000000"]) == 1
    assert name in capsys.readouterr().err


def run_cells(cells: list[str], at: Path) -> list[str]:
    (at / "cells.json").write_text(json.dumps(cells))
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-W", "error", str(ROOT / "tests" / "cells.py"), "cells.json"]
    done = subprocess.run(words, cwd=at, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_training_ends_with_the_program_that_asked_for_it(sent: signal.Signals, tmp_path: Path) -> None:
    code = f"import skipbench; skipbench.run('depth=8', 'recipe.epochs=100000', {QUICK[1]!r})"
    words, env = [sys.executable, "-c", code], os.environ | {"PYTHONPATH": str(ROOT)}
    caller = subprocess.Popen(words, cwd=tmp_path, env=env, start_new_session=True, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 120
    while not list(tmp_path.glob("runs/*/last.ckpt")) and time.monotonic() < until:
        time.sleep(0.1)
    (folder,) = tmp_path.glob("runs/*")
    trained_by = holder(folder)["pid"]
    caller.send_signal(sent)
    try:
        _, said = caller.communicate(timeout=60)
        while held(folder) and time.monotonic() < until:
            time.sleep(0.1)
        assert not held(folder)
    finally:
        with suppress(ProcessLookupError):
            os.kill(trained_by, signal.SIGKILL)
    assert (folder / "last.ckpt").exists()
    assert said.rstrip().endswith("KeyboardInterrupt") == (sent == signal.SIGINT)


@pytest.mark.slow
@pytest.mark.long
def test_every_python_block_of_the_page_runs(tmp_path: Path) -> None:
    cells = re.findall(r"```python\n(.*?)```", TEXTS[PAGE], re.DOTALL)
    assert len(cells) >= 6
    shown = run_cells(cells, tmp_path)
    assert shown[-1].startswith("depth=21 is not 6n+2")
    assert "torch.Size([1, 10])" in "".join(shown)
    assert (tmp_path / "curves.svg").exists()
    assert set(FILES[PAGE]) == {"own/study/thin.yaml"}


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path) -> None:
    notebook = json.loads((ROOT / "examples" / "notebook.ipynb").read_text())
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert not any(cell.get("outputs") for cell in notebook["cells"])
    shown = run_cells([cell.replace("EPOCHS = 10", "EPOCHS = 1") for cell in cells], tmp_path)
    assert shown[1].startswith("<b>plain")
    assert any(one.startswith("<svg") for one in shown)
    assert "supported" in shown[-2] or "inconclusive" in shown[-2]
    assert "<table>" in shown[-1]


@pytest.mark.slow
def test_it_works_from_a_wheel_in_another_folder(tmp_path: Path) -> None:
    """Which holds all that lies in the packages; and a `run.py` in that folder is not taken for ours."""
    source, there, work = (tmp_path / name for name in ("source", "there", "work"))
    made_of = ["git", "ls-files", "-co", "--exclude-standard", *PACKAGES, *BESIDE]
    listed = subprocess.run(made_of, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    names = [name for name in listed if (ROOT / name).is_file()]
    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", there, str(source)], check=True, cwd=tmp_path, capture_output=True)
    assert [name for name in names if not (there / name).is_file()] == BESIDE
    assert {Path(name).suffix for name in names} >= {".yaml", ".csv", ".npz", ".html", ".css", ".js"}
    work.mkdir()
    (work / "run.py").write_text("raise SystemExit('somebody else')")
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(there), sysconfig.get_paths()["purelib"]])}

    def without_site(*words: object) -> list[str]:
        call = [sys.executable, "-S", *map(str, words)]
        done = subprocess.run(call, cwd=work, env=env, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.split()

    without_site(there / "bin" / "skipbench", "-m", "block=plain", "depth=8", "seed=0", "workers=1", *QUICK)
    code = (
        "import skipbench; print(skipbench.__file__, skipbench.build('depth=8').training, *skipbench.records().status)"
    )
    file, *rest = without_site("-c", code)
    assert Path(file).parent == there
    assert rest == ["True", "finished"]
    (record,) = work.glob("runs/*/record.json")
    assert json.loads(record.read_text())["provenance"]["command"].startswith("skipbench -m ")
