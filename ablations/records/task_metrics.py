"""Read from a run's config which metrics its task has, which side of each is better, and by which it is judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

PARTS = ("train", "val", "test")
ERROR = ("val_error", "lower")  # what a classification is judged by
KEPT = ("better", "low", "high", "unit")
METRICS = ("train_loss", "train_error", "val_loss", "val_error", "test_loss", "test_error")  # of a classification
CALIBRATION = ("val_ece", "test_ece")  # of finished runs
LESIONS = ("lesion_mean", "lesion_median", "lesion_max")  # only measured with recipe.lesions=true

Declared = dict[str, dict[str, Any]]


def task_metrics(config: Mapping[str, Any]) -> Declared:
    """The metrics that a run has beside those of every classification.

    Args:
        config: the resolved nodes of a run, as its record has them.

    Returns:
        name in the record → {better, unit, low, high} as the metric's file has them; `along` for those that are known
        after every epoch.
    """
    task = _task(config)
    metrics = {**(task.get("metrics") or {}), **(task.get("further") or {})}
    found: Declared = {}
    for name, about in metrics.items():
        for part in PARTS[1:] if about.get("whole") else PARTS:
            fields = {key: about[key] for key in KEPT if about.get(key) not in (None, "")}
            found[f"{part}_{name}"] = fields | ({} if part == "test" else {"along": True})
    if task.get("judged") and (config.get("recipe") or {}).get("lesions"):
        found |= {name: {"better": "none"} for name in LESIONS}
    return found


def measured_names(config: Mapping[str, Any]) -> list[str]:
    """All metrics of training, validation and test that the record of such a run will have.

    Args:
        config: the resolved nodes of a run. A task that names no metrics of its own is taken for a classification.
    """
    if _task(config).get("judged") is not None:
        return [*(f"{part}_loss" for part in PARTS), *task_metrics(config)]
    lesions = LESIONS if (config.get("recipe") or {}).get("lesions") else ()
    return [*METRICS, *CALIBRATION, *lesions, *task_metrics(config)]


def judged_by(config: Mapping[str, Any]) -> tuple[str, str]:
    """The validation metric by which a run is compared with others, and its better side."""
    task = _task(config)
    name = task.get("judged")
    if name is None:
        return ERROR
    about = {**(task.get("metrics") or {}), **(task.get("further") or {})}[name]
    return f"val_{name}", about["better"]


def of_all(configs: Iterable[Mapping[str, Any]]) -> tuple[Declared, tuple[str, str] | None]:
    """The metrics of several runs, and what all of them are judged by; None where they are of different tasks."""
    declared: Declared = {}
    judged: set[tuple[str, str]] = set()
    for config in configs:
        declared |= task_metrics(config)
        judged.add(judged_by(config))
    return declared, judged.pop() if len(judged) == 1 else None


def shown_metric(study: Mapping[str, Any], part: str) -> str:
    """`test_mse` of a study whose runs are judged by `val_mse`; the error where their tasks differ."""
    judged, _ = study.get("judged") or ERROR
    return f"{part}_{judged.removeprefix('val_')}"


def shown_pair(study: Mapping[str, Any], first: str, second: str) -> tuple[str, ...]:
    """`shown_metric` of two parts, without a part of which it is not measured."""
    known = study.get("metrics") or {}
    names = (shown_metric(study, first), shown_metric(study, second))
    return tuple(name for name in names if name.endswith(("_error", "_loss")) or name in known)


def _task(config: Mapping[str, Any]) -> Mapping[str, Any]:
    return (config.get("recipe") or {}).get("task") or {}
