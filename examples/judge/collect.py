"""Make one table of many logs: a row a run, with the last epoch of logs/MODEL-SEED.csv."""

import csv
from pathlib import Path

with open("results.csv", "w", encoding="utf-8", newline="") as file:
    table = csv.writer(file)
    table.writerow(["model", "seed", "val_accuracy"])
    for log in sorted(Path("logs").glob("*.csv")):
        model, _, seed = log.stem.rpartition("-")
        *_, last = csv.DictReader(log.read_text("utf-8").splitlines())
        table.writerow([model, seed, last["val_accuracy"]])
