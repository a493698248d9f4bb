"""The fast way from overrides to a run is Hydra's way, and a large plan is checked as far as there is time."""

import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import OmegaConf

from ablations.plan.plan import Cell
from ablations.question.study import Point
from sweeps.compose.arguments import parse
from sweeps.compose.compose import Composer, config_of, is_active, plain_tree, run_of
from sweeps.compose.fast_compose import FastComposer
from sweeps.validate import estimate, new_values_first

ROOT = Path(__file__).parents[3]
POINTS = [
    [],
    ["block=highway", "gate_bias=-3", "seed=4"],
    ["block=plain", "shortcut=C", "depth=56", "width=2"],
    ["norm=group", "activation=gelu", "init=orthogonal"],
    ["recipe.lr=0.05", "recipe.weight_decay=0", "recipe.epochs=3"],
    ["optimizer=adamw", "recipe.lr=1e-3", "+optimizer.betas=[0.8,0.9]"],
    ["data=cifar10", "depth=20"],
    ["network=dense", "depth=3"],
    ["data=cifar10", "recipe=he2015", "recipe.steps=100"],
    ["recipe=d2l", "data=fashion_mnist", "norm=none"],
    ["recipe=base", "recipe.epochs=3", "recipe.steps=null"],
    ["block.gate_kernel=3", "block=highway"],
    ["+optimizer.dampening=0.5"],
    ["++seed=3"],
    ["optimizer={lr:0.3}"],
    ["tracker=none", "trainer=cpu", "runs=elsewhere", "hydra.sweep.subdir=here", "workers=3"],
    ["data.classes=7", "data.size=16"],
    ["data=digits_rows", "depth=3"],
    ["data.channels=null", "data.size=[8,8]", "data.classes=null"],
    ["block._target_=lightning_modules.networks.blocks.Plain", "depth=14"],
]

AXES = ["shortcut", "gate_bias", "optimizer", "trainer", "depth", "block.gate_kernel", "block.nosuch", "recipe.lr"]


@pytest.fixture(scope="module")
def composer() -> Iterator[Composer]:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        yield Composer(loader, loader.load_configuration("config", [], run_mode=RunMode.MULTIRUN))


def by_hydra(composer: Composer, point: Point) -> dict[str, Any]:
    made = composer(point)
    return asdict(run_of(made, made.hydra))


@pytest.mark.parametrize("overrides", POINTS, ids=" ".join)
def test_the_fast_way_is_hydras(composer: Composer, overrides: list[str]) -> None:
    typed = parse(overrides, composer.loader)
    composer = Composer(composer.loader, composer.master, typed.rest)
    fast = FastComposer(composer)
    assert asdict(fast(typed.chosen).run) == by_hydra(composer, typed.chosen)
    made = composer(typed.chosen)
    for axis in (*AXES, *(axis for axis in typed.chosen if axis[0] not in "+~")):
        assert fast.is_active(axis, typed.chosen) == is_active(axis, made), axis
        assert fast.node(axis, typed.chosen) == plain_tree(made).get(axis), axis
    fast({**typed.chosen, "depth": 8})
    again = {**typed.chosen, "depth": 14}  # of a kind that has been compared: nothing but plain data decides
    assert asdict(fast(again).run) == by_hydra(composer, again)
    assert fast(again).run.identity == run_of(composer(again), composer(again).hydra).identity


def test_choices_that_choose_for_others_are_composed_whole(composer: Composer) -> None:
    fast = FastComposer(composer)
    for block in ("plain", "residual", "highway"):
        for recipe in ("base", "he2015", "highway2015", "digits_quick"):
            for norm in ("batch", "none"):
                asked = {"block": block, "recipe": recipe, "norm": norm, "depth": 8}
                assert asdict(fast(asked).run) == by_hydra(composer, asked)


def test_a_file_is_read_once_and_each_configuration_has_what_it_holds(
    composer: Composer, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, master = OmegaConf.load, composer.master
    read: list[str] = []
    monkeypatch.setattr(OmegaConf, "load", lambda file: read.append(Path(file.name).name) or load(file))
    loader = Composer(GlobalHydra.instance().config_loader(), master).loader
    composed = [loader.load_sweep_config(master, words) for words in (["depth=8", "block=plain"], [])]
    assert read.count("config.yaml") == read.count("plain.yaml") == read.count("residual.yaml") == 1
    assert [one.depth for one in composed] == [8, 20]
    assert composed[1] == composer({}), "nothing is left of the one before"


def test_a_mistake_is_hydras_to_name(composer: Composer) -> None:
    fast = FastComposer(composer)
    for wrong in ({"dpth": 8}, {"block": "nosuch"}, {"recipe.lrr": 1}):
        with pytest.raises(Exception, match=r"dpth|nosuch|lrr"):
            fast(wrong)


def test_what_a_choice_sets_for_the_training_goes_with_its_runs(composer: Composer, tmp_path: Path) -> None:
    recipe = "# @package _global_\ndefaults: [digits_quick@recipe]\nmicro_batch: 32\n"
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / "small.yaml").write_text(recipe)
    here = [f"hydra.searchpath=['file://{tmp_path}']"]
    master = composer.loader.load_configuration("config", here, run_mode=RunMode.MULTIRUN)
    fast = FastComposer(Composer(composer.loader, master))
    for depth in (8, 14):
        run, settings = fast({"recipe": "small", "depth": depth})
        assert settings["micro_batch"] == 32
        made = config_of(master, run, settings=settings, overrides=[], threads=1)
        assert (made.micro_batch, made.trainer.most_threads) == (32, 1)
        assert made.network.depth == depth
    run, settings = fast({"recipe": "digits_quick", "depth": 8})
    assert (settings, config_of(master, run, settings={}, overrides=[], threads=1).micro_batch) == ({}, None)


def cells(grid: list[dict[str, Any]]) -> list[Cell]:
    return [Cell(SimpleNamespace(axes=axes), [axes], []) for axes in grid]  # type: ignore[arg-type]


def test_every_value_is_shown_early_and_no_cell_is_lost() -> None:
    grid = cells([{"depth": d, "width": w, "norm": n} for d in range(10) for w in range(10) for n in "ab"])
    order = new_values_first(grid)
    assert {id(cell) for cell in order} == {id(cell) for cell in grid}
    head = order[:20]
    for axis, count in (("depth", 10), ("width", 10), ("norm", 2)):
        assert len({cell.run.axes[axis] for cell in head}) == count


def test_costs_of_what_was_not_built_follow_from_what_was() -> None:
    grid = cells([{"depth": d, "width": w} for d in (8, 20, 56) for w in (1, 2, 4)])
    true = [1000 * cell.run.axes["depth"] * cell.run.axes["width"] ** 2 for cell in grid]
    for cell, cost in zip(grid, true, strict=True):
        cell.cost = cost
    unknown = cells([{"depth": 56, "width": 4}, {"depth": 8, "width": 1}, {"depth": 20, "width": 99}])
    estimate(grid, unknown)
    assert unknown[0].cost == pytest.approx(true[-1], rel=1e-3), "costs are products here, and so found exactly"
    assert unknown[1].cost == pytest.approx(true[0], rel=1e-3)
    assert math.isfinite(unknown[2].cost)


def test_a_class_of_ones_own_is_what_the_run_is_called(composer: Composer) -> None:
    target = {"block._target_": "lightning_modules.networks.blocks.ReZero"}
    made, shipped = composer({**target, "depth": 8}), composer({"depth": 8})
    found, plain = run_of(made, made.hydra), run_of(shipped, shipped.hydra)
    assert found.axes == plain.axes | {"block": "ReZero"}
    assert found.label == "ReZero-A-batch-d8-s0"
    again = composer({"depth": 8, **target})
    assert run_of(again, again.hydra).identity == found.identity != plain.identity
