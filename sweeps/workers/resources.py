"""Read from the launcher's settings how many workers there are, and which device and threads each has."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from ablations.question.study import StudyError

SCHEDULED = ("submitit_slurm", "ray")  # these give each worker its devices, maybe on another machine
OWN_PROCESSES = ("submitit_local", *SCHEDULED)  # their workers must be told where this project lies


@dataclass(frozen=True)
class Resources:
    """Workers, GPUs and threads that a sweep has.

    Attributes:
        launcher: basic, joblib, submitit_local, submitit_slurm, ray or another that Hydra finds.
        workers: how many there are.
        gpus: this machine's GPUs, which the workers share round-robin; none where the launcher assigns them.
        threads: CPU threads of each worker; None: what the scheduler gave it.
    """

    launcher: str
    workers: int
    gpus: list[str]
    threads: int | None

    @classmethod
    def of(cls, config: DictConfig, *, most: int) -> Resources:
        """Read the resources that a composed config asks for.

        Args:
            most: how many runs there are to train.
        """
        launcher = str(config.hydra.runtime.choices["hydra/launcher"])
        settings: Any = OmegaConf.to_container(config.hydra.launcher, resolve=False)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        gpus = [] if launcher in (*SCHEDULED, "basic") else gpus_here(config.trainer.accelerator)
        wanted = worker_count(
            launcher, settings, asked=config.workers, cores=cores, gpus=len(gpus), per_gpu=config.workers_per_gpu
        )
        workers = max(1, min(wanted, most))
        threads = settings.get("cpus_per_task") if launcher in SCHEDULED else threads_of(cores // workers)
        return cls(launcher, workers, gpus, threads)


def worker_count(launcher: str, settings: dict[str, Any], *, asked: Any, cores: int, gpus: int, per_gpu: Any) -> int:
    """Return `workers=`, or else what the launcher's own setting says.

    Without either: one for `basic`, `array_parallelism` for an array, else `per_gpu` for each GPU, or one a core.

    Raises:
        StudyError: more than one worker is asked for in this process.
    """
    if asked is not None:
        if launcher == "basic" and asked > 1:
            raise StudyError(f"workers={asked}: hydra/launcher=basic is one worker, this process; choose joblib")
        return asked
    if launcher == "basic":
        return 1
    if settings.get("array_parallelism"):
        return settings["array_parallelism"]
    processes = settings.get("n_jobs", -1)
    if processes != -1:  # as joblib has it, -2 is all cores but one
        return processes if processes > 0 else max(1, cores + 1 + processes)
    return gpus * per_gpu if gpus else cores


def threads_of(share: int) -> int:
    """A worker's CPU threads: its share of the cores, or fewer if OMP_NUM_THREADS says so."""
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(share, int(allowed)) if allowed.isdecimal() else share)


def device_of(worker: int, gpus: Sequence[str]) -> str | None:
    """The GPU of the worker number `worker`, round-robin; None where the launcher or the CPU decides."""
    return gpus[worker % len(gpus)] if gpus else None


def gpus_here(accelerator: str) -> list[str]:
    """This machine's GPUs as CUDA_VISIBLE_DEVICES names them, where training would use them."""
    if accelerator not in ("auto", "gpu", "cuda"):
        return []
    import torch

    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(k) for k in range(torch.cuda.device_count())]
    return names[: torch.cuda.device_count()]
