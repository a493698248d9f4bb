"""Large studies: planning 10,000 cells, reading 10,000 records, 500 tiny runs in one worker.

    python benchmarks/scale.py [--cells 10000] [--runs 500]

Prints what it measured as Markdown; benchmarks/RESULTS.md has what was found where.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from ablations.records.provenance import processor  # noqa: E402

PYTHON = sys.executable
CHILD = "import resource, subprocess, sys\nr = subprocess.call(sys.argv[1:])\n" + (
    "u = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
    "print('used', u.ru_utime + u.ru_stime, u.ru_maxrss / 1024)\nsys.exit(r)"
)


def timed(*command: str, **env: str) -> tuple[str, str]:
    """What it took (seconds, those of the processor, MiB at most) in words, and what was printed.

    Raises:
        RuntimeError: the command failed.
    """
    started = time.perf_counter()
    call = [PYTHON, "-c", CHILD, PYTHON, *command]
    done = subprocess.run(call, capture_output=True, encoding="utf-8", env=os.environ | env, cwd=ROOT, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2000:]}")
    seconds = time.perf_counter() - started
    busy, memory = map(float, re.findall(r"^used (\S+) (\S+)$", done.stdout, re.MULTILINE)[-1])
    return f"{seconds:.1f} s ({busy:.1f} s of processor time), {memory:.0f} MiB", done.stdout


def planning(runs: Path, cells: int) -> list[str]:
    """Plan a grid of architectures and recipes without training any."""
    rates = max(1, round(cells / 324))
    grid = ["block=plain,residual,highway", "norm=batch,group,none", "shortcut=A,B,C", "depth=8,14,20,26"]
    grid += ["recipe.weight_decay=0,1e-4,1e-3", f"recipe.lr=range(1,{rates + 1})", "seed=0", "on_invalid=skip"]
    took, said = timed("run.py", "-m", f"runs={runs}", "plan=true", "tracker=none", *grid)
    summary = " ".join(said.split("\ntrain ")[0].split())
    command = f"python run.py -m plan=true {' '.join(grid)}"
    return [f"| `{command}` | {took} |", f"| | {summary} |"]


def synthetic(runs: Path, records: int) -> None:
    """A study of records / 5 cells with 5 seeds each, every record made up."""
    from ablations.identity.run import digest
    from ablations.records.files import write_json
    from ablations.records.record import plan_path

    cells: list[dict[str, Any]] = []
    for c in range(records // 5):
        axes = {"block": ("plain", "residual")[c % 2], "depth": 8 + 6 * (c // 2), "norm": "batch", "data": "digits"}
        entries, cell = [], digest({"config": {"network": axes}, "code": {"a.py": "0"}})
        for seed in range(5):
            label = f"{axes['block']}-batch-d{axes['depth']}-s{seed}"
            identity = digest({"cell": cell, "seed": seed})
            entry = {"seed": seed, "identity": identity, "label": label, "folder": f"{label}-{c:08x}"}
            entries.append(entry)
            kinds = [f"{part}_{kind}" for part in ("train", "val", "test") for kind in ("loss", "error")]
            metrics = dict.fromkeys(kinds, 5.0 + (c * 7 + seed * 3) % 11)
            record = {"schema": 1, **entry, "cell": cell, "status": "finished", "axes": axes, "metrics": metrics}
            record |= {"params": 269722, "macs": 40551040, "epochs": 10, "steps": 100, "seconds": 1.0, "note": ""}
            record |= {
                "images_per_second": 500.0,
                "cause": None,
                "config": {"network": axes},
                "code": {"a.py": "0"},
            }
            versions = {"python": "3.11.7", "torch": "2.13.0"}
            record["provenance"] = {"versions": versions, "device": "cpu, 1 thread", "processor": "made up"}
            (runs / entry["folder"]).mkdir(parents=True)
            text = json.dumps(record, indent=1)
            path = runs / entry["folder"] / "record.json"
            path.write_text(text + "\n", "utf-8")  # not synced: 10,000 times that is minutes
        point = {"block": axes["block"], "depth": axes["depth"]}
        cells.append({"cell": cell, "axes": axes, "points": [point], "runs": entries, "cost": 1, "epochs": 10})
    study = {"name": "large", "question": "Is it quick?", "grid": [cell["points"][0] for cell in cells], "claims": []}
    plan = {"schema": 1, "name": "large", "study": study, "swept": ["block", "depth"], "command": "none"}
    write_json(plan_path(runs, "large"), plan | {"cells": cells, "invalid": []}, indent=None)


def reading(runs: Path, records: int) -> list[str]:
    """status, report and table of a study that large."""
    from ablations.records.record import read_records

    synthetic(runs, records)
    if problems := read_records(runs)[1]:
        raise RuntimeError(problems[0])
    lines = []
    for words in ("status large", "report large", "export large --format md", "export large --format csv", "list"):
        took, _ = timed("-m", "ablations", *words.split(), "--runs", str(runs))
        lines.append(f"| `python -m ablations {words}` | {took} |")
    return lines


WATCH = """
import json, os, resource, sys, time
sys.path.insert(0, {root!r})
from sweeps.cli.program import command_line
from sweeps.workers.worker import Application
original, fits, rows = Application.train, [], []
from lightning_modules.training import fit as module
fit = module.fit
def timed_fit(classifier, data, trainer, curve, **rest):
    begun = time.perf_counter()
    done = fit(classifier, data, trainer, curve, **rest)
    fits.append((time.perf_counter() - begun, done.seconds))
    return done
module.fit = timed_fit
def timed(*arguments, **rest):
    begun = time.perf_counter()
    done = original(*arguments, **rest)
    took = time.perf_counter() - begun
    with open("/proc/self/statm", encoding="utf-8") as file:
        memory = int(file.read().split()[1]) * resource.getpagesize() / 2**20
    rows.append([took, *fits[-1], memory])
    return done
Application.train = timed
try:
    command_line()
finally:
    json.dump(rows, open({out!r}, "w", encoding="utf-8"))
"""


def tiny_runs(runs: Path, count: int) -> list[str]:
    """So many runs of one epoch in one worker, W&B offline: memory, and what a run costs beside its steps."""
    out = runs / "rows.json"
    asked = [
        "-m",
        f"runs={runs}",
        "hydra/launcher=basic",
        "tracker=offline",
        "block=plain",
        "depth=8",
        "trainer.threads=1",
    ]
    asked += ["recipe.epochs=1", f"seed=range({count})"]
    timed("-c", WATCH.format(root=str(ROOT), out=str(out)), *asked)
    rows = json.loads(out.read_text("utf-8"))
    late = rows[len(rows) // 10 :]
    whole, fitted, steps = (median(row[k] for row in late) for k in range(3))
    first, last = rows[min(49, len(rows) // 2)][3], rows[-1][3]
    command = " ".join(word for word in asked if not word.startswith("runs="))
    return [
        f"| `python run.py {command}` | {len(rows)} runs |",
        f"| a run in all, less its epoch (median) | {1000 * (whole - steps):.0f} ms |",
        f"| – set-up and test inside `fit` | {1000 * (fitted - steps):.0f} ms |",
        f"| – composing, building, W&B, record | {1000 * (whole - fitted):.0f} ms |",
        f"| memory after run {min(50, len(rows) // 2 + 1)} and after the last | {first:.0f} and {last:.0f} MiB "
        f"({100 * (last / first - 1):+.1f}%) |",
    ]


def main() -> None:
    """Measure what is asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=500)
    options = parser.parse_args()
    packages = ", ".join(f"{name} {metadata.version(name)}" for name in ("torch", "pytorch-lightning", "hydra-core"))
    about = f"{datetime.now(UTC):%Y-%m-%d}, {processor()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{about}, {packages}\n")
    print("| what | measured, once |\n|---|---|")
    for measure, size in ((planning, options.cells), (reading, options.cells), (tiny_runs, options.runs)):
        with tempfile.TemporaryDirectory() as folder:
            print("\n".join(measure(Path(folder), size)), flush=True)


if __name__ == "__main__":
    main()
