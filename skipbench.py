"""Skipbench from Python: train, read what was trained, judge it. Words and errors are those of the command line.

    import skipbench

    skipbench.run("block=highway", "depth=8")     # train one run, or find its record
    study = skipbench.sweep(study="degradation")  # train what a study misses
    study.verdicts()                              # a data frame
    skipbench.records()                           # a row a run, of all that was trained

What a person can mend is a ValueError with one sentence. Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pandas import DataFrame
    from torch import Tensor, nn

    from ablations.notebook import Record, Study
    from ablations.search.table import Table

__all__ = [
    "build",
    "curves",
    "diagnostics",
    "load",
    "load_into",
    "records",
    "run",
    "simulate",
    "study",
    "sweep",
    "table",
]


def run(*words: str, quiet: bool = False, **settings: Any) -> Record:
    """Train one run, or return its record if there is one; as `python run.py WORDS` does.

        skipbench.run("block=highway", "depth=8", seed=3)
        skipbench.run(block="highway", **{"recipe.epochs": 2})

    The training has a process of its own, so it is the same run as on the command line, whatever this program has set.
    A run that diverged or failed has a record too: `record.status` says so, and `record.cause` why.

    Args:
        words: as on the command line.
        quiet: print nothing meanwhile.
        settings: the same as words, one value each.

    Raises:
        ValueError: with the sentence that the command line prints.
    """
    from ablations.notebook import Record
    from sweeps.cli.from_python import call, words_of

    typed = words_of(words, settings)
    if {"-m", "--multirun"} & {*typed}:
        raise ValueError("-m is for several runs: write skipbench.sweep(…) without it")
    return Record.read(Path(call(typed, quiet=quiet)["folder"]))


def sweep(*words: str, quiet: bool = False, **settings: Any) -> Study:
    """Train what a study misses, and return the study; as `python run.py -m WORDS` does.

        skipbench.sweep(study="shortcuts")
        skipbench.sweep("block=plain,residual", depth=[8, 20], seed=range(3))

    Interrupted, it goes on where it stopped when it is called again.

    Args:
        words: as on the command line.
        quiet: print nothing meanwhile.
        settings: the same as words; a list or a range has a run for each value.

    Raises:
        ValueError: with the sentence that the command line prints.
    """
    from ablations.notebook import Study
    from sweeps.cli.from_python import call, words_of

    typed = words_of(words, settings, several=True)
    made = call([*(() if "-m" in typed else ("-m",)), *typed], quiet=quiet)
    if "study" not in made:
        raise ValueError("this is a single run: write skipbench.run(…)")
    return Study.read(made["study"], Path(made["runs"]))


def study(name: str, runs: str | Path = "runs") -> Study:
    """Read a study that has been run: its table, verdicts and figures.

        headline = skipbench.study("headline")
        headline.table()                  # a row a cell
        headline.verdicts()               # a row a claim
        headline.figure().save("headline.png")

    Args:
        runs: the folder with the records.

    Raises:
        ValueError: there is no such study; says the nearest name, or how to run it.
    """
    from ablations.notebook import Study

    return Study.read(name, Path(runs).absolute())


def records(folder: str | Path = "runs") -> DataFrame:
    """Read all records of a folder into a data frame, a row a run: axes, metrics, sizes, seconds, status, provenance.

        skipbench.records().groupby(["block", "depth"]).test_error.agg(["mean", "std", "count"])

    Raises:
        ValueError: there is no such folder.
    """
    from ablations.report.frames import records_frame

    return records_frame(Path(folder))


def curves(folder: str | Path = "runs") -> DataFrame:
    """Read the training curves of all runs of a folder, a row an epoch of a run.

        skipbench.curves().pivot_table(index="epoch", columns="block", values="val_error")

    Raises:
        ValueError: there is no such folder, or a curve is damaged.
    """
    from ablations.report.frames import curves_frame, good_records

    return curves_frame(good_records(Path(folder)), Path(folder))


def diagnostics(folder: str | Path = "runs") -> DataFrame:
    """Read what was seen inside the networks of a folder's runs, a row a block of every epoch of a run.

        inside = skipbench.diagnostics()
        inside.pivot_table(index="block_number", columns="block", values="gradient_norm")

    `block_number` 0 is the whole network, 1 the block next to the input.

    Raises:
        ValueError: there is no such folder, or a file is damaged.
    """
    from ablations.report.frames import diagnostics_frame, good_records

    return diagnostics_frame(good_records(Path(folder)), Path(folder))


def table(path: str | Path) -> Table:
    """Read a table that `python -m ablations tabulate` wrote: every epoch of every run of a study.

        landscape = skipbench.table("landscape.parquet")
        landscape.frame                                   # a row an epoch
        landscape.axes["shortcut"].depends_on             # ("block",)
        landscape.cell({"block": "plain", "depth": 8})    # the rows of one cell

    Raises:
        ValueError: the file is no such table, or a package that Parquet needs is not installed.
        OSError: it cannot be read.
    """
    from ablations.search.table_files import read_table

    return read_table(Path(path))


def simulate(
    table: Table | str | Path,
    *,
    sampler: Any = "tpe",
    pruner: Any = "none",
    trials: int = 50,
    seed: int = 0,
    workers: int = 1,
    space: Mapping[str, Any] | None = None,
    fixed: Mapping[str, Any] | None = None,
    known: Iterable[Mapping[str, Any]] = (),
    **search: Any,
) -> DataFrame:
    """Search on a table instead of training, on a simulated clock; return a row a trial, in the order of their ends.

        found = skipbench.simulate("landscape.parquet", sampler="random", trials=50, seed=3)
        found[["ended", "best", "best_test_error"]]       # after each trial

    `started` and `ended` are simulated seconds. `best` is the best value so far, `best_test_error` what that cell has
    on the test set, as the mean over all seeds of the table.

    Args:
        sampler, pruner: the name of a file in conf/, or one of Optuna's: the sampler as what makes it from a `seed`.
        trials: cells that are looked up.
        seed: decides the suggestions.
        workers: simulated workers. Each takes the next trial when it is free; a run takes the seconds of the table.
        space: as in a study; without it every axis of the table, with its values.
        fixed: values of the axes that are not in the space.
        known: points that were trained before, and are told to the sampler; they use up no trial, and have no row.
        search: `seeds`, `objectives`, `constraints`, `diverged`, `prune_by`, as in a study.

    Raises:
        ValueError: the table lacks what is asked for, or something is misspelt; names it.
    """
    from ablations.search.simulator import simulate as on_table
    from ablations.search.table import Table

    asked = table if isinstance(table, Table) else globals()["table"](table)
    about = {"trials": trials, "seed": seed, "workers": workers, "space": space, "fixed": fixed, "known": known}
    return on_table(asked, sampler=sampler, pruner=pruner, **about, **search)


def build(*words: str, **settings: Any) -> nn.Module:
    """Build the network that a run would train, with its initial weights, for the shape of its data.

        network = skipbench.build("network=cifar", "depth=20", data="cifar10")
        network(torch.zeros(1, 3, 32, 32)).shape      # (1, 10)

    The state of torch's random numbers stays as it is.

    Args:
        words, settings: as of `run`; the seed decides the weights.

    Raises:
        ValueError: with the sentence that the command line prints.
    """
    from sweeps.cli.from_python import composed_config, words_of
    from sweeps.network import network_of

    typed = words_of(words, settings)
    return network_of(composed_config(typed), typed)


def load(folder: str | Path, *, trust: Sequence[str] = ()) -> nn.Module:
    """Load the network of a run with the weights it kept, in eval mode, on the CPU; nothing is unpickled.

        network = skipbench.load("runs/<folder>")
        network.predict(images)                       # probabilities, or numbers in the units of the data
        network(network.preprocess(images))           # the outputs themselves

    `network.trained` is a mapping with what is known of the weights: label, identity, epoch, class names, mean, std, …

    Args:
        folder: of the run, `runs/<label>-<8 digits>`; or its file of weights.
        trust: packages that may be asked to build a part of the network, beside Skipbench, `torch.nn`, installed
            plugins and your own modules.

    Raises:
        ValueError: there are no weights in the folder, or they cannot be used; says what to type.
    """
    from sweeps.trained import load

    return load(folder, trust=trust)


def load_into(
    network: nn.Module, state_dict: Mapping[str, Tensor], *, same_as: tuple[Tensor, Tensor] | None = None
) -> nn.Module:
    """Copy published weights into a network, in order: the first of theirs into the first of ours, and so on.

    Args:
        state_dict: of the published network, or a checkpoint that has one; a prefix such as `module.` does not matter.
        same_as: (x, y), with y = published_network.eval()(x): the outputs are compared, since order and shapes cannot
            tell everything.

    Returns:
        the network, in eval mode.

    Raises:
        ValueError: the weights do not fit or compute something else, or there is no `same_as` where it is needed. The
            network is then as it was before.
    """
    from lightning_modules.networks.published import load_into

    return load_into(network, state_dict, same_as=same_as)


def command_line() -> None:
    """Do what was typed: `skipbench depth=20` is `python run.py depth=20`."""
    from sweeps.cli.program import command_line

    command_line()


if __name__ == "__main__":  # a process that `run` or `sweep` has started
    from sweeps.cli.from_python import end_with_caller

    end_with_caller()
    command_line()
