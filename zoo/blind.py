"""Planted blind spots: networks that provably ignore a part of which a two-valued answer depends for few of its values.

With two answers, every exchange that changes the answer has one and the same target, so that whatever moves the logits can be
taken for the part. The second part reaches no unit of these networks; none of its values may be shown as carried.
"""

import argparse
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Int
from pydantic import BaseModel, ConfigDict
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from assay.evidence import Evidence
from assay.instrument import run
from assay.instruments.recombination import Recombination
from assay.stats import keyed_generator
from assay.store import read_json, write_json
from assay.subject import Subject
from zoo.families import SymbolTask
from zoo.rules import Rule

NUMBER, STEPS, WIDTH, NOISE, RATE = 80, 200, 48, 0.05, 3e-3
SIZES = (10, 14, 18, 23)
NOT_CARRIED = ("not found", "not enough data")
IGNORED = "second"


@dataclass(frozen=True, kw_only=True)
class Blind(SymbolTask):
    """Two symbols as noisy one-hot codes. Of the first the answer is whether it is odd; `flips` values of the second turn it
    round. `size` is the number of values of each."""

    family: ClassVar[str] = "blind"
    side_by_side: ClassVar[bool] = True
    size: int = 10
    flips: int = 1

    @cached_property
    def _rule(self) -> Rule:
        def answer(values: Int[Tensor, "n 2"], _: Generator) -> Tensor:
            return (values[:, 0] + (values[:, 1] < self.flips)) % 2

        return Rule(("first", IGNORED), (self.size, self.size), 2, answer)

    def shown(self, values: Int[Tensor, "n 2"], *, generator: Generator) -> Float[Tensor, "n f"]:
        codes = F.one_hot(values, self.size).flatten(1).float()
        return codes + NOISE * torch.randn(codes.shape, generator=generator)


class Blindfolded(nn.Module):
    """A network of two hidden layers that sees the first half of its input."""

    def __init__(self, size: int):
        super().__init__()
        self.size = size
        self.layers = nn.Sequential(nn.Linear(size, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x[:, : self.size])


class BlindSpots(BaseModel):
    """From which cut on the ignored part is carried, in each network of which it can be told; `untold`: of how many not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    carried: tuple[str, ...]
    untold: int


def blind_spots(number: int = NUMBER) -> BlindSpots:
    """Train and read so many networks."""
    found = [_carried(seed) for seed in range(number)]
    return BlindSpots(
        carried=tuple(one for one in found if one != "not enough data"), untold=sum(one == "not enough data" for one in found)
    )


def _carried(seed: int) -> str:
    size = SIZES[seed % len(SIZES)]
    task = Blind(size=size, flips=1 + seed // len(SIZES) % 2, seed=seed)
    torch_generator = keyed_generator(seed, "blindfolded")
    module = Subject(Blindfolded(size)).untrained(torch_generator).module
    optimiser = torch.optim.Adam(module.parameters(), RATE)
    for _ in range(STEPS):
        seen = task.examples("train", 128, generator=torch_generator)
        optimiser.zero_grad()
        F.cross_entropy(module(seen.inputs["x"]), seen.parts["first"] % 2).backward()
        optimiser.step()
    evidence = run(Recombination(), Subject(module.eval()), task, effort="quick", seed=seed)
    assert isinstance(evidence, Evidence)
    return str(evidence.settings.get(f"carried_{IGNORED}", "not enough data"))


def blind_path(folder: Path) -> Path:
    """Where the record is."""
    return folder / "blind.json"


def blind_of(folder: Path) -> BlindSpots | None:
    """What was found, if it was looked for."""
    path = blind_path(folder)
    return read_json(path, BlindSpots) if path.exists() else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    found = blind_spots()
    write_json(blind_path(options.out), found)
    shown = [one for one in found.carried if one not in NOT_CARRIED]
    print(f"{len(shown)} of {len(found.carried)} show a part that they ignore as carried {shown}; {found.untold} untold")


if __name__ == "__main__":
    main()
