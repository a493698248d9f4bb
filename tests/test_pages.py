"""Parse every command of the pages, and compose what it would train. test_readme.py really runs them."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from ablations.__main__ import parser
from ablations.analysis.cell_selection import BUDGET
from ablations.analysis.looking import t_critical
from ablations.analysis.statistics import ALPHA, difference_of
from ablations.search.contest import Contest
from lightning_modules.networks.counting import on_meta
from lightning_modules.training.micro_batch import classifier
from sweeps.cli.errors import sentence
from sweeps.compose.arguments import parse
from sweeps.compose.compose import Composer, run_of
from sweeps.compose.own_network import with_own_arguments
from sweeps.preflight import check, check_trainer, instantiate
from sweeps.question import resolve_question
from sweeps.search import open_search
from sweeps.searches import make_plan as searches_on_tables
from tests.pages import FILES, PAGES, ROOT, TEXTS, Command, commands, is_shown

COMMANDS = commands()
INSTALLED = re.compile(r"block=(scaled|mine)\b")  # from packages that the page installs: only test_readme.py has them
RUNS = [one for one in COMMANDS if one.text.startswith("python run.py ")]
COMPOSED = [one for one in RUNS if not one.daily and not INSTALLED.search(one.text)]
READS = [one for one in COMMANDS if one.text.startswith("python -m ablations")]


def named(one: Command) -> str:
    return f"{one.page}: {one.text}"


def test_every_command_is_of_a_kind_that_is_looked_at() -> None:
    known = re.compile(r"(python (run\.py|-m ablations|-m pytest|[\w/]+\.py)|sh [\w/]+\.sh|make|pip|cp|optuna)")
    assert [one for one in COMMANDS if not known.match(one.text)] == []
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {one.text.split()[1] for one in COMMANDS if one.text.startswith("make")} <= targets
    extras = set(re.findall(r"^([\w-]+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
    assert set(re.findall(r"skipbench\[([\w-]+)\]", "".join(TEXTS.values()))) <= extras


@pytest.mark.parametrize("one", READS, ids=named)
def test_what_reads_records_is_understood(one: Command) -> None:
    assert parser().parse_args(shlex.split(one.text)[3:]).act


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """Page → an importable folder with the files that the page shows. Hydra is initialised."""
    found, before = {}, list(sys.path)
    for page in PAGES:
        found[page] = tmp_path_factory.mktemp("page")
        for name, text in FILES[page].items():
            (found[page] / name).parent.mkdir(parents=True, exist_ok=True)
            (found[page] / name).write_text(text)
        for one in COMMANDS:  # what makes the data that a page's commands read
            if one.page == page and (script := one.text.removeprefix("python ")) in FILES[page]:
                subprocess.run([sys.executable, script], cwd=found[page], check=True, capture_output=True)
        sys.path += [str(found[page]), str(found[page] / "own")]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        yield found
    sys.path[:] = before


@pytest.mark.parametrize("one", COMPOSED, ids=named)
def test_what_would_be_trained_is_there(one: Command, places: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(places[one.page])
    try:
        look(one, places[one.page])
        said = ""
    except Exception as error:
        said = f"error: {sentence(error)}"
    assert one.refused or not said, said
    if one.refused and " -m " not in one.text:
        assert is_shown(one.shows, said)


def look(one: Command, place: Path) -> None:
    """Compose what a command asks for; also build it if the page shows an error."""
    typed = shlex.split(one.text)[2:]
    folders = [place / "conf"]
    if "--config-dir" in typed:
        k = typed.index("--config-dir")
        folders.append(place / typed[k + 1])
        del typed[k : k + 2]
    assert not [word for word in typed if word.startswith("--")]
    overrides = with_own_arguments([word for word in typed if word != "-m"])
    path = f"hydra.searchpath=[{','.join(f'file://{folder}' for folder in folders if folder.exists())}]"
    loader = GlobalHydra.instance().config_loader()
    mode = RunMode.MULTIRUN if "-m" in typed else RunMode.RUN
    config = loader.load_configuration("config", [*overrides, path], run_mode=mode)
    if mode == RunMode.MULTIRUN:
        plan(config, overrides, loader, folders)
    else:
        assert run_of(config, config.hydra).identity
        if one.refused:
            recipe = cast(Any, OmegaConf.to_container(config.recipe, resolve=True))
            check(config)
            check_trainer(config.trainer, recipe)
            classifier(on_meta(lambda: instantiate(config.network)), instantiate(recipe), 0, config.micro_batch)


def plan(config: DictConfig, overrides: list[str], loader: Any, folders: list[Path]) -> None:
    """Compose the first point of a sweep; check that every choice of the others exists."""
    typed = parse(overrides, loader)
    question = resolve_question(typed, config)
    if question.study.get("tables"):
        assert searches_on_tables(question, Contest.read(question.study)).cells
        return
    if question.study.get("space"):
        assert open_search(question.study, typed).space
    points = [{axis: value for axis, value in point.items() if axis != BUDGET} for point in question.whole_points]
    assert Composer(loader, config, typed.rest)(points[0])
    for axis, value in {pair for point in points for pair in point.items()}:
        own = any((folder / axis / f"{value}.yaml").exists() for folder in folders)
        assert own or axis not in config.hydra.runtime.choices or value in loader.get_group_options(axis)


def test_an_excerpt_is_compared() -> None:
    output = "plain  8  3   0.00 ± 0.00\nresidual 8 3 1.25 ± 0.50\n  27 records in\n runs/"
    assert is_shown("plain 8 3 0.31 ± 0.20 … 27 records in runs/", output)
    assert is_shown("residual 8 …", output)
    assert not is_shown("plain 8 4 …", output)
    assert not is_shown("26 records in runs/", output)


def test_the_worked_example_is_worked_as_the_code_does() -> None:
    text = TEXTS["docs/verdicts.md"]
    rows = [re.findall(r"[-+]?[\d.]+", line) for line in text.splitlines() if re.match(r"\| \d \|", line)]
    plus, minus, differences = ([float(row[k]) for row in rows] for k in (1, 2, 3))
    assert differences == [a - b for a, b in zip(plus, minus, strict=True)]
    effect = difference_of(differences, scale=max(plus))
    assert effect.interval is not None
    low, high = effect.interval
    p, needed = effect.p(above=True), t_critical(ALPHA / 3, 10)  # the second of four claims, looks up to ten seeds
    numbers = [f"mean {effect.mean:+.2f}", f"deviation {effect.sd:.2f}", f"p = {p:.4f}"]
    assert [number for number in numbers if number not in " ".join(text.split())] == []
    (line,) = re.findall(r"```text\n(.*)\n```", text)
    found = f"{effect.mean:+.2f} points [{low:+.2f}, {high:+.2f}], expected > 0, n 3, p {p:.2g} (needed: {needed:.2g})"
    assert line == f"train error (mean of seeds like these) {found}"
