"""Processor time and wall time, for the other benchmarks."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spent:
    """Processor seconds and wall seconds."""

    cpu: float
    wall: float

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.cpu + other.cpu, self.wall + other.wall)

    def times(self, factor: float) -> "Spent":
        return Spent(factor * self.cpu, factor * self.wall)


def spent(function: Callable[[], object]) -> Spent:
    cpu, wall = time.process_time(), time.perf_counter()
    function()
    return Spent(time.process_time() - cpu, time.perf_counter() - wall)


def told(spent: Sequence[Spent], unit: str = "s") -> str:
    scale = 1000 if unit == "ms" else 1
    cpu, wall = ([scale * getattr(one, key) for one in spent] for key in ("cpu", "wall"))
    return (
        f"CPU {min(cpu):.2f} {unit} (median {statistics.median(cpu):.2f}), "
        f"wall {min(wall):.2f} {unit} (median {statistics.median(wall):.2f})"
    )


def ratio(theirs: Sequence[Spent], ours: Sequence[Spent]) -> str:
    """Ratios of times, one for each repeat."""
    by_cpu, by_wall = (
        [getattr(a, key) / getattr(b, key) for a, b in zip(theirs, ours, strict=True)] for key in ("cpu", "wall")
    )
    return (
        f"CPU {min(by_cpu):.1f} to {max(by_cpu):.1f} (median {statistics.median(by_cpu):.1f}), "
        f"wall {min(by_wall):.1f} to {max(by_wall):.1f} (median {statistics.median(by_wall):.1f})"
    )
