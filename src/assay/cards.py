"""Description of the network, the task and the machine in a report: enough to identify each of them again."""

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from assay.display import brief
from assay.predictions import Predictions
from assay.subject import Subject
from assay.task import Task
from assay.versions import versions_of


@dataclass(frozen=True, kw_only=True)
class SubjectCard:
    """The network that was audited. `output`: which tensor of its output is the answer, where forward returns several."""

    __repr__ = brief

    name: str
    address: str
    architecture: str
    num_weights: int
    weights_sha256: str
    output: str = ""
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, subject: Subject, address: str) -> "SubjectCard":
        if isinstance(subject, Predictions):
            what = f"A file of {len(subject.lines):,} answers; no network was run."
            return cls(name=subject.name, address=address, architecture=what, num_weights=0, weights_sha256=subject.digest)
        digest = hashlib.sha256()
        for name, weight in sorted(subject.weights().items()):
            digest.update(name.encode())
            digest.update(weight.cpu().flatten().contiguous().view(torch.uint8).numpy().tobytes())
        return cls(
            name=subject.name,
            address=address,
            architecture=str(subject.module),
            num_weights=subject.num_weights(),
            weights_sha256=digest.hexdigest(),
            output=subject.output or "",
            remarks=subject.remarks,
        )


@dataclass(frozen=True, kw_only=True)
class PartCard:
    """One declared part."""

    __repr__ = brief

    name: str
    values: tuple[str, ...]
    graded: bool


@dataclass(frozen=True, kw_only=True)
class TaskCard:
    """The task on which it was audited."""

    __repr__ = brief

    address: str
    parts: tuple[PartCard, ...]
    combines: tuple[str, ...]
    num_seen: int
    num_novel: int
    unit: str
    chance: float

    @classmethod
    def of(cls, task: Task) -> "TaskCard":
        return cls(
            address=task.address,
            parts=tuple(PartCard(name=part.name, values=part.values, graded=part.graded) for part in task.parts),
            combines=task.combines,
            num_seen=len(task.combinations("seen")),
            num_novel=len(task.combinations("novel")),
            unit=task.objective.unit,
            chance=task.objective.chance,
        )


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Versions and hardware on which the numbers may depend, besides the seed."""

    __repr__ = brief

    versions: Mapping[str, str]
    python: str
    machine: str
    device: str
    threads: int

    @classmethod
    def of(cls, subject: Subject) -> "Environment":
        return cls(
            versions=versions_of("assay", "torch", "numpy", "scipy", "scikit-learn"),
            python=platform.python_version(),
            machine=f"{platform.system()} {platform.machine()}",
            device=str(subject.device),
            threads=torch.get_num_threads(),
        )
