"""Every study in conf/study can be planned: it composes, its claims name single cells and what these measure.

Its cost is what it plans, and what it came to.
"""

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf

from ablations.analysis.cell_selection import select
from ablations.analysis.claim_checks import names_single_cells
from ablations.analysis.claim_schema import check_claims
from ablations.analysis.results import result_rows
from ablations.analysis.verdicts import judge
from ablations.catalog.choices import config_files
from ablations.catalog.claims_page import typed
from ablations.plan.plan import Cell, Plan
from ablations.question.references import LITERATURE, named, references
from ablations.question.search_space import Search, read_search
from ablations.report.table import cell_texts, in_markdown
from ablations.report.terminal import shared_choices
from lightning_modules.networks.counting import multiply_adds, on_meta, parameters
from sweeps.compose.arguments import Arguments, parse
from sweeps.compose.compose import Composer
from sweeps.planning import make_plan
from sweeps.preflight import instantiate, recipe_of
from sweeps.question import Question, resolve_question
from sweeps.search import Searching, open_search

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results"
STUDIES = {
    name: yaml.load(path.read_text(), yaml.CSafeLoader)["study"]
    for name, path in config_files(ROOT / "conf/study").items()
}
STUDIES = {name: study for name, study in STUDIES.items() if "tables" not in study}  # which train nothing
SMALL = [name for name in STUDIES if "/" not in name]
NATURAL = [  # other data than digits, for two cores all the same
    name for name, study in STUDIES.items() if "/" in name and study["cost"]["cpu_minutes"]
]
LARGE = [name for name in STUDIES if name not in (*SMALL, *NATURAL)]
TABLES = {
    name for name, study in STUDIES.items() if not study.get("claims") and "space" not in study
}  # for simulations
FOLDERS = {"cifar10": "cifar", "image_folder": "imagenet"}
FOLDERS |= {name: name for name in ("mnist", "fashion_mnist", "shakespeare")}
FOLDERS = {data: (folder, f"{folder}_small") for data, folder in FOLDERS.items()}
SHARED = ROOT.parent / "shared" / "references.yaml"
# What claims were made about: where a study has other images, its claims say which.
IMAGES = ("language models", "CIFAR-10", "ImageNet", "MNIST", "Shapeset", "music and text")
DATA = {"cifar10": "CIFAR-10", "image_folder": "ImageNet", "mnist": "MNIST", "fashion_mnist": "Fashion-MNIST"}
DATA |= dict.fromkeys(("in_house", "deepseek", "dolma", "fineweb_edu"), "language models")
LONG_PLANS = [pytest.param(name, marks=pytest.mark.long) if name in TABLES else name for name in STUDIES]
CLAIMS = [(name, claim) for name, study in STUDIES.items() for claim in study.get("claims") or []]


def page_of(study: str) -> Path:
    return RESULTS / f"{study}.md"


@dataclass
class Asked:
    question: Question
    plan: Plan
    search: Search | None


@pytest.fixture(scope="module")
def asked() -> Iterator[Callable[[str], Asked]]:
    """A study as a sweep would plan it, but that neither data nor devices are looked for."""
    known: dict[str, Asked] = {}
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        composer = Composer(loader, loader.load_configuration("config", [], run_mode=RunMode.MULTIRUN))

        def ask_for(name: str) -> Asked:
            if name not in known:
                study = OmegaConf.load(ROOT / "conf" / "study" / f"{name}.yaml").study
                question = resolve_question(Arguments(), OmegaConf.create({"study": study}))
                plan = make_plan(question, Arguments(), composer)
                search = read_search(question.study) if question.study.get("space") else None
                known[name] = Asked(question, plan, search)
            return known[name]

        yield ask_for


@pytest.mark.parametrize("name", LONG_PLANS)
def test_a_study_plans_what_it_says_it_costs(name: str, asked: Callable[[str], Asked]) -> None:
    study = asked(name)
    assert not study.plan.invalid
    cells = len(study.plan.cells)
    least = most = sum(len(cell.runs) for cell in study.plan.cells)
    most += sum(len(cell.further) for cell in study.plan.cells)
    if study.search is not None:
        least = cells * (study.search.trials * len(study.search.seeds) + study.search.top * len(study.search.fresh))
        most = least
    assert 0 < least <= study.question.study["cost"]["runs"] <= most


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name, marks=[pytest.mark.long] if name in TABLES or (name in LARGE and "search_" not in name) else []
        )
        for name in STUDIES
    ],
)
def test_what_a_study_would_train_can_be_built(name: str, asked: Callable[[str], Asked]) -> None:
    for cell in telling(asked(name).plan.cells):
        made = on_meta(lambda node=cell.run.config["network"]: instantiate(node))
        assert parameters(made) > 0
        assert recipe_of(cell.run.config["recipe"]).total_steps(10) > 0


def telling(cells: list[Cell]) -> Iterator[Cell]:
    """Cells in which together every value of every axis is seen; but nets so deep that building takes seconds."""
    seen: set[tuple[str, str]] = set()
    for cell in cells:
        values = {(axis, str(value)) for axis, value in cell.run.axes.items()}
        if not values <= seen and cell.run.axes["depth"] < 1000:
            yield cell
        seen |= values


@pytest.mark.parametrize("name", LONG_PLANS)
def test_the_claims_of_a_study_name_its_cells(name: str, asked: Callable[[str], Asked]) -> None:
    study = asked(name)
    rows = result_rows(study.plan.as_json(), {})
    claims = study.question.study.get("claims") or []
    assert [claim["says"] for claim in claims if not names_single_cells(claim, rows, study.question.study)] == []


@pytest.mark.parametrize("name", [name for name in STUDIES if page_of(name).exists()])
def test_a_page_of_results_is_of_what_its_command_plans(name: str, asked: Callable[[str], Asked]) -> None:
    """Of the same setting, but for what was typed, and of the same cells in this order."""
    plan, page = asked(name).plan.as_json(), page_of(name).read_text()
    words = [word.replace("'", "") for word in shlex.split(typed(page))[4:]]
    shared = [f"{axis}={value}" for axis, value in shared_choices(plan).items()]
    assert in_markdown(f"With {' '.join([*shared, *words])}.") in page.splitlines()
    swept, cells = cell_texts(result_rows(plan, {}), [])
    head, *lines = (
        [cell.strip(" *") for cell in line.split("|")][1:] for line in page.splitlines() if line[:2] == "| "
    )
    assert [line[: len(swept)] for line in (head, *lines)] == [[*map(in_markdown, line)] for line in (swept, *cells)]


@pytest.mark.parametrize("name", sorted({name for name, claim in CLAIMS if claim["metric"] in ("params", "macs")}))
def test_published_counts_are_those_of_our_networks(name: str, asked: Callable[[str], Asked]) -> None:
    study = asked(name)
    plan, counted = study.plan, [claim for claim in STUDIES[name]["claims"] if claim["metric"] in ("params", "macs")]
    rows = result_rows(plan.as_json(), {})
    for claim in counted:
        (row,) = select(claim["cell"], rows)
        (cell,) = [cell for cell in plan.cells if cell.run.cell == row.cell]
        config = cell.run.config
        network = on_meta(lambda node=config["network"]: instantiate(node))
        if claim["metric"] == "params":
            cell.params = parameters(network)
        else:
            cell.macs = multiply_adds(network, (config["data"]["channels"], *2 * [config["data"]["size"]]))
    verdicts = judge({**plan.as_json(), "study": {**plan.study, "claims": counted}}, {})
    assert [verdict.outcome for verdict in verdicts] == ["supported"] * len(counted), verdicts


@pytest.mark.parametrize("name", [*SMALL, *NATURAL])
def test_a_small_study_ends_in_minutes(name: str) -> None:
    assert 0 < STUDIES[name]["cost"]["cpu_minutes"] <= (120 if name in {*TABLES, *NATURAL} else 20)
    assert set(STUDIES[name]["cost"]) == {"runs", "cpu_minutes", "gpu_minutes"}


@pytest.mark.parametrize("name", [n for n, study in STUDIES.items() if "space" not in study and page_of(n).exists()])
def test_a_study_costs_as_many_runs_as_its_page_has(name: str) -> None:
    """Within a third: a study is asked again, and its claims are then decided by more or fewer seeds."""
    found = re.search(r"^- (\d+) runs?, .* minutes of training in all$", page_of(name).read_text(), re.MULTILINE)
    assert found
    assert int(found[1]) == pytest.approx(STUDIES[name]["cost"]["runs"], rel=1 / 3)


def test_a_study_has_a_size_for_two_cores_and_one_for_a_gpu() -> None:
    small = {name.rpartition("/")[2] for name in {*SMALL, *NATURAL} - TABLES}
    assert sorted(name.rpartition("/")[2] for name in set(LARGE) - TABLES) == sorted(small)


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_is_called_as_its_file_and_lies_in_the_folder_of_its_data(name: str) -> None:
    assert STUDIES[name]["name"] == name
    data, folder = STUDIES[name]["fixed"]["data"], name.rpartition("/")[0]
    assert folder in FOLDERS[data] if folder else data in ("digits", "synthetic")


@pytest.mark.parametrize("path", sorted((ROOT / "conf").rglob("*.yaml")), ids=lambda path: path.stem)
def test_a_file_reads_from_top_to_bottom(path: Path) -> None:
    """No anchor, no alias, no merge: a claim says all that it says in its own lines."""
    named = [event for event in yaml.parse(path.read_text()) if getattr(event, "anchor", None)]
    assert not named


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_says_in_a_sentence_what_to_expect(name: str) -> None:
    expected = STUDIES[name]["expect"]
    assert re.fullmatch(r"[A-Z0-9][^\n]*[^.]\.", expected)
    assert len(expected) <= 120


@pytest.mark.parametrize(("name", "claim"), CLAIMS, ids=str)
def test_a_claim_says_whose_it_is_and_of_which_images(name: str, claim: dict[str, Any]) -> None:
    assert claim["source"]
    if STUDIES[name]["fixed"]["data"] == "digits" and not claim["source"].startswith("ours"):
        assert any(images in claim["source"] for images in IMAGES)


@pytest.mark.parametrize(("name", "claim"), [(n, c) for n, c in CLAIMS if "reference" in c], ids=str)
def test_on_other_data_only_the_direction_of_a_published_number_is_judged(name: str, claim: dict[str, Any]) -> None:
    if claim["metric"] in ("params", "macs"):
        return
    for key in named(claim["reference"]):
        published_on = references()[key].data
        if published_on != STUDIES[name]["fixed"]["data"]:
            assert str(claim["expect"]) in ("> 0", "< 0")
            assert DATA.get(published_on, "") in claim["source"]


@pytest.mark.parametrize(
    ("name", "claim"), [(n, c) for n, c in CLAIMS if isinstance(c.get("reference"), dict)], ids=str
)
def test_a_claim_expects_what_was_published(name: str, claim: dict[str, Any]) -> None:
    (read,) = check_claims({"claims": [claim]})
    assert read.published is not None
    assert read.hypotheses[0].holds(read.published.mean)


def test_the_literature_is_what_claims_need_or_says_where_it_was_read() -> None:
    used = {key for _, claim in CLAIMS if "reference" in claim for key in named(claim["reference"])}
    assert used <= set(references())
    assert {key for key, number in references().items() if not number.read} <= used
    assert all(len(path.read_text().splitlines()) <= 30 for path in LITERATURE.glob("*.yaml"))


@pytest.mark.skipif(not SHARED.exists(), reason="the collection of published numbers is not on this machine")
def test_published_numbers_are_as_collected() -> None:
    there = {one["key"]: one for one in yaml.safe_load(SHARED.read_text())["refs"]}
    for key, here in references().items():
        if here.read and key not in there:
            continue
        assert {field: getattr(here, field) for field in ("value", "unit", "n", "level")}.items() <= there[key].items()
        assert here.level != "memory"


def test_the_blocks_that_are_compared_are_matched_in_parameters(asked: Callable[[str], Asked]) -> None:
    matched = [
        cell for cell in asked("blocks").plan.cells if any(point["budget"] == "matched" for point in cell.points)
    ]
    assert len(matched) >= 18
    counts = [parameters(on_meta(lambda node=cell.run.config["network"]: instantiate(node))) for cell in matched]
    assert min(counts) >= 0.98 * max(counts)


@pytest.mark.long
def test_a_search_on_other_data_is_another_search(tmp_path: Path, asked: Callable[[str], Asked]) -> None:
    """`asked` has made Hydra ready."""
    found = []
    words = [
        "data=arrays",
        "data.channels=1",
        "data.size=8",
        "data.classes=2",
        "data.held_out=4",
        "study=search_budget",
    ]
    loader = GlobalHydra.instance().config_loader()
    for name in ("a", "b", "a"):
        (tmp_path / name).mkdir(exist_ok=True)
        images, labels = np.full((12, 8, 8, 1), ord(name), np.uint8), np.arange(12) % 2
        split = {"train_images": images, "train_labels": labels, "test_images": images, "test_labels": labels}
        np.savez(tmp_path / name / "arrays.npz", **split)
        typed_words = [*words, f"data_dir={tmp_path / name}", f"runs={tmp_path}"]
        master = loader.load_configuration("config", typed_words, run_mode=RunMode.MULTIRUN)
        typed = parse(typed_words, loader)
        question = resolve_question(typed, master)
        search = open_search(question.study, typed)
        searching = Searching(question.study, search, question.whole_points, Composer(loader, master, typed.rest))
        found.append([*searching.points])
    assert found[0] == found[2] != found[1]
