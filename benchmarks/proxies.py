"""Put the zero-cost proxies on trial: do they know, before training, which networks of a study will err least?

    python benchmarks/proxies.py score landscape                # no training; writes benchmarks/landscape/proxies.csv
    python benchmarks/proxies.py judge benchmarks/landscape/landscape.csv.gz --scores benchmarks/landscape/proxies.csv

`score` computes every proxy of every network and seed of a study; axes of the recipe do not change them. `judge` reads
the study's table (`python -m ablations tabulate`); it needs no scores where the runs were trained with proxies=true. It
prints, as Markdown, Spearman's ρ between each score and the test error: below zero where a higher score means fewer
errors, as it should. Partial ρ is of what the parameters, or the multiply-adds, do not tell already. A network is its
mean test error and its median score over the seeds, with each choice of the recipe, and with the one that has the
lowest validation error; a diverged run errs in all. The better half are those with the lower validation error.
Intervals are the middle 95% of 2,000 bootstrap samples of the networks.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ablations.analysis.results import PROXIES

LEARNING = ("recipe", "optimizer", "schedule", "augment", "loss", "metric", "task")  # axes that no score sees
SIZES = ("params", "macs")
DRAWS = 2000
Statistic = Callable[..., np.ndarray]


def score(study: str, words: list[str]) -> pd.DataFrame:
    """A row a network and seed of a study: its axes, its sizes, its proxies, and the processor seconds of each."""
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    from ablations.catalog.choices import CONF
    from ablations.identity.run import reached
    from ablations.question.hydra_syntax import to_overrides
    from ablations.question.seeds import seed_design
    from ablations.question.study import grid_points
    from sweeps.compose.compose import plain_tree

    rows: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    with initialize_config_dir(str(CONF), version_base="1.3"):
        asked: Any = OmegaConf.to_container(compose("config", [f"study={study}", *words]).study)
        seeds = seed_design(asked.get("seeds", [0])).first
        for point in grid_points(asked["grid"]):
            point = {axis: value for axis, value in point.items() if axis.partition(".")[0] not in LEARNING}
            chosen = {**(asked.get("fixed") or {}), **point}
            config = compose("config", [f"study={study}", *to_overrides(chosen), *words])
            active = reached(plain_tree(config), ("network", "data"))
            axes = {axis: value if axis.partition(".")[0] in active else None for axis, value in point.items()}
            if (key := tuple(axes.values())) not in rows:
                rows[key] = [{**axes, **of_seed(config, seed)} for seed in seeds]
                print(f"\r{len(rows)} networks", end="", file=sys.stderr)
    return pd.DataFrame([row for found in rows.values() for row in found])


def of_seed(config: Any, seed: int) -> dict[str, Any]:
    """The scores of one network."""
    from lightning_modules.inspection import proxies
    from lightning_modules.networks.counting import multiply_adds, parameters
    from sweeps.training import build

    config.seed = seed
    network, data, recipe = build(config)
    sizes = {"params": parameters(network), "macs": multiply_adds(network, data.shape, tokens=data.tokens)}
    seconds = {}
    for name in PROXIES:
        begun = process_time()
        sizes |= proxies.measure(network, data, recipe.learnt, seed=seed, names=[name])
        seconds[f"seconds {name}"] = process_time() - begun
    return {"seed": seed, **sizes, **seconds}


def text_of(column: pd.Series) -> pd.Series:
    """The values of an axis as text, the same however a file has them: 1, 1.0 and '1'."""
    return column.astype(object).map(lambda v: "" if pd.isna(v) else f"{v:g}" if isinstance(v, int | float) else str(v))


def networks(table: pd.DataFrame, axes: list[str], scores: pd.DataFrame | None) -> tuple[pd.DataFrame, list[str]]:
    """A row a network: `error L` for each choice L of the other axes, `best`, `val`, and the scores; and the L's.

    Args:
        table: the frame of a table of a study, a row an epoch.
        axes: those of the table.
        scores: as `score` returns them; None: the columns of the table.

    Raises:
        ValueError: the scores are of another study.
    """
    last = table[table.status.isin(["finished", "diverged"])].sort_values("epoch").groupby("identity", observed=True)
    runs = last.tail(1).copy()
    for name in ("val_error", "test_error"):
        runs[name] = runs[name].where(runs.status == "finished", 100.0)
    own = [axis for axis in axes if axis.partition(".")[0] not in LEARNING]
    rest = [axis for axis in axes if axis not in own]
    runs[axes] = runs[axes].apply(text_of)
    runs["choice"] = [", ".join(f"{axis}={row[axis]}" for axis in rest) for row in runs[rest].to_dict("records")]
    means = runs.groupby([*own, "choice"])[["val_error", "test_error"]].mean().reset_index()
    best = means.loc[means.groupby(own).val_error.idxmin()].set_index(own)
    found = means.pivot(index=own, columns="choice", values="test_error").add_prefix("error ")
    found["best"], found["val"] = best.test_error, best.val_error
    if scores is not None and (lacking := [axis for axis in own if axis not in scores]):
        raise ValueError(f"the scores have no column {', '.join(lacking)}: compute those of the table's study")
    scores = runs if scores is None else scores.assign(**scores[own].apply(text_of))
    columns = [*SIZES, *(name for name in PROXIES if name in scores)]
    return found.join(scores.groupby(own)[columns].median(), how="inner"), [*means.choice.unique()]


def spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman's ρ along the last axis; nan where one side is constant."""
    x, y = (rankdata(one, axis=-1) for one in (x, y))
    x, y = (one - one.mean(axis=-1, keepdims=True) for one in (x, y))
    with np.errstate(invalid="ignore"):
        return (x * y).sum(-1) / np.sqrt((x * x).sum(-1) * (y * y).sum(-1))


def partial(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Spearman's ρ of x and y given z: the correlation of what a line through the ranks of z leaves of their ranks."""
    xy, xz, yz = spearman(x, y), spearman(x, z), spearman(y, z)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.abs(xz) > 1 - 1e-9, np.nan, (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2)))


def better(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """How much further below zero the ρ of x and y is than that of z and y."""
    return spearman(x, y) - spearman(z, y)


def interval(statistic: Statistic, *columns: np.ndarray) -> str:
    """`−0.52 [−0.60, −0.43]` of networks with all these numbers; a dash where it does not exist."""
    known = ~np.isnan(columns).any(axis=0)
    columns = tuple(column[known] for column in columns)
    n = len(columns[0])
    found = float(statistic(*columns)) if n > 2 else np.nan
    if np.isnan(found):
        return "–"
    draws = np.random.default_rng(0).integers(n, size=(DRAWS, n))
    low, high = np.nanpercentile(statistic(*(column[draws] for column in columns)), [2.5, 97.5])
    return f"{found:.2f} [{low:.2f}, {high:.2f}]".replace("-", "−")


def report(found: pd.DataFrame, choices: list[str]) -> Iterator[str]:
    """The lines of the report."""
    values = {name: found[name].to_numpy(float) for name in found}
    names = [name for name in (*SIZES, *PROXIES) if name in found]
    half = values["val"] <= np.median(values["val"])
    for title, chosen in (("All networks", np.full(len(found), True)), ("The better half", half)):
        at = {name: column[chosen] for name, column in values.items()}
        yield f"{title}, each with its best choice of the rest (n = {chosen.sum()}):\n"
        yield "| score | ρ | ρ given params | ρ given multiply-adds | ρ less that of params | of multiply-adds |"
        yield "|---|---|---|---|---|---|"
        for name in names:
            pair = at[name], at["best"]
            cells = [interval(spearman, *pair)]
            cells += [interval(statistic, *pair, at[size]) for statistic in (partial, better) for size in SIZES]
            yield (
                f"| {name.removeprefix('proxy_')} | "
                + " | ".join(
                    "–" if name == size else cell for size, cell in zip(("", *SIZES, *SIZES), cells, strict=True)
                )
                + " |"
            )
        yield ""
    yield "Spearman's ρ with each choice of the rest, all networks, and given params:\n"
    yield "| score | " + " | ".join(choices) + " |\n|---|" + "---|" * len(choices)
    for name in names:
        errors = [values[f"error {choice}"] for choice in choices]
        cells = [
            f"{interval(spearman, values[name], y)}; {interval(partial, values[name], y, values['params'])}"
            for y in errors
        ]
        yield f"| {name.removeprefix('proxy_')} | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    scoring = kinds.add_parser("score", help="compute the proxies of a study's networks")
    scoring.add_argument("study")
    scoring.add_argument("words", nargs="*", help="settings, as on the command line: data_dir=/data")
    scoring.add_argument("--out", type=Path)
    judging = kinds.add_parser("judge", help="compare them with what the networks reached")
    judging.add_argument("table", type=Path)
    judging.add_argument("--scores", type=Path)
    said = parser.parse_args()
    if said.kind == "score":
        import torch

        torch.set_num_threads(1)
        out = said.out or Path(__file__).parent / said.study / "proxies.csv"
        found = score(said.study, said.words)
        seconds = [name for name in found if name.startswith("seconds ")]
        out.parent.mkdir(parents=True, exist_ok=True)
        found.drop(columns=seconds).to_csv(out, index=False, lineterminator="\n")
        print(f"\nwritten: {out}, {len(found)} rows; processor seconds a network, median and most")
        for name in seconds:
            print(f"  {name.removeprefix('seconds proxy_'):10} {found[name].median():.3f} {found[name].max():.3f}")
        return
    import skipbench

    table = skipbench.table(said.table)
    scores = None if said.scores is None else pd.read_csv(said.scores)
    print("\n".join(report(*networks(table.frame, [*table.axes], scores))))


if __name__ == "__main__":
    main()
